//! What the process shows of itself: values to be printed or sent, and nothing that could be
//! changed.

use std::net::SocketAddr;

use super::session::Session;
use crate::base::{InfoHash, Time, TorrentKey, Totals, sorted_by_key};
use crate::torrent::metadata::Reached;
use crate::torrent::{Member, Progress, Stage, Stay, Then, Torrent, lent};
use crate::tracker::TrackerView;

/// The process.
#[derive(Clone, Debug)]
pub struct View {
    /// Its torrents, in the order in which they were added; one that is being removed is none.
    pub torrents: Vec<TorrentView>,
    /// Bytes a second, and the limits of them.
    pub rates: Rates,
    /// Torrents that download at the same time, at most.
    pub active: usize,
}

/// Bytes a second in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// Coming in.
    pub down: u64,
    /// Going out.
    pub up: u64,
    /// The most that may come in.
    pub down_limit: Option<u64>,
    /// The most that may go out.
    pub up_limit: Option<u64>,
}

/// What a torrent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// What is on disk is being looked at and hashed.
    Checking,
    /// It waits for other downloads to end.
    Queued,
    /// Pieces are missing and asked for.
    Downloading,
    /// Nothing is missing, or nothing more is wanted.
    Seeding,
    /// Its user has paused it, or it has done what it was for.
    Paused,
    /// It is leaving its swarm.
    Stopping,
    /// It has failed.
    Failed,
}

/// Why a torrent is paused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pause {
    /// Its user wanted it.
    User,
    /// It has sent as much as it was to.
    Ratio,
    /// It has stayed for as long as it was to.
    Time,
}

/// One torrent.
#[derive(Clone, Debug)]
pub struct TorrentView {
    /// Its key.
    pub key: TorrentKey,
    /// The number that users know it by: counted up from 1, never given again.
    pub number: u32,
    /// The torrent.
    pub info_hash: InfoHash,
    /// Its name.
    pub name: String,
    /// What it is doing.
    pub state: State,
    /// Why it is paused, if it is.
    pub pause: Option<Pause>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Bytes of all its files, chosen or not (padding left out).
    pub size: u64,
    /// Bytes of content received and sent in all runs.
    pub totals: Totals,
    /// Its own limits in bytes a second.
    pub rates: Rates,
    /// Peers that we get blocks from, and peers that may have blocks of us.
    pub exchanging: (usize, usize),
    /// How far the search for its metadata is, if only a link is known of it.
    pub search: Option<SearchView>,
    /// It downloads, and has got nothing for minutes.
    pub stalled: bool,
}

/// How a torrent looks for peers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WaysView {
    /// Its trackers.
    pub trackers: Vec<TrackerView>,
    /// Its web seeds, each by its URL and what it is doing.
    pub web_seeds: Vec<String>,
    /// Why it has no peer, if it is a download without one.
    pub alone: Option<String>,
}

/// How far the search for a torrent's metadata is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SearchView {
    /// Addresses of peers that are known.
    pub found: usize,
    /// Peers that have the metadata, and blocks of it.
    pub reached: Reached,
}

/// One peer of a torrent.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerView {
    /// Where it is.
    pub addr: SocketAddr,
    /// The front of its peer id, for people.
    pub client: String,
    /// The part of the pieces that it has, from 0 to 1.
    pub has: f64,
    /// Bytes a second from it.
    pub down: u64,
    /// Bytes a second to it.
    pub up: u64,
    /// Whether it dialed us.
    pub incoming: bool,
    /// Whether the connection began with an encrypted handshake.
    pub encrypted: bool,
}

/// The keys of all torrents.
pub fn torrent_keys(session: &Session) -> Vec<TorrentKey> {
    session.torrents.keys()
}

/// All that there is to be seen at a moment.
pub fn snapshot(session: &Session, now: Time) -> View {
    let torrents = session.torrents.iter();
    let torrents = torrents.filter(|torrent| !torrent.life.is_being_removed());
    let torrents: Vec<TorrentView> = torrents.map(|t| TorrentView::of(t, now)).collect();
    let torrents = sorted_by_key(torrents, |torrent| torrent.number);
    let (down, up) = (&session.down, &session.up);
    let rates = Rates {
        down: down.meter.shown(now),
        up: up.meter.shown(now),
        down_limit: down.bucket.rate(),
        up_limit: up.bucket.rate(),
    };
    let active = session.torrents.queue.most();
    View {
        torrents,
        rates,
        active,
    }
}

/// The limits of all torrents together in bytes a second, in and out.
pub fn limits(session: &Session) -> [Option<u64>; 2] {
    [&session.down, &session.up].map(|flow| flow.bucket.rate())
}

/// The key of the torrent of this info hash; `None`: those of all.
pub fn keys_of(session: &Session, info_hash: Option<InfoHash>) -> Vec<TorrentKey> {
    match info_hash {
        Some(info_hash) => session.torrents.find(&info_hash).into_iter().collect(),
        None => torrent_keys(session),
    }
}

