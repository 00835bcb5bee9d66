//! Two clients that call each other at the same time, with everything on its way for as long as it
//! likes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use brooklet::base::{Duration, Rng};
use brooklet::peer::EndReason;
use brooklet::torrent::Source;

use crate::seconds_pass;
use crate::session::Bench;
use crate::transcript::words::encode;

const NAMES: [&str; 2] = ["-bk0100-ABCDEFGHIJKL", "-bk0100-ABCDEFGHIJKM"];

/// Two clients and the connections that each of them has begun: connection 0 was begun by end 0.
struct Swarm {
    ends: [Bench; 2],
    /// By connection and end: the key there.
    keys: [[Option<usize>; 2]; 2],
    /// By connection and receiving end: what is on its way. `None`: the connection is closed.
    wires: [[VecDeque<Option<String>>; 2]; 2],
    /// By connection and end: it hung up, or knows that the other did.
    over: [[bool; 2]; 2],
}

/// What may happen next.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// The network is through, at the callee.
    Accept(usize),
    /// The caller hears of it.
    Connect(usize),
    /// What is first on this wire arrives, at this end.
    Arrive(usize, usize),
    /// It is this end's turn.
    Turn(usize),
}

impl Swarm {
    fn new() -> Swarm {
        let end = |name: &str| Bench::named(4, name.as_bytes().try_into().unwrap());
        let mut swarm = Swarm {
            ends: NAMES.map(end),
            keys: [[None; 2]; 2],
            wires: Default::default(),
            over: [[false; 2]; 2],
        };
        for caller in 0..2 {
            let callee = SocketAddr::from(([192, 0, 2, 2 - caller as u8], 6881));
            swarm.keys[caller][caller] = Some(swarm.ends[caller].dials(callee));
        }
        swarm
    }

    /// Everything happens, in an order that the seed decides.
    fn run(&mut self, seed: u64) {
        let mut rng = Rng::from_seed(seed);
        let mut calls = vec![Step::Accept(0), Step::Accept(1)];
        loop {
            let mut steps = calls.clone();
            for (wire, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let calling = wire == end && calls.contains(&Step::Connect(wire));
                if !calling && !self.wires[wire][end].is_empty() {
                    steps.push(Step::Arrive(wire, end));
                }
            }
            if steps.is_empty() && !(0..2).any(|end| self.turn(end)) {
                return;
            }
            steps.extend([Step::Turn(0), Step::Turn(1)]);
            let step = steps[rng.below(steps.len() as u64) as usize];
            calls.retain(|call| *call != step);
            match step {
                Step::Accept(wire) => {
                    let addr = SocketAddr::from(([192, 0, 2, 1 + wire as u8], 50_001));
                    self.keys[wire][1 - wire] = Some(self.ends[1 - wire].accepts(addr));
                    calls.push(Step::Connect(wire));
                }
                Step::Connect(wire) => {
                    let (end, key) = (&mut self.ends[wire], self.keys[wire][wire].unwrap());
                    end.session.handle_connected(key, end.now);
                }
                Step::Arrive(wire, end) => self.arrive(wire, end),
                Step::Turn(end) => {
                    self.turn(end);
                }
            }
        }
    }

    /// A connection comes up, and all that is said on it arrives, before anything else happens.
    fn comes_up(&mut self, wire: usize) {
        let addr = SocketAddr::from(([192, 0, 2, 1 + wire as u8], 50_001));
        self.keys[wire][1 - wire] = Some(self.ends[1 - wire].accepts(addr));
        let (end, key) = (&mut self.ends[wire], self.keys[wire][wire].unwrap());
        end.session.handle_connected(key, end.now);
        while (0..2).any(|end| self.turn(end)) {
            for (wire, end) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                while !self.wires[wire][end].is_empty() {
                    self.arrive(wire, end);
                }
            }
        }
    }

    fn arrive(&mut self, wire: usize, end: usize) {
        let said = self.wires[wire][end]
            .pop_front()
            .expect("there is something");
        if self.over[wire][end] {
            return;
        }
        let key = self.keys[wire][end].expect("there is a socket");
        let bench = &mut self.ends[end];
        match said {
            Some(words) => bench.hands(key, &encode(&words, &bench.setting)),
            None => {
                bench
                    .session
                    .handle_closed(key, EndReason::Closed, bench.now);
                self.over[wire][end] = true;
            }
        }
    }

    /// Whether anything came of it.
    fn turn(&mut self, end: usize) -> bool {
        self.ends[end].turn();
        let mut anything = false;
        for wire in 0..2 {
            let Some(key) = self.keys[wire][end].filter(|_| !self.over[wire][end]) else {
                continue;
            };
            for said in self.ends[end].hears(key) {
                let words = match said.as_str() {
                    "handshake" => format!("handshake fast {}", NAMES[end]),
                    _ => said,
                };
                self.wires[wire][1 - end].push_back(Some(words));
                anything = true;
            }
            if self.ends[end].is_gone(key) {
                self.over[wire][end] = true;
                self.wires[wire][1 - end].push_back(None);
                anything = true;
            }
        }
        anything
    }
}

