//! The routing table: what gets a place, what keeps it, what is asked.

use super::*;

fn at(secs: u64) -> Time {
    Time::from_micros(secs * 1_000_000)
}

/// A node whose id shares so many bits with ours, on an address in a network of its own.
fn node(own: NodeId, bits: usize, number: u32, rng: &mut Rng) -> NodeInfo {
    let [_, a, b, _] = (number << 8).to_be_bytes();
    NodeInfo {
        id: own.random_sharing(bits, rng),
        addr: ([60, a, b, 9], 6881).into(),
    }
}

fn table() -> (Table, Rng) {
    let mut rng = Rng::from_seed(3);
    (Table::new(NodeId::random(&mut rng)), rng)
}

/// BEP 5: "Each bucket can only hold K nodes, currently eight"; the first ones are wider here.
#[test]
fn each_bucket_holds_so_many_and_only_the_last_is_split() {
    let (mut table, mut rng) = table();
    let own = table.own();
    let mut number = 0;
    for bits in 0..12 {
        for _ in 0..200 {
            number += 1;
            table.on_answer(node(own, bits, number, &mut rng), at(1));
        }
    }
    let k = limits::DHT_K;
    let wide: usize = limits::DHT_WIDE_BUCKETS.iter().map(|times| times * k).sum();
    let full = wide + 8 * k;
    assert_eq!(table.len(), full);
    assert_eq!(wide, 240);
    for (place, bucket) in table.buckets.iter().enumerate() {
        assert!(bucket.nodes.len() <= capacity(place));
        assert!(bucket.waiting.len() <= k);
        let shared = |node: &Node| own.shared_bits(&node.info.id);
        let is_last = place + 1 == table.buckets.len();
        let fits = |node: &Node| shared(node) == place || (is_last && shared(node) > place);
        assert!(bucket.nodes.iter().chain(&bucket.waiting).all(fits));
    }
    let target = own.random_sharing(3, &mut rng);
    let closest = table.closest(&target, k);
    let mut all: Vec<NodeInfo> = table.nodes().map(|node| node.info).collect();
    all.sort_by_key(|node| node.id.distance(&target));
    assert_eq!(closest, all[..k]);

    let moved = NodeId::random(&mut rng);
    table.move_to(moved);
    assert_eq!(table.own(), moved);
    let kept: usize = table.nodes().count();
    assert_eq!(kept, table.len());
    assert!(kept > full / 3, "most nodes find a new place: {kept}");
}

#[test]
fn one_address_has_one_node_and_one_network_few() {
    let (mut table, mut rng) = table();
    let own = table.own();
    let mut at_addr = |addr: &str| NodeInfo {
        id: own.random_sharing(0, &mut rng),
        addr: addr.parse().unwrap(),
    };
    let first = at_addr("60.1.1.1:6881");
    table.on_answer(first, at(1));
    table.on_answer(at_addr("60.1.1.1:7000"), at(2));
    assert_eq!(table.closest(&own, 9), [first], "it was there first");
    let restarted = at_addr("60.1.1.1:6881");
    table.on_answer(restarted, at(3));
    assert_eq!(
        table.closest(&own, 9),
        [restarted],
        "the same place, another id"
    );
    for host in 2..20 {
        table.on_answer(at_addr(&format!("60.1.1.{host}:6881")), at(4));
    }
    assert_eq!(table.len(), limits::DHT_NODES_EACH);
    for host in 2..20 {
        table.on_answer(at_addr(&format!("[2001:db8::{host}]:6881")), at(4));
    }
    assert_eq!(table.len(), 2 * limits::DHT_NODES_EACH);
    for port in 1..20 {
        table.on_answer(at_addr(&format!("127.0.0.1:{port}")), at(4));
    }
    assert_eq!(
        table.len(),
        2 * limits::DHT_NODES_EACH + 19,
        "local ones may"
    );
    assert!(!table.suggest(at_addr("60.1.1.77:6881")));
    let itself = NodeInfo {
        id: own,
        addr: "60.9.9.9:1".parse().unwrap(),
    };
    table.on_answer(itself, at(5));
    assert!(!table.suggest(itself) && !table.is_known(itself.addr));
}

