//! The trackers of a torrent: what each said last, and when it is asked next.

use crate::base::Duration;
use crate::cli::units::{Span, counted};
use crate::io::logging::printable;
use crate::wire::json::{self, Json};

/// Values of `announce_state`: it is asked at a moment, when fewer torrents ask it, or now.
const WAITING: i64 = 1;
/// See [`WAITING`].
const QUEUED: i64 = 2;
/// See [`WAITING`].
const ACTIVE: i64 = 3;

/// A tracker as the other end shows it, and the time of day in seconds since 1970.
pub struct Tracker<'a>(pub &'a Json, pub u64);

impl Tracker<'_> {
    fn whole(&self, field: &str) -> i64 {
        let number = self.0.get(field).and_then(Json::whole);
        number.unwrap_or_default()
    }

    /// A count that is known, or a time that is not "never".
    fn known(&self, field: &str) -> Option<u64> {
        let is_known = |number: &u64| *number > 0 || !field.ends_with("_time");
        u64::try_from(self.whole(field)).ok().filter(is_known)
    }

    fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Json::text).unwrap_or_default()
    }

    fn is(&self, field: &str) -> bool {
        self.0.get(field).and_then(Json::truth).unwrap_or_default()
    }

    /// When it was visited last, and whether it answered.
    fn last(&self) -> Option<(u64, bool)> {
        let at = self.known("last_announce_time")?;
        Some((at, self.is("last_announce_succeeded")))
    }

    fn next(&self) -> Option<u64> {
        let waits = self.whole("announce_state") == WAITING;
        self.known("next_announce_time").filter(|_| waits)
    }

    /// It in a line, with its end.
    pub fn words(&self) -> String {
        let span = |from: u64, to: u64| Span(Duration::from_secs(to.saturating_sub(from)));
        let last = match self.last() {
            None => String::from("not asked yet"),
            Some((at, true)) => {
                let peers = self.known("last_announce_peer_count").unwrap_or_default();
                let peers = counted(usize::try_from(peers).unwrap_or(usize::MAX));
                let counts = [("seeders", "seeder_count"), ("leechers", "leecher_count")];
                let counts = counts.iter().filter_map(|(name, field)| {
                    let count = self.known(field)?;
                    Some(format!(", {name}: {count}"))
                });
                let counts: String = counts.collect();
                format!("named {peers} {} ago{counts}", span(at, self.1))
            }
            Some((at, false)) => {
                let why = printable(self.text("last_announce_result"));
                format!("failed {} ago: {why}", span(at, self.1))
            }
        };
        let next = match self.next() {
            _ if self.whole("announce_state") == ACTIVE => String::from("is being asked"),
            _ if self.whole("announce_state") == QUEUED => String::from("waits for its turn"),
            Some(at) => format!("next visit in {}", span(self.1, at)),
            None if self.is("is_backup") => String::from("is asked when others fail"),
            None => String::from("no visit is due"),
        };
        format!("  {}  {last}; {next}\n", printable(self.text("announce")))
    }

    /// It as a JSON object. Times are seconds since 1970.
    pub fn object(&self) -> String {
        let number = |number: Option<u64>| {
            number.map_or_else(|| String::from("null"), |number| number.to_string())
        };
        let last = self.last();
        let ok = last.map(|(_, ok)| ok);
        let answered = |field: &str| number(self.known(field).filter(|_| ok == Some(true)));
        let why = Some(self.text("last_announce_result")).filter(|_| ok == Some(false));
        json::Object::new()
            .text("url", self.text("announce"))
            .plain("tier", self.whole("tier"))
            .raw(
                "ok",
                ok.map_or("null", |ok| if ok { "true" } else { "false" }),
            )
            .raw("peers", &answered("last_announce_peer_count"))
            .raw("seeders", &answered("seeder_count"))
            .raw("leechers", &answered("leecher_count"))
            .text("error", why)
            .raw("last", &number(last.map(|(at, _)| at)))
            .raw("next", &number(self.next()))
            .plain("asking", self.whole("announce_state") == ACTIVE)
            .finish()
    }
}
