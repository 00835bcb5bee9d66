//! The fields of a torrent: those that a view of it can answer.

use super::names::Names;
use super::rates::{self, Remembered};
use super::trackers;
use super::world::World;
use crate::session::{Pause, PeerView, SearchView, State, TorrentView};
use crate::wire::json::Json;

/// A torrent, and what its fields are made of.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The torrent.
    pub torrent: &'a TorrentView,
    /// Its place among all, from 0.
    pub place: usize,
    /// The limits that were named.
    pub remembered: &'a Remembered,
    /// What is looked up for it.
    pub world: World<'a>,
    /// The names that the answer has.
    pub names: Names,
}

/// The fields that a list of torrents shows.
pub const LISTED: [&str; 27] = [
    "id",
    "name",
    "hash_string",
    "status",
    "error",
    "error_string",
    "queue_position",
    "total_size",
    "size_when_done",
    "left_until_done",
    "percent_done",
    "recheck_progress",
    "eta",
    "rate_download",
    "rate_upload",
    "downloaded_ever",
    "uploaded_ever",
    "upload_ratio",
    "peers_connected",
    "peers_sending_to_us",
    "peers_getting_from_us",
    "metadata_percent_complete",
    "metadata_search",
    "is_stalled",
    "is_finished",
    "pause_reason",
    "download_dir",
];
/// Those that are shown beside them of one torrent.
pub const DETAILED: [&str; 11] = [
    "download_limit",
    "download_limited",
    "upload_limit",
    "upload_limited",
    "download_limit_bytes",
    "upload_limit_bytes",
    "peers",
    "webseeds_sending_to_us",
    "webseed_states",
    "tracker_stats",
    "peer_search",
];

/// Whether there is a field of this name.
pub fn is_field(name: &str) -> bool {
    LISTED.contains(&name) || DETAILED.contains(&name)
}

/// Values of `status`.
const STOPPED: i64 = 0;
const CHECKING: i64 = 2;
const QUEUED: i64 = 3;
const DOWNLOADING: i64 = 4;
const SEEDING: i64 = 6;
/// The value of `error` that says that something here is wrong, and not at a tracker.
const LOCAL_ERROR: i64 = 3;
/// Values of `eta`: none, and unknown.
const NO_TIME: i64 = -1;
/// See [`NO_TIME`].
const UNKNOWN_TIME: i64 = -2;

