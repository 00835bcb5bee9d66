//! Why a download has no peer, in words for its user, and when to report it; and how long there has
//! been no progress, for `--timeout`.

use std::net::SocketAddr;

use super::metadata::Reached;
use crate::base::{Duration, Now, SortedMap, SortedSet, limits, plain, sooner};

/// What is known of the search for peers, to explain why there is none.
#[derive(Debug)]
pub struct Explanation {
    /// Trackers that are asked, by URL, and how many peers each named last. `None`: it has neither
    /// answered nor failed.
    trackers: Vec<(String, Option<Result<usize, String>>)>,
    /// Peers are looked up in the DHT.
    pub dht: bool,
    /// Nodes that answered in the last lookup in the DHT, and the peers that they named.
    pub looked: Option<(usize, usize)>,
    /// Peers that the user named.
    named: SortedSet<SocketAddr>,
    /// Why dials failed since a peer was connected last, and how many.
    failed: SortedMap<String, usize>,
    /// The moment since which no peer is connected.
    alone: Option<Now>,
    /// Blocks of the metadata that have come, and since when no more have, while peers are
    /// connected that could send some.
    stuck: Option<(u32, Now)>,
    /// When the user was told last, and after how long again.
    told: Option<(Now, Duration)>,
    /// Bytes that count as progress, and when they grew last.
    moved: u64,
    moved_at: Now,
}

/// Dials of peers that have come to nothing yet.
#[derive(Clone, Copy, Default, Debug)]
pub struct Dials {
    /// Those that are being made.
    pub under_way: usize,
    /// Addresses that are to be dialed.
    pub waiting: usize,
}

/// What is said where metadata do not come: links seldom tell that a torrent is private.
const PRIVATE: &str = "if it is a private torrent, clients do not give it: get its .torrent";

impl Explanation {
    /// A search that has not begun, with these trackers. `dht`: the DHT is asked, too.
    pub fn new(tiers: &[Vec<String>], dht: bool, now: Now) -> Explanation {
        let urls: SortedSet<&str> = tiers.iter().flatten().map(|url| url.trim()).collect();
        let urls = urls.into_iter().take(limits::TRACKERS);
        Explanation {
            trackers: urls.map(|url| (url.to_owned(), None)).collect(),
            dht,
            looked: None,
            named: SortedSet::new(),
            failed: SortedMap::new(),
            alone: None,
            stuck: None,
            told: None,
            moved: 0,
            moved_at: now,
        }
    }

    /// These trackers are asked, too.
    pub fn add_trackers(&mut self, tiers: &[Vec<String>]) {
        for url in tiers.iter().flatten().map(|url| url.trim()) {
            let known = self.trackers.iter().any(|(known, _)| known == url);
            if !known && self.trackers.len() < limits::TRACKERS {
                self.trackers.push((url.to_owned(), None));
            }
        }
    }

    /// A tracker answered and named this many peers, or failed.
    pub fn on_tracker(&mut self, url: &str, outcome: Result<usize, String>) {
        let known = self.trackers.iter_mut().find(|(known, _)| known == url);
        if let Some((_, known)) = known {
            *known = Some(outcome);
        }
    }

    /// A lookup ended: `nodes` of the DHT answered, and named `peers`.
    pub fn on_lookup(&mut self, nodes: usize, peers: usize) {
        self.looked = Some((nodes, peers));
    }

    /// The user named these peers.
    pub fn add_named(&mut self, addrs: &[SocketAddr]) {
        self.named.extend(addrs.iter().copied().map(plain));
    }

    /// Whether the user named this peer.
    pub fn is_named(&self, addr: SocketAddr) -> bool {
        self.named.contains(&plain(addr))
    }

    /// A dial failed.
    pub fn on_failed(&mut self, why: &str) {
        let full = self.failed.len() >= limits::ALONE_REASONS && !self.failed.contains_key(why);
        let why = if full { "other reasons" } else { why };
        *self
            .failed
            .get_or_insert_with(why.to_owned(), Default::default) += 1;
    }

