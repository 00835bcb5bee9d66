//! One lookup, step by step.

use super::*;
use crate::base::Rng;

fn at(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

const SLOW: Duration = Duration::from_millis(300);

/// A node so many bits away from the target, which is all zero.
fn node(bits: usize, number: u8) -> NodeInfo {
    let target = NodeId([0; 20]);
    NodeInfo {
        id: target.random_sharing(160 - bits, &mut Rng::from_seed(number.into())),
        addr: ([70, number, 0, 1], 6881).into(),
    }
}

fn lookup(nodes: &[NodeInfo]) -> Lookup {
    Lookup::new(NodeId([0; 20]), nodes, Vec::new())
}

/// All that may be asked now are asked.
fn ask_all(lookup: &mut Lookup, now: Time) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    while let Some(ask) = lookup.peek() {
        lookup.on_asked(ask.addr, now);
        asked.push(ask.addr);
    }
    asked
}

#[test]
fn the_nearest_are_asked_a_few_at_a_time() {
    let nodes: Vec<NodeInfo> = (1..=20)
        .map(|number| node(140 + usize::from(number), number))
        .collect();
    let mut lookup = lookup(&nodes);
    let addrs = |nodes: &[NodeInfo]| nodes.iter().map(|node| node.addr).collect::<Vec<_>>();
    assert_eq!(
        ask_all(&mut lookup, at(0)),
        addrs(&nodes[..limits::DHT_ALPHA])
    );
    let nearer = [node(100, 50), node(99, 51)];
    lookup.on_answer(nodes[0], Some(b"t"), &nearer);
    assert_eq!(ask_all(&mut lookup, at(1)), [nearer[1].addr]);
    lookup.on_failure(nodes[1].addr);
    assert_eq!(ask_all(&mut lookup, at(1)), [nearer[0].addr]);
    assert_eq!((lookup.queries(), lookup.answers()), (6, 1));
}

#[test]
fn a_slow_node_lets_others_go_and_still_counts_when_it_answers() {
    let nodes: Vec<NodeInfo> = (1..=20)
        .map(|number| node(140 + usize::from(number), number))
        .collect();
    let mut lookup = lookup(&nodes);
    assert_eq!(ask_all(&mut lookup, at(0)).len(), limits::DHT_ALPHA);
    assert_eq!(lookup.next_deadline(SLOW), Some(at(300)));
    assert_eq!(lookup.tick(SLOW, at(299)), []);
    assert_eq!(lookup.tick(SLOW, at(300)).len(), limits::DHT_ALPHA);
    let more = ask_all(&mut lookup, at(300));
    assert_eq!(
        more.len(),
        limits::DHT_ALPHA_SLOW,
        "faster when nodes are slow"
    );
    lookup.on_answer(nodes[0], Some(b"t"), &[]);
    assert_eq!(lookup.found()[0].node, nodes[0]);
    assert_eq!(lookup.found()[0].token.as_deref(), Some(&b"t"[..]));
}

#[test]
fn it_is_done_when_the_eight_nearest_have_answered() {
    let nodes: Vec<NodeInfo> = (1..=9)
        .map(|number| node(140 + usize::from(number), number))
        .collect();
    let mut lookup = lookup(&nodes);
    let mut answered = 0;
    while !lookup.is_done() {
        let asked = ask_all(&mut lookup, at(0));
        for addr in asked {
            let node = nodes.iter().find(|node| node.addr == addr).unwrap();
            if answered < limits::DHT_K {
                lookup.on_answer(*node, None, &[]);
                answered += 1;
            }
        }
    }
    assert_eq!(lookup.queries(), limits::DHT_K, "the ninth is farther");
    assert_eq!(lookup.found().len(), limits::DHT_K);
}

