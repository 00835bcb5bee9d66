//! The torrents that take part in the DHT, and when each is looked up and announced again. Those
//! that have no peers yet go first, and soon again.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Duration, InfoHash, NodeId, Rng, Time, limits, sooner};
use crate::wire::Family;
use crate::wire::krpc::{NodeInfo, nodes, pack_node};

/// How a torrent takes part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    /// The port that its peers may dial; `None`: none is open, and it is not announced.
    pub port: Option<u16>,
    /// The port is the one that our datagrams come from, as far as we know: a node that stores us
    /// should take the port that it sees.
    pub implied: bool,
    /// It has no peers: it is urgent.
    pub is_urgent: bool,
}

/// What came of a lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome<'a> {
    /// A node answered.
    pub answered: bool,
    /// So few did that they may know nobody else.
    pub few: bool,
    /// The nodes that answered nearest to the info hash: the next lookup begins with them.
    pub nodes: &'a [NodeInfo],
}

/// All torrents.
#[derive(Debug, Default)]
pub struct Wanted {
    torrents: BTreeMap<InfoHash, Torrent>,
    /// Which are to be looked up, of each family: urgent ones first, then by time.
    due: [BTreeSet<(bool, Time, InfoHash)>; 2],
    /// Lookups that began, of each family.
    begun: [u32; 2],
}

#[derive(Debug)]
struct Torrent {
    want: Want,
    courses: [Course; 2],
}

/// The lookups of one torrent in one family.
#[derive(Clone, Debug, Default)]
struct Course {
    /// When the next one begins; `None`: one is under way.
    due: Option<Time>,
    ended: Time,
    /// Lookups in a row that did not help.
    failures: u32,
    /// Few nodes answered in the last one.
    few: bool,
    /// Compact node info of the nodes nearest to the info hash.
    nodes: Box<[u8]>,
    /// Nodes that have taken an announce lately: the front of their ids, and when.
    told: Box<[([u8; 8], Time)]>,
}

impl Wanted {
    /// A torrent takes part from now on, or takes part in another way.
    pub fn insert(&mut self, info_hash: InfoHash, want: Want, now: Time) {
        let torrent = self.torrents.get(&info_hash);
        let was_urgent = torrent.map(|torrent| torrent.want.is_urgent);
        let mut courses = match torrent {
            Some(torrent) => torrent.courses.clone(),
            None => [(); 2].map(|()| Course {
                due: Some(now),
                ..Course::default()
            }),
        };
        let moved = torrent.is_some_and(|torrent| torrent.want.port != want.port);
        for course in &mut courses {
            if moved {
                course.told = Box::default();
            }
            let again = match (was_urgent, want.is_urgent) {
                (Some(false), true) => {
                    course.failures += 1;
                    course.ended + backoff(course.failures - 1)
                }
                (Some(true), false) if course.failures > 0 => {
                    course.failures = 0;
                    course.ended + limits::DHT_ANNOUNCE
                }
                _ => continue,
            };
            course.due = course.due.map(|_| again.max(now));
        }
        self.remove(info_hash);
        for (course, due) in courses.iter().zip(&mut self.due) {
            due.extend(course.due.map(|at| (!want.is_urgent, at, info_hash)));
        }
        self.torrents.insert(info_hash, Torrent { want, courses });
    }

    /// A torrent takes no part any more.
    pub fn remove(&mut self, info_hash: InfoHash) {
        let Some(torrent) = self.torrents.remove(&info_hash) else {
            return;
        };
        for (course, due) in torrent.courses.iter().zip(&mut self.due) {
            if let Some(at) = course.due {
                due.remove(&(!torrent.want.is_urgent, at, info_hash));
            }
        }
    }

    /// How this torrent takes part, if it does.
    pub fn get(&self, info_hash: InfoHash) -> Option<Want> {
        self.torrents.get(&info_hash).map(|torrent| torrent.want)
    }

