//! What others are answered.

use super::*;

#[test]
fn every_query_is_answered_with_its_transaction_and_its_senders_address() {
    let mut bench = Bench::new();
    let from = addr("203.0.113.7:4444");
    for ask in [
        Ask::Ping,
        Ask::FindNode(THEM),
        Ask::GetPeers(HASH),
        Ask::SampleInfohashes(THEM),
        Ask::Other(THEM),
    ] {
        let answer = bench.ask(from, ask, None).expect("it answers");
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.transaction, b"xy");
        assert_eq!(message.external, Some(from));
        let reply = reply(&answer);
        assert_eq!(Some(reply.id), bench.dht.id(Family::V4));
        let may_announce = matches!(ask, Ask::GetPeers(_) | Ask::Other(_));
        assert_eq!(reply.token.is_some(), may_announce);
        assert_eq!(reply.nodes.is_some(), !matches!(ask, Ask::Ping));
    }
    bench.sent.clear();
    bench.dht.receive(
        from,
        b"d1:ad2:id20:abcdefghij0123456789e1:q3:wow1:t1:z1:y1:qe",
        bench.now,
    );
    bench.turn();
    assert_eq!(failure(&bench.sent.pop().unwrap().1), 204);
    let over_v6 = bench.ask(addr("[2001:db8::7]:4"), Ask::FindNode(THEM), None);
    assert_eq!(Some(reply(&over_v6.unwrap()).id), bench.dht.id(Family::V6));
}

/// The crate `mainline` asks for tokens by the `get` of BEP 44, and announces with them.
#[test]
fn a_token_of_another_method_counts() {
    let mut bench = Bench::new();
    let from = addr("203.0.113.7:4444");
    let get = [
        &b"d1:ad2:id20:abcdefghij01234567896:target20:"[..],
        &HASH.0,
        b"e1:q3:get1:t2:xy1:y1:qe",
    ];
    bench.sent.clear();
    bench.dht.receive(from, &get.concat(), bench.now);
    bench.turn();
    let (_, answer) = bench.sent.remove(0);
    let token = reply(&answer).token.expect("a token").to_vec();
    bench
        .ask(from, announce(&token, 7000, false), None)
        .unwrap();
    assert_eq!(bench.dht.stored_peers(), 1);
}

#[test]
fn a_peer_is_stored_only_with_its_token_and_found_by_others() {
    let mut bench = Bench::new();
    let (from, other) = (addr("203.0.113.7:4444"), addr("198.51.100.1:5"));
    let answer = bench.ask(from, Ask::GetPeers(HASH), None).unwrap();
    let token = reply(&answer).token.unwrap().to_vec();
    for (who, token) in [(from, &b"wrong"[..]), (from, b""), (other, &token)] {
        let answer = bench.ask(who, announce(token, 1, false), None).unwrap();
        assert_eq!(failure(&answer), 203);
    }
    assert_eq!(bench.dht.stored_peers(), 0);
    reply(
        &bench
            .ask(from, announce(&token, 7000, false), None)
            .unwrap(),
    );
    reply(&bench.ask(from, announce(&token, 7000, true), None).unwrap());
    let answer = bench.ask(other, Ask::GetPeers(HASH), None).unwrap();
    let mut peers: Vec<SocketAddr> = reply(&answer).values.unwrap().iter().collect();
    peers.sort();
    // BEP 5: with `implied_port` "the port argument should be ignored and the source port of the
    // UDP packet should be used as the peer's port instead".
    assert_eq!(peers, [addr("203.0.113.7:4444"), addr("203.0.113.7:7000")]);
    let answer = bench.ask(other, Ask::SampleInfohashes(THEM), None).unwrap();
    let samples = reply(&answer).samples.unwrap();
    assert_eq!(samples.iter().collect::<Vec<_>>(), [HASH]);
    assert_eq!(
        (samples.count, samples.interval),
        (1, limits::DHT_SAMPLE_INTERVAL)
    );
    let over_v6 = bench.ask(addr("[2001:db8::7]:4"), Ask::GetPeers(HASH), None);
    assert!(
        reply(&over_v6.unwrap()).values.is_none(),
        "IPv6 is another DHT"
    );
}

#[test]
fn answers_to_strangers_are_short_and_few() {
    let mut bench = Bench::new();
    // A full store and some nodes.
    for number in 0..60_u16 {
        let from: SocketAddr = ([60, 1, number as u8, 1], 6881).into();
        let answer = bench.ask(from, Ask::GetPeers(HASH), None).unwrap();
        let token = reply(&answer).token.unwrap().to_vec();
        bench.ask(from, announce(&token, 1, false), None).unwrap();
        bench.now = bench.now + Duration::from_millis(100);
    }
    let stranger = addr("203.0.113.7:4444");
    bench.now = bench.now + Duration::from_secs(1);
    let want = Some(Families { v4: true, v6: true });
    for ask in [
        Ask::GetPeers(HASH),
        Ask::FindNode(THEM),
        Ask::SampleInfohashes(THEM),
    ] {
        let answer = bench.ask(stranger, ask, want).unwrap();
        assert!(answer.len() <= 4 * 104, "{} bytes", answer.len());
    }
    let answer = bench.ask(stranger, Ask::GetPeers(HASH), None).unwrap();
    assert_eq!(
        reply(&answer).values.unwrap().iter().count(),
        limits::DHT_UNPROVED
    );

    bench.now = bench.now + Duration::from_secs(2);
    let mut answers = 0;
    for _ in 0..10_000 {
        answers += usize::from(bench.ask(stranger, Ask::GetPeers(HASH), want).is_some());
    }
    assert_eq!(answers, limits::DHT_ANSWERS_EACH.into());
    bench.now = bench.now + Duration::from_secs(2);
    let mut answers = 0;
    for number in 0..10_000_u16 {
        let [a, b] = number.to_be_bytes();
        let from = ([70, a, b, 1], 6881).into();
        answers += usize::from(bench.ask(from, Ask::Ping, None).is_some());
    }
    assert_eq!(answers, limits::DHT_ANSWERS.into());
}
