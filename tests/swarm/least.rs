//! The least time in which all clients of a swarm could have everything: no swarm, however clever
//! and all-knowing, could undercut it.
//!
//! Content is taken for a fluid of which everybody who is there has all there is to give, from the
//! first moment on. Time is cut where somebody comes or goes or the network changes. In each
//! stretch everybody present can send and receive at most what his links carry, and nothing flows
//! between two who cannot reach each other (both behind NAT, or in different parts of the network).
//! A time is enough if so much can flow that each client has everything within it, counted from its
//! own coming: that is a flow in a network, and the least time is found by halving. Besides, nobody
//! can have everything before the seeds have sent everything once, to where he is.

use brooklet::base::{Duration, Time};

use crate::flow::Flow;
use crate::world::node::{Node, Role};
use crate::world::world::World;

/// Past every run, in milliseconds.
const NEVER: u64 = 1 << 40;

/// Those who are alike in all that counts here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Behind NAT; in the other part of the network.
    place: (bool, bool),
    joins: u64,
    absent: Vec<(u64, u64)>,
    /// How long it sends.
    until: Until,
    /// It has content that nobody else gave it.
    source: bool,
    down: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Until {
    /// A client: so long after it has everything.
    Done(u64),
    /// Somebody else: this moment.
    Time(u64),
}

/// Members of one kind: how many, and bytes a second that they send in all.
struct Group {
    kind: Kind,
    count: u64,
    up: u64,
}

/// A swarm, as far as it counts here. Times are in milliseconds, rates in bytes a second.
struct Swarm {
    groups: Vec<Group>,
    parted: Option<(u64, u64)>,
    size: u64,
}