#[test]
fn of_two_connections_that_crossed_one_stays_and_both_ends_keep_the_same() {
    for seed in 0..500 {
        let mut swarm = Swarm::new();
        swarm.run(seed);
        let stays = |wire: &usize| swarm.over[*wire] == [false, false];
        let kept: Vec<usize> = (0..2).filter(stays).collect();
        assert_eq!(kept.len(), 1, "seed {seed}: {:?}", swarm.over);
        let other = 1 - kept[0];
        assert_eq!(swarm.over[other], [true, true], "seed {seed}");
        for (end, bench) in swarm.ends.iter().enumerate() {
            let key = swarm.keys[kept[0]][end].expect("there is a socket");
            assert!(bench.session.peer(key).is_some_and(|peer| peer.is_open()));
            assert_eq!(bench.progress().peers, 1, "seed {seed}");
        }
    }
}

#[test]
fn of_two_connections_apart_in_time_both_ends_keep_the_older() {
    let apart = [Duration::from_millis(1_001), Duration::from_secs(9)];
    for (gap, first) in apart.iter().flat_map(|gap| [(gap, 0), (gap, 1)]) {
        let mut swarm = Swarm::new();
        swarm.comes_up(first);
        swarm.ends.iter_mut().for_each(|end| end.wait(*gap));
        swarm.comes_up(1 - first);
        assert_eq!(swarm.over[first], [false, false], "{first} after {gap:?}");
        assert_eq!(swarm.over[1 - first], [true, true], "{first} after {gap:?}");
    }
}

/// Both an id that is smaller than ours and one that is greater.
const IDS: [&str; 2] = ["-TR3000-abcdefghijkl", "-zz3000-abcdefghijkl"];