    /// Whether a download is without a peer now.
    pub fn set_alone(&mut self, alone: bool, now: Now) {
        if !alone {
            self.alone = None;
            self.failed.clear();
        } else if self.alone.is_none() {
            self.alone = Some(now);
        }
    }

    /// How many blocks of the metadata have come from peers that are connected; `None`: there are
    /// none, or the metadata are there.
    pub fn set_fetched(&mut self, blocks: Option<u32>, now: Now) {
        let before = self.stuck.filter(|(before, _)| Some(*before) == blocks);
        self.stuck = before.or(blocks.map(|blocks| (blocks, now)));
    }

    /// When the user is to be told: soon, after a minute more, which late answers may have taken,
    /// and then rarely. `idle`: neither trackers nor peers are being tried.
    pub fn tell_at(&self, idle: bool) -> Option<Now> {
        let wait = if idle && (!self.dht || self.looked.is_some()) {
            limits::TRACKER_HURRY
        } else {
            limits::ALONE
        };
        let alone = self.alone.map(|alone| alone + wait);
        let stuck = self.stuck.map(|(_, since)| since + limits::METADATA_STUCK);
        let due = sooner(alone, stuck)?;
        Some(match self.told {
            Some((told, wait)) => due.max(told + wait),
            None => due,
        })
    }

    /// Whether to tell now, see [`Explanation::words`] and [`Explanation::fetch_words`].
    pub fn tells(&mut self, idle: bool, now: Now) -> bool {
        let due = self.tell_at(idle).is_some_and(|at| at <= now);
        if due {
            let wait = match self.told {
                None => limits::ALONE_SECOND,
                Some(_) => limits::ALONE_AGAIN,
            };
            self.told = Some((now, wait));
        }
        due
    }

    /// Why the metadata do not come though so many peers are connected.
    pub fn fetch_words(reached: Reached, peers: usize) -> String {
        let Reached {
            peers: with_it,
            refusing,
            blocks: (blocks, all),
        } = reached;
        let why = match with_it {
            0 => format!("none of them has it yet; {PRIVATE}"),
            _ if refusing == with_it => {
                format!("of {with_it} that have it all refuse to send it; {PRIVATE}")
            }
            _ => format!("{with_it} have it, {refusing} refuse, blocks: {blocks} of {all}"),
        };
        format!("the torrent itself does not come: peers connected: {peers}, {why}")
    }

    /// Notes how many bytes have moved in all; since when there were no more.
    pub fn on_moved(&mut self, bytes: u64, now: Now) -> Now {
        if bytes != self.moved {
            (self.moved, self.moved_at) = (bytes, now);
        }
        self.moved_at
    }

    /// Time counts from now on.
    pub fn restart(&mut self, now: Now) {
        self.moved_at = now;
    }

    /// When so much time will have passed without progress.
    pub fn patient_until(&self, patience: Duration) -> Now {
        self.moved_at + patience
    }

    /// That no peer is connected, and why.
    pub fn words(&self, dials: Dials) -> String {
        format!("no peer is connected: {}", self.why(dials))
    }

    /// Why no peer is connected.
    pub fn why(&self, to_come: Dials) -> String {
        let mut words = self.tracker_words();
        match self.looked {
            _ if !self.dht => {}
            None => words += "; DHT: the first lookup goes on",
            Some((0, _)) => words += "; DHT: no node answers",
            Some((nodes, peers)) => {
                words += &format!("; DHT: nodes: {nodes}, peers: {peers}");
            }
        }
        let mut dials: Vec<String> = self
            .failed
            .iter()
            .map(|(why, count)| format!("{count} failed ({why})"))
            .collect();
        let Dials { under_way, waiting } = to_come;
        if under_way > 0 {
            dials.push(format!("{under_way} not answered yet"));
        }
        if waiting > 0 {
            dials.push(format!("{waiting} to come"));
        }
        if !dials.is_empty() {
            words += &format!("; dials of peers: {}", dials.join(", "));
        }
        let nodes = self.looked.map_or(0, |(nodes, _)| nodes);
        if self.trackers.is_empty() && nodes == 0 {
            words += "; name a peer with --peer HOST:PORT";
        }
        words
    }

