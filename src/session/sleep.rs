//! Sleep: a torrent that is complete and has no peers lets go of what it needs only for them. A
//! peer that dials us meanwhile waits, with what it has sent, until the torrent is awake. One that
//! is to be checked after others sleeps until then, too.

use super::session::Session;
use crate::base::{PeerKey, Time, TorrentKey};
use crate::torrent::Order;

/// A torrent falls asleep, as [`Effect::Sleep`](crate::torrent::effect::Effect::Sleep) allows: its
/// files may be let go of. False: it may not any more.
pub fn fall_asleep(session: &mut Session, torrent: TorrentKey) -> bool {
    session.torrents.fall_asleep(torrent)
}

/// A torrent that was added just now may sleep until it is its turn to be checked: its files may be
/// let go of. False: it may not, since there is nothing to check, or it is its turn.
pub fn await_check(session: &mut Session, torrent: TorrentKey, now: Time) -> bool {
    session.torrents.await_check(torrent, now)
}

/// Torrents that sleep until they are checked wake up for it, a few at a time.
pub(super) fn begin_checks(session: &mut Session) {
    while let Some(torrent) = session.torrents.checks.next() {
        session.with_torrent(torrent, |torrent, lent| torrent.wake(lent.effects));
        session.torrents.refile(torrent);
    }
}

/// A torrent is awake again, as [`Effect::Wake`](crate::torrent::effect::Effect::Wake) asks for,
/// with the order that a start would give it. The peers that wait for it are to be read from again.
pub fn wake_up(session: &mut Session, torrent: TorrentKey, order: Order, now: Time) {
    session.torrents.wake_up(torrent, order, now);
    session.stir(torrent);
}

/// Whether a torrent sleeps, or is being opened anew: it has no pieces and no files then.
pub fn is_asleep(session: &Session, torrent: TorrentKey) -> bool {
    let torrent = session.torrents.get(torrent);
    torrent.is_some_and(|torrent| torrent.awake.is_none())
}

/// Whether the peer under this key waits for its torrent to wake up: what it has sent so far is
/// kept, and it is not to be read from.
pub fn waits(session: &Session, key: PeerKey) -> bool {
    let torrent = session.torrent_of(key);
    torrent.is_some_and(|torrent| is_asleep(session, torrent))
}