fn port(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// A peer of 192.0.2.1 dials us from this port and greets us.
fn caller(bench: &mut Bench, from: u16, id: &str) -> usize {
    let key = bench.accepts(port(from));
    bench.says(key, &format!("handshake fast {id}"));
    key
}

/// A peer answers our dial, and greets us.
fn answers(bench: &mut Bench, key: usize, id: &str) {
    bench.session.handle_connected(key, bench.now);
    bench.says(key, &format!("handshake fast {id}"));
}

/// Whether any of these ports is dialed within this time, in which the peers under these keys stay.
fn dialed(bench: &mut Bench, ports: &[u16], stay: &[usize], seconds: u64) -> Option<u16> {
    for _ in 0..seconds {
        seconds_pass(bench, stay, 1);
        stay.iter().for_each(|&key| bench.says(key, "keep-alive"));
        let found = ports.iter().find(|&&to| bench.dialled(port(to)).is_some());
        if found.is_some() {
            return found.copied();
        }
    }
    None
}

/// A peer that dialed us, and that the user names, too: both are one, which is found out once.
#[test]
fn a_connection_that_works_is_not_closed_for_one_to_the_peers_listening_port() {
    for id in IDS {
        let mut bench = Bench::seeder(4);
        let old = caller(&mut bench, 50_001, id);
        seconds_pass(&mut bench, &[old], 10);
        bench
            .session
            .add_peers(bench.torrent, &[port(6881)], Source::User, bench.now);
        bench.turn();
        let new = bench.dialled(port(6881)).expect("the user named it");
        answers(&mut bench, new, id);
        assert!(bench.is_gone(new) && !bench.is_gone(old), "{id}");
        // Now it is known where the peer listens.
        bench
            .session
            .add_peers(bench.torrent, &[port(6881)], Source::Tracker, bench.now);
        assert_eq!(dialed(&mut bench, &[6881], &[old], 3600), None, "{id}");
        bench
            .session
            .handle_closed(old, EndReason::Closed, bench.now);
        assert_eq!(dialed(&mut bench, &[6881], &[], 80), Some(6881), "{id}");
    }
}

#[test]
fn a_peer_that_we_dialed_and_that_dials_us_later_keeps_the_older_connection() {
    for id in IDS {
        let mut bench = Bench::seeder(4);
        let old = bench.dials(port(6881));
        answers(&mut bench, old, id);
        seconds_pass(&mut bench, &[old], 10);
        let new = caller(&mut bench, 50_001, id);
        assert!(bench.is_gone(new) && !bench.is_gone(old), "{id}");
    }
}

/// libtorrent closes both connections when we dial its listening port while its own call to us is
/// open. We do not dial an address that may be its: those of its host, unless there are more of
/// them than callers.
#[test]
fn an_address_of_an_incoming_peers_host_is_dialed_only_if_it_is_another_peers() {
    let mapped: SocketAddr = "[::ffff:192.0.2.1]:50001".parse().unwrap();
    for from in [port(50_001), mapped] {
        let mut bench = Bench::getter(4, &[]);
        let first = bench.accepts(from);
        bench.says(first, &format!("handshake fast {}", IDS[0]));
        let name = |bench: &mut Bench, number| {
            bench
                .session
                .add_peers(bench.torrent, &[port(number)], Source::Tracker, bench.now);
        };
        name(&mut bench, 6881);
        assert_eq!(dialed(&mut bench, &[6881], &[first], 3600), None);
        // Two addresses, one caller: there are two peers behind this router.
        name(&mut bench, 6882);
        let to = dialed(&mut bench, &[6881, 6882], &[first], 2).expect("one is dialed");
        let other = 6881 + 6882 - to;
        assert_eq!(dialed(&mut bench, &[other], &[first], 9), None);
        // The caller goes: its address is dialed later.
        bench
            .session
            .handle_closed(first, EndReason::Closed, bench.now);
        assert_eq!(dialed(&mut bench, &[other], &[], 61), Some(other));
    }
}

/// ... and each of several peers behind one router is connected once, those that dialed us and the
/// others, whichever of their addresses is dialed first.
#[test]
fn several_peers_of_one_address_are_all_connected() {
    let id = |number| format!("-TR3000-abcdefghij{number:02}");
    let mut bench = Bench::getter(4, &[]);
    let mut open: Vec<usize> = (1..=3)
        .map(|number| caller(&mut bench, 50_000 + number, &id(number)))
        .collect();
    let all: Vec<SocketAddr> = (1..=6).map(port).collect();
    let mut dials = 0;
    for _ in 0..300 {
        bench
            .session
            .add_peers(bench.torrent, &all, Source::Tracker, bench.now);
        seconds_pass(&mut bench, &open, 1);
        open.iter().for_each(|&key| bench.says(key, "keep-alive"));
        for number in 1..=6 {
            if let Some(key) = bench.dialled(port(number)) {
                answers(&mut bench, key, &id(number));
                dials += 1;
                match number {
                    1..=3 => assert!(bench.is_gone(key), "{number} is a caller"),
                    _ => open.push(key),
                }
            }
        }
    }
    assert!(open.iter().all(|&key| !bench.is_gone(key)));
    assert_eq!(bench.progress().peers, 6);
    assert!(dials <= 6, "{dials} dials for six addresses");
}

/// Whichever of the two it closes first, and whether it greets on the newer one or not.
#[test]
fn a_peer_that_closes_both_connections_is_dialed_again_soon() {
    for (greets, newer_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut bench = Bench::seeder(4);
        let old = caller(&mut bench, 50_001, IDS[0]);
        seconds_pass(&mut bench, &[old], 10);
        // With another address of that host the first is dialed, too.
        bench.session.add_peers(
            bench.torrent,
            &[port(1), port(2)],
            Source::Tracker,
            bench.now,
        );
        bench.turn();
        let found = [1, 2].map(|number| bench.dialled(port(number)).map(|key| (number, key)));
        let (number, new) = found.into_iter().flatten().next().expect("one is dialed");
        bench.session.handle_connected(new, bench.now);
        if newer_first {
            bench
                .session
                .handle_closed(new, EndReason::Closed, bench.now);
            bench
                .session
                .handle_closed(old, EndReason::Closed, bench.now);
        } else {
            bench
                .session
                .handle_closed(old, EndReason::Closed, bench.now);
            if greets {
                bench.says(new, &format!("handshake fast {}", IDS[0]));
            }
            bench
                .session
                .handle_closed(new, EndReason::Closed, bench.now);
        }
        bench.turn();
        let again = dialed(&mut bench, &[number], &[], 7);
        assert_eq!(again, Some(number), "{greets} {newer_first}");
    }
}

/// libtorrent hangs up at once on the older of two connections under one peer id, whatever the
/// addresses, before it greets us on the newer one: here an IPv4 and an IPv6 address of one peer.
/// Dialed again, it would hang up on the other one, and so on. Others may do it the other way.
#[test]
fn the_addresses_of_a_peer_that_wants_one_connection_do_not_take_turns() {
    let other: SocketAddr = "[2001:db8::1]:6881".parse().unwrap();
    let orders = [(true, true), (true, false), (false, false)];
    // libtorrent takes another id for each connection.
    let ids = [
        [IDS[0]; 2],
        [IDS[1]; 2],
        ["-LT2080-abcdefghijkl", "-LT2080-mnopqrstuvwx"],
    ];
    for ([id, again], (older_ends, before)) in
        ids.iter().flat_map(|ids| orders.map(|order| (ids, order)))
    {
        let mut bench = Bench::getter(4, &[]);
        let first = bench.dials(other);
        answers(&mut bench, first, id);
        seconds_pass(&mut bench, &[first], 10);
        let second = bench.dials(port(6881));
        let (ends, stays) = if older_ends {
            (first, second)
        } else {
            (second, first)
        };
        if before {
            bench.session.handle_connected(second, bench.now);
            bench
                .session
                .handle_closed(ends, EndReason::Closed, bench.now);
            bench.says(second, &format!("handshake fast {again}"));
        } else {
            answers(&mut bench, second, again);
            assert!(!bench.is_gone(first) && !bench.is_gone(second));
            bench
                .session
                .handle_closed(ends, EndReason::Closed, bench.now);
        }
        for _ in 0..3600 {
            seconds_pass(&mut bench, &[], 1);
            bench.says(stays, "keep-alive");
            assert_eq!(bench.dialled(other).or(bench.dialled(port(6881))), None);
        }
        // Where it is reached next is not known.
        bench
            .session
            .handle_closed(stays, EndReason::Closed, bench.now);
        seconds_pass(&mut bench, &[], 160);
        let dialed = [other, port(6881)].map(|addr| bench.dialled(addr).is_some());
        assert_eq!(dialed, [true, true], "{id}");
    }
}

/// A peer id is no secret. Another peer under that id keeps the owner's address from being dialed
/// neither when it dialed us nor when the owner's connection ends some time after.
#[test]
fn a_peer_that_copies_a_peer_id_keeps_no_address_from_being_dialed() {
    let stranger: SocketAddr = "198.51.100.1:6881".parse().unwrap();
    for (we_dial, after) in [(false, 0), (true, 2)] {
        let mut bench = Bench::getter(4, &[]);
        let owner = bench.dials(port(6881));
        answers(&mut bench, owner, IDS[0]);
        seconds_pass(&mut bench, &[owner], 1);
        let thief = if we_dial {
            let key = bench.dials(stranger);
            answers(&mut bench, key, IDS[0]);
            key
        } else {
            let key = bench.accepts(stranger);
            bench.says(key, &format!("handshake fast {}", IDS[0]));
            key
        };
        seconds_pass(&mut bench, &[], after);
        bench
            .session
            .handle_closed(owner, EndReason::Closed, bench.now);
        let again = dialed(&mut bench, &[6881], &[thief], 80);
        assert_eq!(again, Some(6881), "{we_dial}");
        assert!(!bench.is_gone(thief));
    }
}

#[test]
fn a_call_that_gave_way_is_made_again_soon_if_the_other_one_ends_too() {
    let mut bench = Bench::getter(4, &[]);
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    // Its name is smaller than ours: the connection that it began stays.
    let name = "handshake fast -TR3000-abcdefghi001";
    let ours = bench.dials(addr);
    let theirs = bench.join(1, true);
    bench.session.handle_connected(ours, bench.now);
    bench.says(ours, name);
    assert!(bench.is_gone(ours) && !bench.is_gone(theirs));
    bench
        .session
        .handle_closed(theirs, EndReason::Closed, bench.now);
    bench.wait(Duration::from_secs(10));
    assert!(bench.dialled(addr).is_some());
}
