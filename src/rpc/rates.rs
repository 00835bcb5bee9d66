//! Limits of rates. Transmission keeps a number (of thousands of bytes a second) and beside it a
//! switch; here a limit exists or not, so the number is remembered while the switch is off. A third
//! field, which Transmission has not, is the limit to the byte, or null.

use super::request::Request;
use crate::base::SortedMap;
use crate::session::{Change, Rates, View};
use crate::wire::json::Json;

/// Bytes a second of one unit.
const UNIT: f64 = 1000.0;
/// The number that is shown where no limit was ever named: Transmission's own.
const FIRST: u64 = 100_000;

/// The names that a limit has: its number, and whether it counts.
pub type Pair = [&'static str; 2];
/// Those of the limits over all torrents.
pub const SESSION: [Pair; 2] = [
    ["speed_limit_down", "speed_limit_down_enabled"],
    ["speed_limit_up", "speed_limit_up_enabled"],
];
/// The names of those limits to the byte.
pub const SESSION_BYTES: [&str; 2] = ["speed_limit_down_bytes", "speed_limit_up_bytes"];
/// Those of a torrent's limits.
pub const TORRENT: [Pair; 2] = [
    ["download_limit", "download_limited"],
    ["upload_limit", "upload_limited"],
];

/// A limit to the byte.
pub fn bytes(limit: Option<u64>) -> Json {
    limit.map_or(Json::Null, Json::count)
}

/// The last limits that were named, in bytes a second, in and out: by the torrent's number, or of
/// all together.
#[derive(Debug, Default)]
pub struct Remembered(SortedMap<Option<u32>, [Option<u64>; 2]>);

impl Remembered {
    /// The limits as they are shown: number and whether it counts, in and out.
    pub fn shown(&self, torrent: Option<u32>, rates: &Rates) -> [(i64, bool); 2] {
        let named = self.0.get(&torrent).copied().unwrap_or_default();
        let limits = [rates.down_limit, rates.up_limit];
        let mut shown = limits.into_iter().zip(named).map(|(limit, named)| {
            let bytes = limit.or(named).unwrap_or(FIRST);
            let least = i64::from(bytes > 0);
            let units = (bytes as f64 / UNIT).round() as i64;
            (units.max(least), limit.is_some())
        });
        [shown.next(), shown.next()].map(Option::unwrap_or_default)
    }

    /// The change that a request asks for. A value of the wrong type counts as absent.
    pub fn change(
        &mut self,
        torrent: Option<u32>,
        rates: &Rates,
        names: [Pair; 2],
        request: &Request,
    ) -> Change {
        let named = self.0.get_or_insert_with(torrent, Default::default);
        let mut direction = |place: usize, limit: Option<u64>| {
            let [number, counts]: Pair = names[place];
            let number = request.param(number).and_then(Json::number);
            let number = number.filter(|number| *number >= 0.0);
            let asked = number.map(|number| (number * UNIT).round() as u64);
            let counts = request.param(counts).and_then(Json::truth);
            let bytes = asked.or(limit).or(named[place]).unwrap_or(FIRST);
            named[place] = Some(bytes);
            let next = counts.unwrap_or(limit.is_some()).then_some(bytes);
            (next != limit).then_some(next)
        };
        Change {
            down: direction(0, rates.down_limit),
            up: direction(1, rates.up_limit),
        }
    }

    /// Forgets torrents that are gone.
    pub fn forget(&mut self, view: &View) {
        let there = |number| view.torrents.iter().any(|torrent| torrent.number == number);
        self.0.retain(|number, _| number.is_none_or(there));
    }
}