#[test]
fn the_end_waits_for_slow_nodes_only_so_long() {
    let mut lookup = lookup(&[node(150, 1), node(151, 2)]);
    ask_all(&mut lookup, at(0));
    lookup.on_answer(node(151, 2), None, &[]);
    lookup.tick(SLOW, at(300));
    assert!(!lookup.is_done());
    let until = at(0) + limits::DHT_HOLD;
    assert_eq!(lookup.next_deadline(SLOW), Some(until));
    lookup.tick(SLOW, until);
    assert!(lookup.is_done());
    // With nobody else there is more to wait for.
    let mut alone = self::lookup(&[node(150, 1)]);
    ask_all(&mut alone, at(0));
    alone.tick(SLOW, at(300));
    let until = at(0) + limits::DHT_HOLD_ALONE;
    assert_eq!(alone.next_deadline(SLOW), Some(until));
    alone.tick(SLOW, until);
    assert!(alone.is_done() && alone.found().is_empty());
    // The same after a sleep.
    let mut late = self::lookup(&[node(150, 1)]);
    ask_all(&mut late, at(0));
    assert_eq!(late.tick(SLOW, until).len(), 1);
    assert!(late.is_done() && late.next_deadline(SLOW).is_none());
}

#[test]
fn the_reserve_is_asked_when_nobody_answers() {
    let host: SocketAddr = "80.1.1.1:6881".parse().unwrap();
    let mut lookup = Lookup::new(NodeId([0; 20]), &[node(150, 1)], vec![host]);
    assert_eq!(ask_all(&mut lookup, at(0)), [node(150, 1).addr]);
    lookup.tick(SLOW, at(300));
    assert_eq!(ask_all(&mut lookup, at(300)), [host]);
    let mut lookup = Lookup::new(NodeId([0; 20]), &[], vec![host]);
    assert_eq!(
        lookup.peek(),
        Some(Ask {
            addr: host,
            id: None
        })
    );
    let other: SocketAddr = "80.1.2.1:6881".parse().unwrap();
    lookup.add_contact(other);
    assert_eq!(ask_all(&mut lookup, at(0)), [host, other]);
}

/// One node that names nobody would otherwise keep us from all others, whether it means to or knows
/// no other itself.
#[test]
fn the_reserve_is_asked_when_few_answer() {
    let host: SocketAddr = "80.1.1.1:6881".parse().unwrap();
    let mut lookup = Lookup::new(NodeId([0; 20]), &[node(150, 1)], vec![host]);
    ask_all(&mut lookup, at(0));
    lookup.on_answer(node(150, 1), None, &[node(149, 2)]);
    assert_eq!(ask_all(&mut lookup, at(0)), [node(149, 2).addr]);
    lookup.on_answer(node(149, 2), None, &[]);
    assert_eq!(ask_all(&mut lookup, at(0)), [host]);
    let other: SocketAddr = "80.1.2.1:6881".parse().unwrap();
    lookup.add_contact(other);
    assert_eq!(ask_all(&mut lookup, at(0)), [other]);
    assert!(!lookup.is_done());
}

/// All that are known were silent a short while ago.
#[test]
fn the_reserve_is_asked_when_all_others_are_passed_over() {
    let host: SocketAddr = "80.1.1.1:6881".parse().unwrap();
    let mut lookup = Lookup::new(NodeId([0; 20]), &[node(150, 1)], vec![host]);
    ask_all(&mut lookup, at(0));
    lookup.on_answer(node(150, 1), None, &[node(149, 2)]);
    lookup.pass_over(node(149, 2).addr);
    assert_eq!(ask_all(&mut lookup, at(0)), [host]);
}