#[test]
fn a_node_that_fails_gives_way_to_one_that_waits() {
    let (mut table, mut rng) = table();
    let own = table.own();
    let mut nodes = Vec::new();
    for number in 0..2 + capacity(0) as u32 {
        let node = node(own, 0, number, &mut rng);
        nodes.push(node);
        table.on_answer(node, at(u64::from(number) + 1));
    }
    let (bad, waiting) = (nodes[0], nodes[1 + capacity(0)]);
    let all = table.len();
    assert!(table.is_known(bad.addr) && !table.is_known(waiting.addr));
    for failures in 1..limits::DHT_FAILURES_REPLACED {
        table.on_silence(bad.addr);
        assert_eq!((failures, table.len()), (failures, all));
        assert!(!table.is_known(bad.addr), "it does not answer now");
    }
    table.on_silence(bad.addr);
    assert!(table.is_known(waiting.addr), "the one heard last comes in");
    assert_eq!(table.len(), all);
    // Where none waits, a node may fail once more.
    let far = node(own, 1, 999, &mut rng);
    table.on_answer(far, at(500));
    for _ in 1..limits::DHT_FAILURES {
        table.on_silence(far.addr);
    }
    assert_eq!(table.closest(&far.id, 500).len(), all + 1);
    table.on_answer(far, at(501));
    for _ in 0..limits::DHT_FAILURES {
        assert_eq!(table.len(), all + 1, "an answer sets it right again");
        table.on_silence(far.addr);
    }
    assert_eq!(table.len(), all);
    let to_save = table.to_save();
    assert!(!to_save.contains(&bad) && to_save.contains(&waiting));
}

#[test]
fn an_id_that_fits_its_address_takes_the_place_of_one_that_does_not() {
    let (mut table, mut rng) = table();
    let own = table.own();
    for number in 0..400 {
        table.on_answer(node(own, 0, number, &mut rng), at(9));
    }
    let full = table.len();
    let ip = "91.2.3.4".parse().unwrap();
    let fitting = loop {
        let id = secure_id::make(ip, &mut rng);
        if own.shared_bits(&id) == 0 {
            break NodeInfo {
                id,
                addr: (ip, 6881).into(),
            };
        }
    };
    table.on_answer(fitting, at(10));
    assert!(table.is_known(fitting.addr));
    assert_eq!(table.len(), full);
}

#[test]
fn a_full_last_bucket_takes_a_node_that_makes_it_split() {
    let (mut table, mut rng) = table();
    let own = table.own();
    for number in 0..capacity(0) as u32 {
        table.on_answer(node(own, (number % 4) as usize, number, &mut rng), at(1));
    }
    let full = table.len();
    let near = node(own, 9, 900, &mut rng);
    assert!(table.suggest(near));
    assert_eq!(table.next_check(at(2), &mut rng).unwrap().node, near);
    table.on_answer(near, at(2));
    assert_eq!(table.len(), full + 1);
    assert!(
        table.suggest(node(own, 0, 901, &mut rng)),
        "there is room now"
    );
}

#[test]
fn upkeep_asks_waiting_nodes_and_long_silent_ones() {
    let (mut table, mut rng) = table();
    let own = table.own();
    assert_eq!(table.check_at(), None);
    let known = node(own, 5, 1, &mut rng);
    table.on_answer(known, at(1));
    let new = node(own, 0, 2, &mut rng);
    assert!(table.suggest(new) && !table.suggest(new), "once");
    assert_eq!(table.check_at(), Some(Time::default()));
    let check = table.next_check(at(2), &mut rng).unwrap();
    assert_eq!((check.node, check.is_new), (new, true));
    assert_eq!(table.next_check(at(2), &mut rng), None);
    assert!(!table.is_known(new.addr), "it has to answer first");

    let due = table.check_at().unwrap();
    assert!(due.since(at(1)) >= limits::DHT_QUESTIONABLE);
    let check = table.next_check(due, &mut rng).unwrap();
    assert_eq!((check.node, check.is_new), (known, false));
    assert!(table.check_at().unwrap() > due);
    table.on_silence(known.addr);
    let again = table.check_at().unwrap().since(due);
    assert!(again < limits::DHT_QUESTIONABLE, "soon again: {again:?}");
}