    fn tracker_words(&self) -> String {
        let count = |of: fn(&Option<Result<usize, String>>) -> bool| {
            self.trackers
                .iter()
                .filter(|(_, outcome)| of(outcome))
                .count()
        };
        let failed = count(|outcome| matches!(outcome, Some(Err(_))));
        let silent = count(Option::is_none);
        let empty = count(|outcome| matches!(outcome, Some(Ok(0))));
        let all = self.trackers.len();
        let useful = all - failed - silent - empty;
        let of = match all {
            0 => return String::from("no tracker is asked"),
            1 => String::from("its tracker"),
            _ if failed == all => format!("all {all} trackers"),
            _ => format!("of {all} trackers"),
        };
        let why = |(url, outcome): &(String, Option<Result<usize, String>>)| match outcome {
            Some(Err(why)) => Some(format!("{url}: {why}")),
            _ => None,
        };
        let example = self.trackers.iter().find_map(why).unwrap_or_default();
        let parts = [
            (failed, format!("failed ({example})")),
            (silent, String::from("silent so far")),
            (empty, String::from("without a peer")),
            (useful, String::from("with peers")),
        ];
        let parts = parts.into_iter().filter(|(count, _)| *count > 0);
        let one = all == 1 || failed == all;
        let parts = parts.map(|(count, what)| match (one, what) {
            (true, what) if silent + empty + useful > 0 => format!("is {what}"),
            (true, what) => what,
            (false, what) => format!("{count} {what}"),
        });
        format!("{of} {}", parts.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALS: Dials = Dials {
        under_way: 1,
        waiting: 3,
    };

    fn at(secs: u64) -> Now {
        Now::default() + Duration::from_secs(secs)
    }

    fn search(outcomes: &[Option<Result<usize, &str>>]) -> Explanation {
        let urls = (0..outcomes.len()).map(|n| format!("udp://t{n}"));
        let urls: Vec<String> = urls.collect();
        let mut search = Explanation::new(std::slice::from_ref(&urls), false, at(0));
        for (url, outcome) in urls.iter().zip(outcomes) {
            if let Some(outcome) = outcome {
                search.on_tracker(url, outcome.map_err(str::to_owned));
            }
        }
        search
    }

    #[test]
    fn the_reasons_are_named() {
        let no = Some(Err("no answer"));
        for (outcomes, words) in [
            (
                &[][..],
                "no tracker is asked; name a peer with --peer HOST:PORT",
            ),
            (&[no], "its tracker failed (udp://t0: no answer)"),
            (&[None], "its tracker is silent so far"),
            (&[Some(Ok(0))], "its tracker is without a peer"),
            (&[no, no], "all 2 trackers failed (udp://t0: no answer)"),
            (
                &[Some(Ok(0)), no, None, Some(Ok(2)), no],
                "of 5 trackers 2 failed (udp://t1: no answer), 1 silent so far, \
                 1 without a peer, 1 with peers",
            ),
        ] {
            let expected = format!("no peer is connected: {words}");
            assert_eq!(search(outcomes).words(Dials::default()), expected);
        }
        let mut search = search(&[Some(Ok(3))]);
        search.on_failed("it refused the connection");
        search.on_failed("it refused the connection");
        search.dht = true;
        search.on_lookup(8, 2);
        assert_eq!(
            search.words(DIALS),
            "no peer is connected: its tracker is with peers; \
             DHT: nodes: 8, peers: 2; dials of peers: 2 failed (it refused the connection), 1 not answered yet, 3 to come"
        );
        search.on_lookup(0, 0);
        assert!(
            search
                .words(Dials::default())
                .contains("; DHT: no node answers; dials")
        );
        for number in 0..1000 {
            search.on_failed(&number.to_string());
        }
        assert_eq!(search.failed.len(), limits::ALONE_REASONS + 1);
    }

    #[test]
    fn it_is_said_within_seconds_and_then_rarely() {
        let mut search = search(&[None]);
        assert_eq!(search.tell_at(true), None, "not before it is alone");
        search.set_alone(true, at(100));
        assert_eq!(search.tell_at(true), Some(at(100) + limits::TRACKER_HURRY));
        assert_eq!(search.tell_at(false), Some(at(100) + limits::ALONE));
        assert!(limits::ALONE < Duration::from_secs(10));
        let mut told = Vec::new();
        for secs in 100..100 + 3600 {
            // A peer comes and goes, now and then.
            search.set_alone(secs % 100 != 0, at(secs));
            told.extend(search.tells(false, at(secs)).then_some(secs));
        }
        assert_eq!(told.len(), 7, "{told:?}");
        assert!(told[1] - told[0] >= limits::ALONE_SECOND.as_secs());
        let again = limits::ALONE_AGAIN.as_secs();
        let rarely = |told: &[u64]| told.windows(2).all(|two| two[1] - two[0] >= again);
        assert!(rarely(&told[1..]), "{told:?}");
    }

    /// A link without trackers: nothing was said for ten minutes when no node answered.
    #[test]
    fn a_search_by_the_dht_alone_is_explained_once_it_has_ended_and_after_a_minute() {
        let mut search = Explanation::new(&[], true, at(0));
        search.set_alone(true, at(0));
        let early = Some(at(0) + limits::ALONE);
        assert_eq!(search.tell_at(true), early, "a lookup goes on");
        assert!(search.tells(true, at(8)));
        let start = "no peer is connected: no tracker is asked; DHT: ";
        let advice = "; name a peer with --peer HOST:PORT";
        let expected = format!("{start}the first lookup goes on{advice}");
        assert_eq!(search.words(Dials::default()), expected);
        search.on_lookup(0, 0);
        assert_eq!(search.tell_at(true), Some(at(68)));
        assert_eq!(
            search.words(Dials::default()),
            format!("{start}no node answers{advice}")
        );
        search.on_lookup(20, 0);
        assert_eq!(
            search.words(Dials::default()),
            format!("{start}nodes: 20, peers: 0")
        );
    }

    #[test]
    fn metadata_that_do_not_come_are_explained_after_a_minute_and_then_rarely() {
        let mut search = search(&[]);
        let stuck = limits::METADATA_STUCK.as_secs();
        let mut told = Vec::new();
        for secs in 0..3600 {
            // A block comes early on, and once more after half an hour.
            let blocks = u32::from(secs >= 30) + u32::from(secs >= 1800);
            search.set_fetched(Some(blocks), at(secs));
            told.extend(search.tells(false, at(secs)).then_some(secs));
        }
        assert_eq!(told.first(), Some(&(30 + stuck)));
        let again = limits::ALONE_AGAIN.as_secs();
        let rarely = |told: &[u64]| told.windows(2).all(|two| two[1] - two[0] >= again);
        assert!(rarely(&told[1..]), "{told:?}");
        search.set_fetched(None, at(5000));
        assert_eq!(search.tell_at(false), None);
        let words = |peers, refusing| {
            let blocks = (1, 6);
            Explanation::fetch_words(
                Reached {
                    peers,
                    refusing,
                    blocks,
                },
                3,
            )
        };
        let start = "the torrent itself does not come: peers connected: 3, ";
        let hint = "; if it is a private torrent, clients do not give it: get its .torrent";
        assert_eq!(words(0, 0), format!("{start}none of them has it yet{hint}"));
        assert_eq!(
            words(2, 2),
            format!("{start}of 2 that have it all refuse to send it{hint}")
        );
        assert_eq!(
            words(2, 1),
            format!("{start}2 have it, 1 refuse, blocks: 1 of 6")
        );
    }

    #[test]
    fn time_without_progress_counts_from_the_last_byte() {
        let mut search = search(&[]);
        search.restart(at(10));
        assert_eq!(search.on_moved(0, at(20)), at(10));
        assert_eq!(search.on_moved(1, at(30)), at(30));
        assert_eq!(search.on_moved(1, at(90)), at(30));
        assert_eq!(search.patient_until(Duration::from_secs(60)), at(90));
    }
}
