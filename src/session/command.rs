//! What a user may change while the process runs.

use std::net::SocketAddr;

use super::reopening;
use super::session::Session;
use super::tracer::Tracer;
use crate::base::{PeerKey, Time, TorrentKey};
use crate::torrent::{Report, Stage, Stay, Then};

/// A change that a user asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// A torrent leaves its swarm and stays known.
    Pause(TorrentKey),
    /// It goes on; one that has failed is opened anew.
    Resume(TorrentKey),
    /// It leaves its swarm and is forgotten.
    Remove {
        /// The torrent.
        torrent: TorrentKey,
        /// Its content is deleted, too.
        data: bool,
    },
    /// Rates are limited.
    Limit {
        /// Those of this torrent; `None`: those of all torrents together.
        torrent: Option<TorrentKey>,
        /// The new limits; a direction that is left out stays as it is.
        limits: Change,
    },
}

impl Command {
    /// The torrent that it is about; `None`: all together.
    pub fn torrent(&self) -> Option<TorrentKey> {
        match *self {
            Command::Pause(torrent) | Command::Resume(torrent) => Some(torrent),
            Command::Remove { torrent, .. } => Some(torrent),
            Command::Limit { torrent, .. } => torrent,
        }
    }

    /// Whether it deletes content.
    pub fn deletes(&self) -> bool {
        matches!(self, Command::Remove { data: true, .. })
    }
}

/// New limits in bytes a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// What comes in: `Some(None)` lifts the limit.
    pub down: Option<Option<u64>>,
    /// What goes out, the same way.
    pub up: Option<Option<u64>>,
}

/// Why a command changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is no such torrent.
    Unknown,
    /// It is on its way out.
    Ending,
    /// All torrents are: what is resumed or paused now would keep the process from ending.
    AllEnding,
}

/// Does what a user asks for.
///
/// # Errors
/// Nothing is changed, and why.
pub fn perform(session: &mut Session, command: Command, now: Time) -> Result<(), Refused> {
    match command {
        Command::Pause(_) | Command::Resume(_) if is_ending(session) => {
            return Err(Refused::AllEnding);
        }
        Command::Pause(torrent) => {
            if !reopening::steer(session, torrent, true, now) {
                steerable(session, torrent)?;
                session.leave(torrent, Then::Pause, "paused", now);
            }
        }
        Command::Resume(torrent) => {
            if !reopening::steer(session, torrent, false, now) {
                steerable(session, torrent)?;
                session.resume(torrent, now);
            }
        }
        Command::Remove { torrent, data } => {
            let known = session.torrents.get_mut(torrent);
            let known = known.ok_or(Refused::Unknown)?;
            if known.life.stage == Stage::Over {
                let (until, then) = (now, Then::Remove { data });
                known.life.stage = Stage::Leaving { until, then };
                session.stir(torrent);
            } else {
                session.leave(torrent, Then::Remove { data }, "removed", now);
            }
        }
        Command::Limit { torrent, limits } => limit(session, torrent, limits, now)?,
    }
    Ok(())
}

/// These are all the addresses at which peers may dial us: no torrent dials them.
pub fn set_own(session: &mut Session, addrs: &[SocketAddr]) {
    session.bans.set_own(addrs);
}

/// Whether all torrents end, see [`Session::stop_all`].
pub fn is_ending(session: &Session) -> bool {
    session.torrents.ending.is_some()
}

/// From now on every message of every peer is told as an
/// [`Effect::Trace`](crate::torrent::Effect::Trace).
pub fn trace(session: &mut Session) {
    session.tracer = Some(Tracer::default());
    session.finding.watch();
}

/// Tells the user something of a torrent that others than the session have done for it.
pub fn report(session: &mut Session, torrent: TorrentKey, report: Report) {
    if let Some(torrent) = session.torrents.get(torrent) {
        torrent.report(report, &mut session.effects);
    }
}

/// Another source of a torrent names these trackers: they are asked, too. Returns how many were not
/// known.
pub fn add_trackers(
    session: &mut Session,
    torrent: TorrentKey,
    tiers: &[Vec<String>],
    now: Time,
) -> usize {
    let families = session.config.us.families;
    let added = session.with_torrent(torrent, |torrent, lent| {
        if let Some(awake) = &mut torrent.awake {
            awake.search.add_trackers(tiers);
        }
        torrent.trackers.add(tiers, families, lent.shared, now)
    });
    session.stir(torrent);
    added.unwrap_or(0)
}

/// The torrent that is added next gets this number: one that none had.
pub fn number_next(session: &mut Session, number: u32) {
    session.torrents.set_added(number.saturating_sub(1));
}

/// From now on this many torrents may download at the same time. Those that do go on.
pub fn set_active(session: &mut Session, most: usize) {
    session.torrents.queue.set_most(most);
}

/// From now on all torrents stay for so long once they are complete.
pub fn set_stay(session: &mut Session, stay: Stay) {
    for key in session.torrents.keys() {
        session.torrents[key].order.stay = stay;
        session.stir(key);
    }
}

/// Notes that a torrent had reached its ratio or time before it was added: if it is resumed, it
/// stays for ever.
pub fn set_reached(session: &mut Session, torrent: TorrentKey) {
    if let Some(torrent) = session.torrents.get_mut(torrent) {
        torrent.life.reached = true;
    }
}

/// Has a torrent stay for ever once it is complete, as if it had been resumed then.
pub fn set_endless(session: &mut Session, torrent: TorrentKey) {
    if let Some(torrent) = session.torrents.get_mut(torrent) {
        torrent.life.endless = true;
    }
}

fn steerable(session: &Session, torrent: TorrentKey) -> Result<(), Refused> {
    let torrent = session.torrents.get(torrent).ok_or(Refused::Unknown)?;
    if torrent.life.is_ending() {
        return Err(Refused::Ending);
    }
    Ok(())
}

/// Sets limits. All connections concerned are planned for, since some may have waited for the old
/// limits.
fn limit(
    session: &mut Session,
    torrent: Option<TorrentKey>,
    limits: Change,
    now: Time,
) -> Result<(), Refused> {
    let (down, up, keys): (_, _, Vec<PeerKey>) = match torrent {
        None => {
            let keys = session.slots.iter().map(|(key, _)| key).collect();
            (&mut session.down.bucket, &mut session.up.bucket, keys)
        }
        Some(torrent) => {
            let torrent = session.torrents.get_mut(torrent).ok_or(Refused::Unknown)?;
            let keys = torrent.connections.iter().copied().collect();
            let traffic = &mut torrent.traffic;
            (&mut traffic.down_limit, &mut traffic.up_limit, keys)
        }
    };
    if let Some(rate) = limits.down {
        down.set_rate(rate, now);
    }
    if let Some(rate) = limits.up {
        up.set_rate(rate, now);
    }
    keys.into_iter().for_each(|key| session.touch(key));
    Ok(())
}
