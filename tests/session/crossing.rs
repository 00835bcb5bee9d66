//! Two clients that call each other at the same time, with everything on its way for as long as it likes.

use std::collections::VecDeque;
use std::net::SocketAddr;

use brooklet::base::rng::Rng;
use brooklet::base::time::Duration;
use brooklet::peer::fault::Fault;

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
                bench.session.handle_closed(key, Fault::Closed, bench.now);
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
            assert_eq!(bench.session.progress(bench.now).peers, 1, "seed {seed}");
        }
    }
}

#[test]
fn a_call_that_gave_way_is_made_again_soon_if_the_other_one_ends_too() {
    let mut bench = Bench::getter(4, &[]);
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    // Its name is smaller than ours: the connection that it began stays.
    let name = "handshake fast -TR3000-abcdefghi001";
    let theirs = bench.join(1, true);
    let ours = bench.dials(addr);
    bench.session.handle_connected(ours, bench.now);
    bench.says(ours, name);
    assert!(bench.is_gone(ours) && !bench.is_gone(theirs));
    bench
        .session
        .handle_closed(theirs, Fault::Closed, bench.now);
    bench.wait(Duration::from_secs(10));
    assert!(bench.dialled(addr).is_some());
}