/// The torrent of this info hash.
pub fn find<'a>(session: &'a Session, info_hash: &InfoHash) -> Option<&'a Torrent> {
    session.torrents.get(session.torrents.find(info_hash)?)
}

/// What a torrent is called.
pub fn name(session: &Session, torrent: TorrentKey) -> &str {
    let torrent = session.torrents.get(torrent);
    torrent.map_or("", |torrent| &torrent.order.name)
}

/// All torrents.
pub fn torrents(session: &Session) -> impl Iterator<Item = &Torrent> {
    session.torrents.iter()
}

/// Whether peers are connected, or a torrent lacks pieces that it is to get.
pub fn is_in_use(session: &Session) -> bool {
    session.connections() > 0 || !session.torrents.queue.is_empty()
}

/// The peers of a torrent that are connected.
pub fn peers(session: &Session, torrent: TorrentKey, now: Time) -> Vec<PeerView> {
    let torrent = session.torrents.get(torrent);
    let members = torrent.map(|torrent| lent::greeted(&session.slots, &torrent.connections));
    let members = members.into_iter().flatten();
    let open = members.filter(|(_, member)| member.peer.is_open());
    let pieces = torrent.map_or(1, |torrent| torrent.order.geometry.pieces());
    open.map(|(_, member)| PeerView::of(member, pieces, now))
        .collect()
}

/// How a torrent looks for peers.
pub fn ways(session: &Session, torrent: TorrentKey, now: Time) -> WaysView {
    let torrent = session.torrents.get(torrent);
    torrent.map_or_else(WaysView::default, |torrent| WaysView {
        trackers: torrent.trackers.views(now),
        web_seeds: torrent.web().map_or(Vec::new(), |web| web.words(now)),
        alone: torrent.why_alone(),
    })
}

impl TorrentView {
    fn of(torrent: &Torrent, now: Time) -> TorrentView {
        let traffic = &torrent.traffic;
        let (progress, left) = (torrent.progress(now), torrent.is_downloading());
        let state = State::of(torrent);
        TorrentView {
            key: torrent.key,
            number: torrent.life.number,
            info_hash: torrent.order.info_hash,
            name: torrent.order.name.clone(),
            state,
            pause: (state == State::Paused).then(|| Pause::of(torrent)),
            failure: torrent.life.failure.clone(),
            progress,
            size: torrent.order.size,
            totals: torrent.order.earlier + torrent.totals(),
            rates: Rates {
                // What was averaged takes some seconds to come down, though nothing can come.
                down: progress.down_rate * u64::from(torrent.is_running() && left),
                up: progress.up_rate * u64::from(torrent.is_running()),
                down_limit: traffic.down_limit.rate(),
                up_limit: traffic.up_limit.rate(),
            },
            exchanging: (torrent.census.active, torrent.census.served),
            search: torrent.fetch().map(|fetch| SearchView {
                found: torrent.candidates.len(),
                reached: fetch.reached(),
            }),
            stalled: torrent.life.stalled,
        }
    }
}

impl State {
    fn of(torrent: &Torrent) -> State {
        match torrent.life.stage {
            _ if torrent.life.failure.is_some() => State::Failed,
            Stage::Metadata => State::Downloading,
            Stage::Checking => State::Checking,
            Stage::Queued => State::Queued,
            Stage::Running if torrent.is_downloading() => State::Downloading,
            Stage::Running => State::Seeding,
            Stage::Reopening { paused }
            | Stage::Leaving {
                then: Then::Reopen { paused },
                ..
            } => {
                if paused {
                    State::Paused
                } else {
                    State::Checking
                }
            }
            Stage::Leaving { .. } => State::Stopping,
            Stage::Paused | Stage::Over => State::Paused,
        }
    }
}

impl Pause {
    fn of(torrent: &Torrent) -> Pause {
        let life = &torrent.life;
        let ratio = match torrent.order.stay {
            Stay::Until { ratio, .. } => ratio,
            Stay::No => None,
        };
        match ratio {
            // One that was to stay for ever has been paused since.
            _ if life.endless || !life.reached => Pause::User,
            Some(ratio) if torrent.has_sent(ratio) => Pause::Ratio,
            _ => Pause::Time,
        }
    }
}

impl PeerView {
    fn of(member: &Member, pieces: u32, now: Time) -> PeerView {
        let peer = &member.peer;
        let has = f64::from(peer.holdings().count());
        PeerView {
            addr: peer.addr(),
            client: member.remote.client(),
            has: has / f64::from(pieces.max(1)),
            down: peer.down().shown(now),
            up: peer.up().shown(now),
            incoming: !peer.is_outbound(),
            encrypted: member.encrypted,
        }
    }
}