/// The least time of this swarm; `parted`: from when to when, in seconds, its network is in two
/// parts.
pub fn least(world: &World, parted: Option<(u64, u64)>) -> Duration {
    let swarm = Swarm::new(world, parted);
    let mut enough = 1000;
    while !swarm.suffices(enough) {
        enough *= 2;
        assert!(enough < NEVER, "no time is enough");
    }
    let mut short = enough / 2;
    while enough - short > 1 + short / 500 {
        let middle = short + (enough - short) / 2;
        if swarm.suffices(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Duration::from_millis(short.max(swarm.freshly()))
}

impl Swarm {
    fn new(world: &World, parted: Option<(u64, u64)>) -> Swarm {
        let parted = parted.map(|(from, to)| (from * 1000, to * 1000));
        let mut members: Vec<(Kind, u64)> = world
            .nodes
            .iter()
            .filter_map(|node| Some((kind(node, parted.is_some())?, node.link.up)))
            .collect();
        members.sort();
        let alike = members.chunk_by(|(a, _), (b, _)| a == b);
        let groups = alike.map(|members| Group {
            kind: members[0].0.clone(),
            count: members.len() as u64,
            up: members.iter().map(|(_, up)| up).sum(),
        });
        Swarm {
            groups: groups.collect(),
            parted,
            size: world.source.geometry.size(),
        }
    }

    /// Whether each client could have everything so long after its coming.
    fn suffices(&self, time: u64) -> bool {
        let mut flow = Flow::default();
        let (source, sink) = (flow.place(), flow.place());
        let clients: Vec<(usize, &Group)> = self
            .groups
            .iter()
            .filter(|group| group.is_client())
            .map(|group| (flow.place(), group))
            .collect();
        let mut wanted = 0;
        for &(place, group) in &clients {
            flow.pipe(place, sink, group.count * self.size);
            wanted += group.count * self.size;
        }
        for stretch in self.cuts(time).windows(2) {
            let (from, to) = (stretch[0], stretch[1]);
            let carries = |rate: u64| (rate * (to - from)).div_ceil(1000);
            let senders: Vec<((bool, bool), usize, u64)> = self
                .senders(from, time)
                .into_iter()
                .map(|(there, up)| {
                    let place = flow.place();
                    flow.pipe(source, place, carries(up));
                    (there, place, up)
                })
                .collect();
            for &(client, group) in &clients {
                let Kind { joins, place, .. } = group.kind;
                if !group.kind.is_there(from) || from >= joins + time {
                    continue;
                }
                let here = flow.place();
                let near = senders
                    .iter()
                    .filter(|&&(there, ..)| self.can_reach(there, place, from));
                for &(_, sender, _) in near.clone() {
                    flow.pipe(sender, here, u64::MAX / 4);
                }
                // Nobody sends to himself, but those behind NAT would not reach themselves anyway.
                let own = if place.0 { 0 } else { group.up };
                let others = near.map(|&(.., up)| up).sum::<u64>() * group.count - own;
                let most = others.min(group.count * group.kind.down);
                flow.pipe(here, client, carries(most));
            }
        }
        flow.most(source, sink) == wanted
    }

    /// Where what is cut, if clients take so long.
    fn cuts(&self, time: u64) -> Vec<u64> {
        let clients = || self.groups.iter().filter(|group| group.is_client());
        let end = clients().map(|group| group.kind.joins + time).max();
        let mut cuts = vec![0];
        cuts.extend(self.parted.into_iter().flat_map(<[u64; 2]>::from));
        for Group { kind, .. } in &self.groups {
            cuts.extend([kind.joins, kind.leaves(time)]);
            cuts.extend(kind.absent.iter().copied().flat_map(<[u64; 2]>::from));
        }
        cuts.extend(clients().map(|group| group.kind.joins + time));
        cuts.retain(|&cut| Some(cut) <= end);
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// What is sent at this moment, by the place of who sends it.
    fn senders(&self, at: u64, time: u64) -> Vec<((bool, bool), u64)> {
        let places = [(false, false), (false, true), (true, false), (true, true)];
        let up = |place| {
            let there = self.groups.iter().filter(|group| {
                let kind = &group.kind;
                kind.place == place && kind.is_there(at) && at < kind.leaves(time)
            });
            there.map(|group| group.up).sum()
        };
        let all = places.map(|place| (place, up(place)));
        all.into_iter().filter(|&(_, up)| up > 0).collect()
    }

    fn can_reach(&self, a: (bool, bool), b: (bool, bool), at: u64) -> bool {
        let apart = self
            .parted
            .is_some_and(|(from, to)| (from..to).contains(&at));
        let hidden = a.0 && b.0;
        !(hidden || apart && a.1 != b.1)
    }

    /// How long some client must wait at least until the seeds have sent everything once to its
    /// part of the network.
    fn freshly(&self) -> u64 {
        let rate = |which: &dyn Fn(&Kind) -> bool| -> u64 {
            let those = self.groups.iter().filter(|group| which(&group.kind));
            those.map(|group| group.up).sum()
        };
        let (from, to) = self.parted.unwrap_or((NEVER, NEVER));
        let waits = |group: &Group| {
            let side = group.kind.place.1;
            let all = rate(&|kind| kind.source);
            let near = rate(&|kind| kind.source && kind.place.1 == side);
            // When the parts are one again, all that the others have meanwhile comes over at once.
            let both = rate(&|_| true);
            let mut left = self.size * 1000;
            for (rate, start, end) in [(all, 0, from), (near, from, to), (both, to, NEVER)] {
                let carried = rate.saturating_mul(end - start);
                if carried >= left {
                    return (start + left / rate).saturating_sub(group.kind.joins);
                }
                left -= carried;
            }
            NEVER
        };
        let clients = self.groups.iter().filter(|group| group.is_client());
        clients.map(waits).max().unwrap_or(0)
    }
}

impl Group {
    fn is_client(&self) -> bool {
        matches!(self.kind.until, Until::Done(_))
    }
}

impl Kind {
    fn is_there(&self, at: u64) -> bool {
        let absent = |&(from, to): &(u64, u64)| (from..to).contains(&at);
        at >= self.joins && !self.absent.iter().any(absent)
    }

    /// When it leaves for good at the latest, if clients take so long.
    fn leaves(&self, time: u64) -> u64 {
        match self.until {
            Until::Done(stays) => self.joins + time + stays,
            Until::Time(at) => at,
        }
    }
}

/// What a node is here: none if it gives nothing and is not waited for.
fn kind(node: &Node, parts: bool) -> Option<Kind> {
    let millis = |at: Time| at.as_micros() / 1000;
    let until = match (node.manners.gives(), node.role) {
        (None, _) => return None,
        (Some(u64::MAX), Role::Client(stay)) if node.is_client() => {
            Until::Done(stay.map_or(NEVER, |stay| stay.as_millis() as u64))
        }
        (Some(bytes), _) => Until::Time(match bytes {
            u64::MAX => NEVER,
            _ => millis(node.joins) + bytes * 1000 / node.link.up,
        }),
    };
    let absent = node.absent.iter();
    Some(Kind {
        place: (node.link.natted, parts && node.link.side),
        joins: millis(node.joins),
        absent: absent
            .map(|&(from, to)| (millis(from), millis(to)))
            .collect(),
        until,
        source: node.role == Role::Seed,
        down: node.disk_rate.unwrap_or(u64::MAX).min(node.link.down),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1024;

    fn group(count: u64, up: u64, until: Until) -> Group {
        let kind = Kind {
            place: (false, false),
            joins: 0,
            absent: Vec::new(),
            until,
            source: until == Until::Time(NEVER),
            down: 1000 * KIB,
        };
        let up = count * up * KIB;
        Group { kind, count, up }
    }

    fn swarm(groups: impl IntoIterator<Item = Group>) -> Swarm {
        Swarm {
            groups: groups.into_iter().collect(),
            parted: None,
            size: 8000 * KIB,
        }
    }

    /// Whether this is the least time, to a hundredth.
    fn is_least(swarm: &Swarm, seconds: u64) -> bool {
        !swarm.suffices(seconds * 990) && swarm.suffices(seconds * 1010)
    }

    const SEED: Until = Until::Time(NEVER);
    const CLIENT: Until = Until::Done(NEVER);

    #[test]
    fn a_crowd_needs_what_all_send_for_each() {
        // 400 + 10 × 60 KiB/s for 10 clients.
        let crowd = swarm([group(1, 400, SEED), group(10, 60, CLIENT)]);
        assert!(is_least(&crowd, 80));
        assert_eq!(crowd.freshly(), 20_000);
    }

    #[test]
    fn a_peer_that_cannot_be_dialed_downloads_from_those_that_can() {
        let mut hidden = group(10, 60, CLIENT);
        hidden.kind.place.0 = true;
        assert!(is_least(&swarm([group(1, 400, SEED), hidden]), 200));
    }

    #[test]
    fn late_comers_and_those_away_have_their_own_time() {
        let mut late = group(1, 0, CLIENT);
        late.kind.joins = 50_000;
        let late = swarm([group(1, 400, SEED), late]);
        assert!(is_least(&late, 20));
        assert_eq!(late.freshly(), 0);
        let mut away = group(1, 0, CLIENT);
        away.kind.absent.push((10_000, 70_000));
        assert!(is_least(&swarm([group(1, 400, SEED), away]), 80));
    }

    #[test]
    fn peers_that_leave_send_nothing_more() {
        // Two that send 100 each to the other, and leave when they are done: the last to come has
        // the seed alone.
        let mut second = group(1, 100, Until::Done(0));
        second.kind.joins = 100_000;
        let first = group(1, 100, Until::Done(0));
        assert!(is_least(&swarm([group(1, 100, SEED), first, second]), 80));
    }

    #[test]
    fn a_part_without_a_seed_waits_for_the_other() {
        let mut parted = swarm([group(1, 400, SEED), group(1, 400, CLIENT)]);
        parted.parted = Some((10_000, 100_000));
        let mut far = group(1, 400, CLIENT);
        far.kind.place.1 = true;
        parted.groups.push(far);
        // It lacks half, and all three send 1200 KiB/s.
        assert_eq!(parted.freshly(), 100_000 + 4_000_000 / 1200);
    }
}
