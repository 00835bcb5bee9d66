//! The trackers of a torrent, as `tracker_stats` shows them.

use super::names::Names;
use super::world::World;
use crate::tracker::{Last, Next, TrackerView};
use crate::wire::json::Json;

/// Values of `announce_state`: it is not to be asked, is asked at a moment, when fewer torrents ask
/// it, or now.
const INACTIVE: i64 = 0;
/// See [`INACTIVE`].
const WAITING: i64 = 1;
/// See [`INACTIVE`].
const QUEUED: i64 = 2;
/// See [`INACTIVE`].
const ACTIVE: i64 = 3;
/// A count that is not known.
const UNKNOWN: i64 = -1;

/// A tracker. Times are seconds since 1970; 0: never.
pub fn stats(id: usize, tracker: &TrackerView, world: World<'_>, names: Names) -> Json {
    let (time, result, peers, counts) = match &tracker.last {
        None => (0, "", 0, None),
        Some(Last::Answered { at, peers, counts }) => {
            (world.unix_of(*at), "Success", *peers, Some(*counts))
        }
        Some(Last::Failed { at, why }) => (world.unix_of(*at), why.as_str(), 0, None),
    };
    let (state, next) = match tracker.next {
        Next::Asking => (ACTIVE, 0),
        Next::Queued => (QUEUED, 0),
        Next::At(at) => (WAITING, world.unix_of(at)),
        Next::Spare | Next::Never => (INACTIVE, 0),
    };
    let count = |count: Option<u32>| count.map_or(Json::Whole(UNKNOWN), Json::count);
    let succeeded = counts.is_some();
    let members = [
        ("announce", tracker.url.as_str().into()),
        ("announce_state", Json::Whole(state)),
        ("has_announced", tracker.last.is_some().into()),
        ("id", Json::count(id)),
        ("is_backup", (tracker.next == Next::Spare).into()),
        ("last_announce_peer_count", Json::count(peers)),
        ("last_announce_result", result.into()),
        ("last_announce_succeeded", succeeded.into()),
        ("last_announce_time", Json::count(time)),
        ("leecher_count", count(counts.and_then(|it| it.leechers))),
        ("next_announce_time", Json::count(next)),
        ("seeder_count", count(counts.and_then(|it| it.seeders))),
        ("tier", Json::count(tracker.tier)),
    ];
    Json::object(members.map(|(name, value)| (names.joined(name), value)))
}
