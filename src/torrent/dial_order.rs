//! The order in which the addresses of a torrent are dialed, which is also the order in which they
//! are kept where room is short: what would be dialed last is forgotten first.
//!
//! An address that was never tried stands in the line of its source. In a line those who named
//! addresses take turns: each has one address in each round, so that the second address of one
//! comes after the first of every other, however many that has named before and however late it
//! came. The lines, and the addresses that were tried and are due again, take turns, too; trackers
//! have two turns. Only what the user named comes before all others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::source::{Namer, Source};
use crate::base::{SortedMap, SortedSet, Time, sooner};

/// Where an address stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Line {
    /// The user named it.
    User,
    /// Not tried yet, of a tracker or a link.
    Tracker,
    /// Not tried yet, of the local network.
    Local,
    /// Not tried yet, of a node of the DHT.
    Dht,
    /// Not tried yet, of another peer.
    Exchange,
    /// To be dialed again: a connection to it has been of use.
    Useful,
    /// To be dialed again: it never was of use, and somebody named it whom the user has chosen, or
    /// it itself.
    Failed,
    /// The same of those that only nodes or peers named.
    Doubtful,
}

/// The lines whose addresses are not tried yet.
const UNTRIED: [Line; 4] = [Line::Tracker, Line::Local, Line::Dht, Line::Exchange];

/// Whose turn it is, one after the other. Of addresses that were tried, those that were of use come
/// first.
const TURNS: [&[Line]; 6] = [
    &[Line::Tracker],
    &[Line::Local],
    &[Line::Dht],
    &[Line::Tracker],
    &[Line::Useful, Line::Failed, Line::Doubtful],
    &[Line::Exchange],
];

/// How an address that was tried before is to be dialed again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Again {
    /// Who named it.
    pub by: Namer,
    /// A connection to it has been of use.
    pub worked: bool,
    /// When.
    pub at: Time,
}

/// The place of an address in the order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DialPlace {
    line: Line,
    /// The round; of those that were tried, and of the user's, the moment when it is due.
    number: u64,
    /// Decides between those of one round or moment.
    tie: u32,
}

/// The addresses of a torrent that wait to be dialed.
#[derive(Debug, Default)]
pub struct DialOrder {
    waiting: SortedSet<(DialPlace, SocketAddr)>,
    /// How many addresses of each namer were not tried yet, and the round after its last one.
    namers: SortedMap<Namer, (u32, u64)>,
    /// The next of [`TURNS`].
    turn: u8,
}

/// No address is less.
const LEAST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl DialPlace {
    /// Whether the address was not tried yet, nor kept back for a while.
    pub fn is_untried(&self) -> bool {
        is_untried(self.line)
    }

    /// When it is due; what was not tried yet is due at once.
    pub fn due_at(&self) -> Time {
        if self.is_untried() {
            Time::default()
        } else {
            Time::from_micros(self.number)
        }
    }
}

impl DialOrder {
    /// The place that a new address of this namer would have.
    pub fn place_of(&self, by: Namer, tie: u32, now: Time) -> DialPlace {
        let line = line(by.source);
        if !is_untried(line) {
            let number = now.as_micros();
            return DialPlace { line, number, tie };
        }
        let next = self.namers.get(&by).map(|&(_, next)| next);
        let number = next.unwrap_or(0).max(self.round(line));
        // The first address of a namer comes before further ones of others in its round.
        let tie = (tie >> 1) | (u32::from(next.is_some()) << 31);
        DialPlace { line, number, tie }
    }

    /// The place of an address that is dialed again.
    pub fn place_again(&self, again: Again, tie: u32) -> DialPlace {
        let line = match (again.by.source, again.worked) {
            (Source::User, _) => Line::User,
            (_, true) => Line::Useful,
            (Source::Dht | Source::Exchange, false) => Line::Doubtful,
            _ => Line::Failed,
        };
        let number = again.at.as_micros();
        DialPlace { line, number, tie }
    }

    /// An address of this namer waits at a place.
    pub fn insert(&mut self, addr: SocketAddr, by: Namer, place: DialPlace) {
        if is_untried(place.line) {
            let (count, next) = self.namers.get_or_insert_with(by, || (0, 0));
            *count += 1;
            *next = (*next).max(place.number + 1);
        }
        self.waiting.insert((place, addr));
    }