    /// The next torrent to look up now: mostly an urgent one, but the others have turns, too. Its
    /// lookup counts as under way.
    pub fn begin_lookup(&mut self, family: Family, now: Time) -> Option<InfoHash> {
        let due = &mut self.due[family.index()];
        let begun = &mut self.begun[family.index()];
        let fair = (*begun + 1) % limits::DHT_FAIR == 0;
        let first = [fair, !fair]
            .into_iter()
            .find_map(|later| first(due, later).filter(|(_, at, _)| *at <= now))?;
        *begun = begun.wrapping_add(1);
        due.remove(&first);
        let info_hash = first.2;
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            torrent.courses[family.index()].due = None;
        }
        Some(info_hash)
    }

    /// The nodes that were nearest to this torrent the last time.
    pub fn nodes(&self, info_hash: InfoHash, family: Family) -> Vec<NodeInfo> {
        let torrent = self.torrents.get(&info_hash);
        let list = torrent.map(|torrent| &*torrent.courses[family.index()].nodes);
        nodes(list.unwrap_or_default(), family).collect()
    }

    /// A node has taken the announce of a torrent.
    pub fn on_announced(&mut self, info_hash: InfoHash, family: Family, node: NodeId, now: Time) {
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            let told = &mut torrent.courses[family.index()].told;
            let is_other = |(id, at): &&([u8; 8], Time)| *id != front(node) && is_fresh(*at, now);
            let mut list: Vec<([u8; 8], Time)> = told.iter().filter(is_other).copied().collect();
            if list.len() >= limits::DHT_TOLD {
                list.remove(0);
            }
            list.push((front(node), now));
            *told = list.into();
        }
    }

    /// Whether a torrent is to be announced to this node: it has not taken an announce lately.
    pub fn is_news(&self, info_hash: InfoHash, family: Family, node: NodeId, now: Time) -> bool {
        let torrent = self.torrents.get(&info_hash);
        let told = torrent.map_or(&[][..], |torrent| &torrent.courses[family.index()].told);
        let knows = |&(id, at): &([u8; 8], Time)| id == front(node) && is_fresh(at, now);
        !told.iter().any(knows)
    }

    /// A lookup is over: the next one is due when it is time to announce again, or sooner if nobody
    /// answered or the torrent still has no peers, but later each time.
    pub fn end(
        &mut self,
        info_hash: InfoHash,
        family: Family,
        outcome: Outcome<'_>,
        rng: &mut Rng,
        now: Time,
    ) {
        let Some(torrent) = self.torrents.get_mut(&info_hash) else {
            return;
        };
        let is_urgent = torrent.want.is_urgent;
        let course = &mut torrent.courses[family.index()];
        if let Some(due) = course.due.take() {
            self.due[family.index()].remove(&(!is_urgent, due, info_hash));
        }
        let span = if outcome.answered && !is_urgent {
            course.failures = 0;
            // A random part of the time spreads torrents that began together.
            let early = limits::DHT_ANNOUNCE / 15;
            limits::DHT_ANNOUNCE - Duration::from_millis(rng.below(early.as_millis() as u64))
        } else {
            course.failures += 1;
            backoff(course.failures - 1)
        };
        if outcome.answered {
            let mut list = Vec::new();
            outcome
                .nodes
                .iter()
                .for_each(|node| pack_node(node, &mut list));
            course.nodes = list.into();
        }
        course.few = outcome.few;
        course.ended = now;
        course.due = Some(now + span);
        self.due[family.index()].insert((!is_urgent, now + span, info_hash));
    }

    /// Begins again the lookups that did not help, or in which few nodes answered, since another
    /// node of this family is known by now. Where it is the only one, which may come and go, those
    /// that it could not help are not asked each time.
    pub fn hurry(&mut self, family: Family, is_alone: bool, now: Time) {
        let due = &mut self.due[family.index()];
        for (info_hash, torrent) in &mut self.torrents {
            let course = &mut torrent.courses[family.index()];
            if let Some(at) = course.due.filter(|_| course.failures > 0 || course.few) {
                let rests = is_alone && course.failures == 0;
                let again = if rests {
                    now.max(course.ended + limits::DHT_ANNOUNCE / 8)
                } else {
                    now
                };
                due.remove(&(!torrent.want.is_urgent, at, *info_hash));
                due.insert((!torrent.want.is_urgent, at.min(again), *info_hash));
                course.due = Some(at.min(again));
            }
        }
    }

    /// When a lookup in this family is to begin.
    pub fn next_deadline(&self, family: Family) -> Option<Time> {
        let due = &self.due[family.index()];
        let at = |later| first(due, later).map(|(_, at, _)| at);
        sooner(at(false), at(true))
    }
}

fn first(due: &BTreeSet<(bool, Time, InfoHash)>, later: bool) -> Option<(bool, Time, InfoHash)> {
    let least = (later, Time::default(), InfoHash([0; 20]));
    let first = due.range(least..).next().copied();
    first.filter(|(class, ..)| *class == later)
}

fn front(node: NodeId) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = node.0;
    [a, b, c, d, e, f, g, h]
}

fn is_fresh(told: Time, now: Time) -> bool {
    now.since(told) < limits::DHT_ANNOUNCE_AGAIN
}

/// How long to wait after so many lookups in vain.
pub fn backoff(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.min(20)).unwrap_or(u32::MAX);
    (limits::DHT_AGAIN * factor).min(limits::DHT_ANNOUNCE)
}

#[cfg(test)]
#[path = "tests/wanted.rs"]
mod tests;