impl Subject<'_> {
    /// The value of a field; `None`: there is no such field.
    pub fn field(&self, name: &str) -> Option<Json> {
        let torrent = self.torrent;
        let (progress, rates) = (&torrent.progress, &torrent.rates);
        let left = progress.size.saturating_sub(progress.done);
        let limits = || self.remembered.shown(Some(torrent.number), rates);
        Some(match name {
            "id" => Json::count(torrent.number),
            "name" => torrent.name.as_str().into(),
            "hash_string" => torrent.info_hash.to_string().into(),
            "status" => Json::Whole(self.status()),
            "error" if torrent.failure.is_some() => Json::Whole(LOCAL_ERROR),
            "error" => Json::Whole(0),
            "error_string" => torrent.failure.as_deref().unwrap_or_default().into(),
            "queue_position" => Json::count(self.place),
            "total_size" => Json::count(torrent.size),
            "size_when_done" => Json::count(progress.size),
            "left_until_done" => Json::count(left),
            // Nothing of a torrent is there of which only the link is.
            "percent_done" if torrent.search.is_some() => Json::Real(0.0),
            "percent_done" => Json::Real(part(progress.done, progress.size)),
            "recheck_progress" => {
                Json::Real(progress.checking.map_or(0.0, |(done, all)| part(done, all)))
            }
            "metadata_percent_complete" => Json::Real(torrent.search.map_or(1.0, |search| {
                let (here, all) = search.reached.blocks;
                part(here.into(), all.max(1).into())
            })),
            "metadata_search" => torrent.search.map_or(Json::Null, |it| self.search(it)),
            "eta" => Json::Whole(self.eta(left)),
            "rate_download" => Json::count(rates.down),
            "rate_upload" => Json::count(rates.up),
            "downloaded_ever" => Json::count(torrent.totals.down),
            "uploaded_ever" => Json::count(torrent.totals.up),
            "upload_ratio" => Json::Real(self.ratio()),
            "download_limit_bytes" => rates::bytes(rates.down_limit),
            "upload_limit_bytes" => rates::bytes(rates.up_limit),
            "download_limit" => Json::Whole(limits()[0].0),
            "download_limited" => limits()[0].1.into(),
            "upload_limit" => Json::Whole(limits()[1].0),
            "upload_limited" => limits()[1].1.into(),
            "peers_connected" => Json::count(progress.peers),
            "peers_sending_to_us" => Json::count(torrent.exchanging.0),
            "peers_getting_from_us" => Json::count(torrent.exchanging.1),
            "peers" => {
                let peers = (self.world.peers)(torrent);
                Json::List(peers.iter().map(|peer| self.peer(peer)).collect())
            }
            "webseeds_sending_to_us" => Json::count(progress.web_seeds),
            "webseed_states" => texts(&(self.world.ways)(torrent).web_seeds),
            "is_stalled" => torrent.stalled.into(),
            "is_finished" => matches!(torrent.pause, Some(Pause::Ratio | Pause::Time)).into(),
            "pause_reason" => torrent.pause.map_or(Json::Null, |pause| word(pause).into()),
            "download_dir" => {
                let own = (self.world.dir)(torrent);
                own.unwrap_or_else(|| self.world.about.download_dir.clone())
                    .into()
            }
            "tracker_stats" => {
                let trackers = (self.world.ways)(torrent).trackers;
                let stats = trackers.iter().enumerate();
                let stats = stats.map(|(id, it)| trackers::stats(id, it, self.world, self.names));
                Json::List(stats.collect())
            }
            "peer_search" => (self.world.ways)(torrent)
                .alone
                .map_or(Json::Null, |why| why.as_str().into()),
            _ => return None,
        })
    }

    fn status(&self) -> i64 {
        match self.torrent.state {
            State::Checking => CHECKING,
            State::Queued => QUEUED,
            State::Downloading => DOWNLOADING,
            State::Seeding => SEEDING,
            State::Paused | State::Stopping | State::Failed => STOPPED,
        }
    }

    /// Seconds until a download is done.
    fn eta(&self, left: u64) -> i64 {
        if self.torrent.state != State::Downloading {
            return NO_TIME;
        }
        let seconds = left.checked_div(self.torrent.rates.down);
        seconds.map_or(UNKNOWN_TIME, |seconds| {
            i64::try_from(seconds).unwrap_or(i64::MAX)
        })
    }

    /// Bytes sent for each of the content, as `--ratio` counts them.
    fn ratio(&self) -> f64 {
        match self.torrent.progress.size {
            0 => 0.0,
            size => self.torrent.totals.up as f64 / size as f64,
        }
    }

    /// What is known of a torrent's metadata: a field of ours.
    fn search(&self, search: SearchView) -> Json {
        let (blocks, all) = search.reached.blocks;
        let members = [
            ("blocks", Json::count(blocks)),
            ("blocks_in_all", Json::count(all)),
            ("peers_found", Json::count(search.found)),
            ("peers_with_it", Json::count(search.reached.peers)),
        ];
        Json::object(members.map(|(name, value)| (self.names.joined(name), value)))
    }

    fn peer(&self, peer: &PeerView) -> Json {
        let members = [
            ("address", peer.addr.ip().to_canonical().to_string().into()),
            ("client_name", peer.client.as_str().into()),
            ("is_downloading_from", (peer.down > 0).into()),
            ("is_encrypted", peer.encrypted.into()),
            ("is_incoming", peer.incoming.into()),
            ("is_uploading_to", (peer.up > 0).into()),
            ("port", Json::count(peer.addr.port())),
            ("progress", Json::Real(peer.has)),
            ("rate_to_client", Json::count(peer.down)),
            ("rate_to_peer", Json::count(peer.up)),
        ];
        Json::object(members.map(|(name, value)| (self.names.joined(name), value)))
    }
}

/// Why a torrent is paused: the value of a field of ours.
fn word(pause: Pause) -> &'static str {
    match pause {
        Pause::User => "user",
        Pause::Ratio => "ratio",
        Pause::Time => "time",
    }
}

/// A part of a whole, from 0 to 1; of nothing it is all.
fn part(done: u64, all: u64) -> f64 {
    if all == 0 {
        1.0
    } else {
        done as f64 / all as f64
    }
}

fn texts(texts: &[String]) -> Json {
    Json::List(texts.iter().map(|it| Json::from(it.as_str())).collect())
}