    /// It does not wait any more.
    pub fn remove(&mut self, addr: SocketAddr, by: Namer, place: DialPlace) {
        self.waiting.remove(&(place, addr));
        if !is_untried(place.line) {
            return;
        }
        if let Some((count, next)) = self.namers.get_mut(&by) {
            *count -= 1;
            *next -= u64::from(*next == place.number + 1);
            if *count == 0 {
                self.namers.remove(&by);
            }
        }
    }

    /// The address to dial now.
    pub fn peek(&self, now: Time) -> Option<SocketAddr> {
        self.next(now).map(|(_, addr)| addr)
    }

    /// Takes the turn of that address; it is to be removed.
    pub fn take_turn(&mut self, now: Time) -> Option<SocketAddr> {
        let (turn, addr) = self.next(now)?;
        if let Some(turn) = turn {
            self.turn = ((turn + 1) % TURNS.len()) as u8;
        }
        Some(addr)
    }

    /// The address to dial now, and whose turn it is; the user's needs none.
    fn next(&self, now: Time) -> Option<(Option<usize>, SocketAddr)> {
        let due = |line: Line| self.first(line).filter(|(place, _)| place.due_at() <= now);
        if let Some((_, addr)) = due(Line::User) {
            return Some((None, addr));
        }
        let first = usize::from(self.turn);
        let mut turns = (first..first + TURNS.len()).map(|turn| turn % TURNS.len());
        turns.find_map(|turn| {
            let (_, addr) = TURNS[turn].iter().copied().find_map(due)?;
            Some((Some(turn), addr))
        })
    }

    /// When an address is due.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.waiting.is_empty() {
            return None;
        }
        let lines = TURNS.iter().copied().flatten().copied();
        let firsts = lines.chain([Line::User]).map(|line| self.first(line));
        let due = firsts.map(|first| first.map(|(place, _)| place.due_at()));
        due.fold(None, sooner)
    }

    /// The least promising address, which is forgotten where room is short: one that failed and was
    /// never of use, of nodes and peers before others; then, of those not tried yet, the one whose
    /// turn is most rounds away, with `newcomer` among them; then one that was of use. `None`: it
    /// is the newcomer.
    pub fn last(&self, newcomer: Option<DialPlace>) -> Option<SocketAddr> {
        let end = |line| self.last_of(line).map(|(_, addr)| addr);
        if let Some(failed) = end(Line::Doubtful).or_else(|| end(Line::Failed)) {
            return Some(failed);
        }
        let all = UNTRIED.iter().filter_map(|&line| self.last_of(line));
        let ahead = |place: &DialPlace| {
            let rounds = place.number.saturating_sub(self.round(place.line));
            (rounds, place.line)
        };
        match all.max_by_key(|(place, _)| ahead(place)) {
            Some((place, addr)) => {
                let is_last = newcomer.is_some_and(|newcomer| ahead(&newcomer) >= ahead(&place));
                (!is_last).then_some(addr)
            }
            None => end(Line::Useful),
        }
    }

    /// The round that a line of what was not tried yet has come to.
    fn round(&self, line: Line) -> u64 {
        self.first(line).map_or(0, |(place, _)| place.number)
    }

    fn first(&self, line: Line) -> Option<(DialPlace, SocketAddr)> {
        self.in_line(line).next().copied()
    }

    fn last_of(&self, line: Line) -> Option<(DialPlace, SocketAddr)> {
        self.in_line(line).next_back().copied()
    }

    fn in_line(&self, line: Line) -> impl DoubleEndedIterator<Item = &(DialPlace, SocketAddr)> {
        let end = |number, tie| (DialPlace { line, number, tie }, LEAST);
        self.waiting.range(end(0, 0)..end(u64::MAX, u32::MAX))
    }
}

/// The line of what this source names.
fn line(source: Source) -> Line {
    match source {
        Source::User => Line::User,
        Source::Link | Source::Tracker => Line::Tracker,
        Source::Local => Line::Local,
        Source::Dht => Line::Dht,
        Source::Exchange => Line::Exchange,
    }
}

fn is_untried(line: Line) -> bool {
    UNTRIED.contains(&line)
}
