//! Bounds that show in what the whole machine does.

use std::collections::BTreeSet;

use super::super::half::Half;
use super::*;

fn host(number: usize) -> SocketAddr {
    let [.., a, b] = number.to_be_bytes();
    ([60, a, b, 1], 6881).into()
}

const WANT: Want = Want {
    port: None,
    implied: false,
    is_urgent: true,
};

fn id(number: usize) -> NodeId {
    NodeId::random(&mut Rng::from_seed(1_000 + number as u64))
}

/// A node asks us something, so that we ask it back some time.
fn call(bench: &mut Bench, number: usize) {
    let query = Message {
        transaction: b"xy",
        body: Body::Query(Query {
            id: id(number),
            ask: Ask::Ping,
            want: None,
        }),
        version: None,
        external: None,
        read_only: false,
    };
    bench.receive(host(number), &query);
}

/// So many nodes call us, and answer whatever we ask.
fn known(bench: &mut Bench, count: usize) {
    while bench.dht.nodes() < count {
        (0..count).for_each(|number| call(bench, number));
        bench.run(limits::DHT_UPKEEP_YOUNG);
        for (to, bytes) in std::mem::take(&mut bench.sent) {
            let Some(number) = (0..count).find(|&number| host(number) == to) else {
                continue;
            };
            let Ok(query) = Message::parse(&bytes) else {
                continue;
            };
            let message = Message {
                body: Body::Reply(Reply::bare(id(number))),
                ..query
            };
            bench.receive(to, &message);
        }
    }
}

#[test]
fn lookups_at_one_time() {
    let mut bench = Bench::new();
    bench.dht.add_contact(host(1));
    for number in 0..20 {
        bench.dht.want(InfoHash([number; 20]), WANT, bench.now);
    }
    bench.turn();
    assert_eq!(bench.sent.len(), limits::DHT_LOOKUPS);
}

#[test]
fn contacts_are_bounded_and_the_last_ones_count() {
    let mut bench = Bench::new();
    for number in 0..limits::DHT_CONTACTS + 6 {
        bench.dht.add_contact(host(number));
    }
    bench.run(Duration::from_secs(600));
    let asked: BTreeSet<SocketAddr> = bench.sent.iter().map(|(to, _)| *to).collect();
    let expected: BTreeSet<SocketAddr> = (6..limits::DHT_CONTACTS + 6).map(host).collect();
    assert_eq!(asked, expected);
}

#[test]
fn saved_nodes_serve_while_few_are_known() {
    let mut rng = Rng::from_seed(99_999);
    let now = Time::from_micros(1_000_000);
    let node = |number: usize| NodeInfo {
        id: NodeId::random(&mut Rng::from_seed(number as u64)),
        addr: host(number),
    };
    let saved = node(1_000);
    let mut half = Half::new(Family::V4, None, vec![saved; 3], &mut rng, now);
    for number in 0..limits::DHT_YOUNG {
        let is_poor = number < limits::DHT_POOR;
        let (seeds, _) = half.seeds(&saved.id);
        assert_eq!(seeds.contains(&saved), is_poor, "{number} known");
        half.table.on_answer(node(number), now);
    }
    assert_eq!(half.next_saved(), None, "nor does upkeep ask them now");
    let mut young = Half::new(Family::V4, None, vec![saved], &mut rng, now);
    assert_eq!(young.next_saved(), Some(saved));
}

#[test]
fn upkeep_asks_one_node_in_a_while() {
    for (count, gap) in [
        (0, limits::DHT_UPKEEP_YOUNG),
        (limits::DHT_YOUNG, limits::DHT_UPKEEP),
    ] {
        let mut bench = Bench::new();
        known(&mut bench, count);
        assert_eq!(bench.dht.nodes(), count);
        (100..108).for_each(|number| call(&mut bench, number));
        let mut asked = Vec::new();
        for number in 100..104 {
            let places: Vec<SocketAddr> = (100..108).map(host).collect();
            let is_check = |(to, bytes): &&(SocketAddr, Vec<u8>)| {
                places.contains(to) && bytes.starts_with(b"d1:ad")
            };
            while bench.sent.iter().filter(is_check).count() <= number - 100 {
                bench.now = bench.dht.next_deadline().unwrap();
                bench.turn();
            }
            asked.push(bench.now);
        }
        for pair in asked[1..].windows(2) {
            assert_eq!(pair[1].since(pair[0]), gap, "{count} known");
        }
    }
}

#[test]
fn samples_for_a_node_that_is_known() {
    let mut bench = Bench::new();
    known(&mut bench, 1);
    for number in 0..30 {
        let from = host(500 + usize::from(number));
        let hash = InfoHash([number; 20]);
        let answer = bench.ask(from, Ask::GetPeers(hash), None).unwrap();
        let token = reply(&answer).token.unwrap().to_vec();
        let announce = Ask::AnnouncePeer {
            info_hash: hash,
            port: 1,
            implied: false,
            token: &token,
        };
        bench.ask(from, announce, None).unwrap();
    }
    for (from, count) in [
        (host(0), limits::DHT_SAMPLES),
        (host(9), limits::DHT_UNPROVED),
    ] {
        let answer = bench.ask(from, Ask::SampleInfohashes(THEM), None);
        let answer = answer.unwrap();
        let samples = reply(&answer).samples.unwrap();
        assert_eq!(samples.iter().count(), count);
        assert_eq!(samples.count, 30);
    }
}

#[test]
fn an_id_is_kept_for_a_while() {
    let mut half = Half::new(
        Family::V4,
        None,
        Vec::new(),
        &mut Rng::from_seed(1),
        Time::default(),
    );
    let mut rng = Rng::from_seed(2);
    let mut vote = |half: &mut Half, seen: &str, now: Time| {
        for number in 0..limits::DHT_VOTES_KEPT {
            half.note_vote(host(number), seen.parse().unwrap(), &mut rng, now);
        }
        half.table.own()
    };
    let start = Time::from_micros(7);
    let first = vote(&mut half, "198.51.100.1", start);
    let soon = start + (limits::DHT_ID_KEPT - Duration::from_micros(1));
    assert_eq!(vote(&mut half, "203.0.113.1", soon), first);
    let later = start + limits::DHT_ID_KEPT;
    let second = vote(&mut half, "203.0.113.1", later);
    assert!(second != first && secure_id::fits(&second, "203.0.113.1".parse().unwrap()));
}