/// All but the last that name a host may lie about its port.
#[test]
fn a_host_that_is_named_with_several_ports_is_asked_at_a_few() {
    let at_port = |port| {
        let addr = SocketAddr::new(node(100, 9).addr.ip(), port);
        NodeInfo {
            addr,
            ..node(100, 9)
        }
    };
    let most = limits::DHT_PORTS_EACH as u8;
    let namers: Vec<NodeInfo> = (1..=most + 1).map(|number| node(159, number)).collect();
    // One network has one voice.
    let beside = NodeInfo {
        addr: ([70, 1, 0, 99], 6881).into(),
        ..node(159, 99)
    };
    let mut lookup = lookup(&[&namers[..], &[beside]].concat());
    while !ask_all(&mut lookup, at(0)).is_empty() {
        lookup.tick(SLOW, at(0) + SLOW);
    }
    lookup.on_answer(namers[0], None, &[at_port(1), at_port(1000)]);
    lookup.on_answer(beside, None, &[at_port(2000)]);
    for (namer, port) in namers.iter().zip(1..).skip(1) {
        lookup.on_answer(*namer, None, &[at_port(port)]);
    }
    let asked = |lookup: &mut Lookup| {
        let mut ports: Vec<u16> = ask_all(lookup, at(1))
            .iter()
            .map(SocketAddr::port)
            .collect();
        ports.sort_unstable();
        ports
    };
    assert_eq!(asked(&mut lookup), (1..=most.into()).collect::<Vec<_>>());
    // Once it has answered at one of them, that is its port.
    let mut lookup = self::lookup(&namers);
    ask_all(&mut lookup, at(0));
    lookup.on_answer(namers[0], None, &[at_port(7)]);
    assert_eq!(asked(&mut lookup), [7]);
    lookup.on_answer(at_port(7), None, &[]);
    lookup.on_answer(namers[1], None, &[at_port(8)]);
    assert_eq!(
        lookup
            .candidates
            .iter()
            .filter(|it| it.addr.port() == 8)
            .count(),
        0
    );
}

#[test]
fn what_liars_name_is_bounded_and_comes_last() {
    let mut lookup = lookup(&[node(159, 1), node(160, 2)]);
    ask_all(&mut lookup, at(0));
    // One network, and one victim under many ids and ports.
    let many = |count: u8, place: fn(u8) -> [u8; 4]| -> Vec<NodeInfo> {
        let of = |number: u8| NodeInfo {
            addr: (place(number), 1000 + u16::from(number)).into(),
            ..node(60, number)
        };
        (0..count).map(of).collect()
    };
    let victim = many(100, |_| [90, 1, 1, 1]);
    lookup.on_answer(node(159, 1), None, &victim);
    assert_eq!(lookup.candidates.len(), 3);
    let network = many(100, |host| [90, 2, 2, host]);
    lookup.on_answer(node(159, 1), None, &network);
    assert_eq!(lookup.candidates.len(), 3 + limits::DHT_ASKED_EACH);
    let everywhere = many(250, |number| [91, number, 2, 2]);
    lookup.on_answer(node(159, 1), None, &everywhere);
    assert_eq!(lookup.candidates.len(), limits::DHT_CANDIDATES);

    let mut asked = 0;
    while lookup.queries() < 2 + usize::from(limits::DHT_DISTRUST) {
        for addr in ask_all(&mut lookup, at(0)) {
            lookup.on_failure(addr);
            asked += 1;
        }
    }
    assert!(asked > 0);
    let honest = node(120, 200);
    lookup.on_answer(node(160, 2), None, &[honest]);
    assert_eq!(
        lookup.peek().unwrap().addr,
        honest.addr,
        "before the nearer ones"
    );

    // They can lead it around, but not for ever.
    while !lookup.is_done() {
        for addr in ask_all(&mut lookup, at(0)) {
            let number = lookup.queries() as u8;
            let from = NodeInfo {
                id: node(60, 1).id,
                addr,
            };
            let next = NodeInfo {
                addr: ([92, number, number, 1], 1).into(),
                ..node(50, number)
            };
            lookup.on_answer(from, None, &[next]);
        }
    }
    assert!(lookup.queries() <= limits::DHT_LOOKUP_QUERIES);
}

#[test]
fn of_two_ids_for_an_address_the_nearer_counts_until_it_answers() {
    let mut lookup = lookup(&[node(150, 1)]);
    let far = NodeInfo {
        id: node(160, 7).id,
        ..node(100, 5)
    };
    lookup.on_answer(node(150, 1), None, &[far, node(100, 5)]);
    assert_eq!(lookup.peek().unwrap().id, Some(node(100, 5).id));
    lookup.on_asked(far.addr, at(0));
    lookup.on_answer(far, None, &[]);
    assert_eq!(
        lookup.found().last().unwrap().node,
        far,
        "it says itself where it is"
    );
}
