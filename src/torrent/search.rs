//! Why a download has no peer, in words for its user, and when to report it; and how long there has
//! been no progress, for `--timeout`.

use std::net::SocketAddr;

use super::metadata::Reached;
use crate::base::{Duration, SortedMap, SortedSet, Time, limits, plain, sooner};
use crate::wire::Family;

/// What is known of the search for peers, to explain why there is none.
#[derive(Debug)]
pub struct Explanation {
    /// Trackers that are asked, by URL, and how many peers each named last. `None`: it has neither
    /// answered nor failed.
    trackers: Vec<(String, Option<Result<usize, String>>)>,
    /// Peers are looked up in the DHT.
    pub dht: bool,
    /// Nodes that answered in the last lookup in the DHT of each family, and the peers that they
    /// named.
    looked: [Option<(usize, usize)>; 2],
    /// Both families are asked.
    looks_in_both: bool,
    /// Peers that the user named.
    named: SortedSet<SocketAddr>,
    /// Why dials failed since a peer was connected last, and how many.
    failed: SortedMap<String, usize>,
    /// The moment since which no peer is connected.
    alone: Option<Time>,
    /// Blocks of the metadata that have come, and since when no more have, while peers are
    /// connected that could send some.
    stuck: Option<(u32, Time)>,
    /// When the user was told last, and after how long again.
    told: Option<(Time, Duration)>,
    /// Bytes that count as progress, and when they grew last.
    moved: u64,
    moved_at: Time,
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
    pub fn new(tiers: &[Vec<String>], dht: bool, now: Time) -> Explanation {
        let urls: SortedSet<&str> = tiers.iter().flatten().map(|url| url.trim()).collect();
        let urls = urls.into_iter().take(limits::TRACKERS);
        Explanation {
            trackers: urls.map(|url| (url.to_owned(), None)).collect(),
            dht,
            looked: [None; 2],
            looks_in_both: false,
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

    /// A lookup over one family ended: so many nodes of the DHT answered, and named so many peers.
    /// `both`: the other family is asked, too.
    pub fn on_lookup(&mut self, family: Family, found: (usize, usize), both: bool) {
        self.looked[family.index()] = Some(found);
        self.looks_in_both = both;
    }

    /// Nodes that answered in the last lookups, and the peers that they named; `None`: no node has
    /// answered, and a first lookup goes on.
    #[inline(never)]
    pub fn looked(&self) -> Option<(usize, usize)> {
        let [v4, v6] = self.looked.map(Option::unwrap_or_default);
        let (nodes, peers) = (v4.0 + v6.0, v4.1 + v6.1);
        let goes_on = match self.looked {
            [None, None] => true,
            [Some(_), Some(_)] => false,
            _ => self.looks_in_both,
        };
        (nodes > 0 || !goes_on).then_some((nodes, peers))
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
    pub fn set_alone(&mut self, alone: bool, now: Time) {
        if !alone {
            self.alone = None;
            self.failed.clear();
        } else if self.alone.is_none() {
            self.alone = Some(now);
        }
    }

    /// How many blocks of the metadata have come from peers that are connected; `None`: there are
    /// none, or the metadata are there.
    pub fn set_fetched(&mut self, blocks: Option<u32>, now: Time) {
        let before = self.stuck.filter(|(before, _)| Some(*before) == blocks);
        self.stuck = before.or(blocks.map(|blocks| (blocks, now)));
    }

    /// When the user is to be told: soon, after a minute more, which late answers may have taken,
    /// and then rarely. `idle`: neither trackers nor peers are being tried.
    pub fn tell_at(&self, idle: bool) -> Option<Time> {
        let wait = if idle && (!self.dht || self.looked().is_some()) {
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
    pub fn tells(&mut self, idle: bool, now: Time) -> bool {
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
    pub fn on_moved(&mut self, bytes: u64, now: Time) -> Time {
        if bytes != self.moved {
            (self.moved, self.moved_at) = (bytes, now);
        }
        self.moved_at
    }

    /// Time counts from now on.
    pub fn restart(&mut self, now: Time) {
        self.moved_at = now;
    }

    /// When so much time will have passed without progress.
    pub fn patient_until(&self, patience: Duration) -> Time {
        self.moved_at + patience
    }

    /// That no peer is connected, and why.
    pub fn words(&self, dials: Dials) -> String {
        format!("no peer is connected: {}", self.why(dials))
    }

    /// Why no peer is connected.
    pub fn why(&self, to_come: Dials) -> String {
        let mut words = self.tracker_words();
        let looked = self.looked();
        match looked {
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
        if self.trackers.is_empty() && looked.unwrap_or_default().0 == 0 {
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
mod tests;
