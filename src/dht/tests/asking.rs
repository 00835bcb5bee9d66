//! What the machine asks of others, and what it says of that.

use super::*;

#[test]
fn a_lookup_asks_announces_and_hands_over_peers() {
    let mut bench = Bench::new();
    bench.dht.watch(true);
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    assert!(bench.sent.is_empty(), "nobody is known");
    let (host, next) = (addr("203.0.113.7:6881"), addr("198.51.100.1:6881"));
    bench.dht.add_contact(host);
    bench.turn();
    let first = bench.query_to(host).unwrap();
    let asked = Message::parse(&first).unwrap();
    assert_eq!(asked.transaction.len(), 4, "what all clients answer");
    let Body::Query(query) = asked.body else {
        panic!("it asks");
    };
    assert_eq!(
        query.ask,
        Ask::GetPeers(HASH),
        "at once, with no other step before"
    );
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    pack_node(
        &NodeInfo {
            id: NodeId(HASH.0),
            addr: next,
        },
        &mut nodes,
    );
    pack_value(addr("192.0.2.55:99"), &mut values);
    let named = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        token: Some(b"tok1"),
        ..Reply::bare(THEM)
    };
    bench.now = bench.now + Duration::from_millis(30);
    bench.answer(host, named, None);
    let found = Output::Peers {
        info_hash: HASH,
        from: Some(host),
        peers: vec![addr("192.0.2.55:99")],
    };
    assert!(bench.said.contains(&found));
    let last = Reply {
        token: Some(b"tok2"),
        ..Reply::bare(NodeId(HASH.0))
    };
    bench.answer(next, last, None);
    for (node, token) in [(host, b"tok1"), (next, b"tok2")] {
        let bytes = bench.query_to(node).unwrap();
        let Body::Query(query) = Message::parse(&bytes).unwrap().body else {
            panic!("it asks");
        };
        assert_eq!(query.ask, announce(token, 6881, true));
    }
    check_told(&bench);

    bench.dht.unwant(HASH);
    bench.sent.clear();
    bench.run(limits::DHT_ANNOUNCE * 3);
    let is_about = |bytes: &[u8]| bytes.windows(20).any(|part| part == HASH.0);
    assert!(!bench.sent.iter().any(|(_, bytes)| is_about(bytes)));
}

/// What the user and the torrent hear of it.
fn check_told(bench: &Bench) {
    let summary = bench.said.iter().find_map(|output| match output {
        Output::Looked(summary) => Some(*summary),
        _ => None,
    });
    let summary = summary.unwrap();
    assert_eq!((summary.queries, summary.answers), (2, 2));
    assert_eq!((summary.peers, summary.announced), (1, 2));
    let reports: Vec<&Event> = bench
        .said
        .iter()
        .filter_map(|output| match output {
            Output::Report(report) if report.target == HASH.into() => Some(&report.event),
            _ => None,
        })
        .collect();
    let answered = Event::Answered {
        round_trip: Duration::from_millis(30),
        nodes: 1,
        peers: 1,
        client: Some("XX 1.2".into()),
    };
    assert_eq!(*reports[0], Event::Asked);
    assert!(reports.contains(&&answered) && reports.contains(&&Event::Announced));
}

#[test]
fn saved_nodes_are_asked_first_and_hosts_when_they_are_silent() {
    let saved = addr("203.0.113.7:6881");
    let host = addr("198.51.100.1:6881");
    let mut bench = Bench::with(Saved {
        id4: Some(THEM),
        id6: None,
        nodes: vec![NodeInfo {
            id: NodeId([7; 20]),
            addr: saved,
        }],
    });
    assert_eq!(bench.dht.id(Family::V4), Some(THEM));
    bench.dht.add_contact(host);
    let want = Want {
        port: None,
        implied: false,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    assert!(bench.query_to(saved).is_some() && bench.query_to(host).is_none());
    bench.run(limits::DHT_SLOW - Duration::from_millis(1));
    assert!(bench.query_to(host).is_none());
    bench.run(Duration::from_millis(1));
    assert!(bench.query_to(host).is_some());
}

/// A node that knows us names us like any other, and we are a peer of our own torrents.
#[test]
fn we_neither_ask_nor_find_ourselves() {
    let mut bench = Bench::new();
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    let (host, us) = (addr("203.0.113.7:6881"), addr("192.0.2.55:6881"));
    bench.dht.add_contact(host);
    bench.turn();
    let (mut nodes, mut values) = (Vec::new(), Vec::new());
    let id = bench.dht.id(Family::V4).unwrap();
    pack_node(&NodeInfo { id, addr: us }, &mut nodes);
    pack_value(us, &mut values);
    pack_value(addr("192.0.2.55:99"), &mut values);
    let named = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        token: Some(b"tok1"),
        ..Reply::bare(THEM)
    };
    bench.answer(host, named, Some(us));
    bench.run(Duration::from_secs(10));
    assert!(bench.query_to(us).is_none());
    let found = bench.said.iter().filter_map(|output| match output {
        Output::Peers { peers, .. } => Some(peers.clone()),
        _ => None,
    });
    let found: Vec<SocketAddr> = found.flatten().collect();
    assert_eq!(found, [addr("192.0.2.55:99")]);
}

/// Others may know us by an earlier id, and name us as that node. Our own answer is no node's: it
/// does not count among those that answered, and nothing is announced to it.
#[test]
fn our_own_answer_counts_for_nothing() {
    let mut bench = Bench::new();
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: false,
    };
    bench.dht.want(HASH, want, bench.now);
    let (host, us) = (addr("203.0.113.7:6881"), addr("192.0.2.55:6881"));
    bench.dht.add_contact(host);
    bench.turn();
    let mut nodes = Vec::new();
    let earlier = NodeId(*b"mnopqrstuvwxyz123457");
    pack_node(
        &NodeInfo {
            id: earlier,
            addr: us,
        },
        &mut nodes,
    );
    let named = Reply {
        nodes: Some(&nodes),
        token: Some(b"tok1"),
        ..Reply::bare(THEM)
    };
    bench.answer(host, named, None);
    let ours = Reply {
        token: Some(b"tok2"),
        ..Reply::bare(bench.dht.id(Family::V4).unwrap())
    };
    bench.answer(us, ours, None);
    bench.run(Duration::from_secs(10));
    let answers = bench.said.iter().find_map(|output| match output {
        Output::Looked(summary) => Some(summary.answers),
        _ => None,
    });
    assert_eq!(answers, Some(1));
    let announced = |(to, bytes): &&(SocketAddr, Vec<u8>)| {
        *to == us && bytes.windows(13).any(|part| part == b"announce_peer")
    };
    assert_eq!(bench.sent.iter().find(announced), None);
}

/// A node that calls itself otherwise each time is the first that we know each time.
#[test]
fn a_node_that_changes_its_id_is_asked_no_more_often_than_others() {
    let mut bench = Bench::new();
    let host = addr("203.0.113.7:6881");
    bench.dht.add_contact(host);
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    let (end, mut asked) = (bench.now + Duration::from_secs(60), 0_usize);
    while bench.now < end {
        while bench.query_to(host).is_some() {
            asked += 1;
            let id = NodeId([asked as u8; 20]);
            let query = bench.query_to(host).unwrap();
            let transaction = Message::parse(&query).unwrap().transaction.to_vec();
            bench.sent.clear();
            let message = Message {
                transaction: &transaction,
                body: Body::Reply(Reply {
                    token: Some(b"token"),
                    ..Reply::bare(id)
                }),
                version: None,
                external: None,
                read_only: false,
            };
            bench.receive(host, &message);
        }
        bench.now = bench.dht.next_deadline().unwrap_or(end).min(end);
        bench.turn();
    }
    assert!((1..60).contains(&asked), "{asked} queries in a minute");
}

/// Whoever writes in another's name has us ask that one back: seldom, whatever ports he names.
#[test]
fn one_in_whose_name_others_write_is_asked_back_seldom() {
    let mut bench = Bench::new();
    for (port, most) in [(0, 1), (1, limits::DHT_PORTS_EACH)] {
        let victim = addr(&format!("203.0.{port}.7:6881"));
        bench.sent.clear();
        for number in 0..limits::DHT_SILENT_FOR.as_secs() * 5 - 100 {
            let forged = Message {
                transaction: b"xy",
                body: Body::Query(Query {
                    id: NodeId::random(&mut Rng::from_seed(number)),
                    ask: Ask::Ping,
                    want: None,
                }),
                version: None,
                external: None,
                read_only: false,
            };
            let from = SocketAddr::new(victim.ip(), 6881 + port * number as u16);
            bench.receive(from, &forged);
            bench.run(Duration::from_millis(200));
        }
        let asked = |(to, bytes): &&(SocketAddr, Vec<u8>)| {
            to.ip() == victim.ip() && bytes.starts_with(b"d1:ad")
        };
        let asked = bench.sent.iter().filter(asked).count();
        assert!((1..=most).contains(&asked), "{asked} queries");
    }
}

/// Liars name the node that has the peers at ports where nobody is. The honest node comes last, and
/// perhaps when the lookup is over.
#[test]
fn wrong_ports_of_a_node_keep_nobody_from_it() {
    for late in [Duration::ZERO, limits::DHT_HOLD_ALONE] {
        let mut bench = Bench::new();
        name_wrong_ports(&mut bench, late);
    }
}

fn name_wrong_ports(bench: &mut Bench, late: Duration) {
    let want = Want {
        port: None,
        implied: false,
        is_urgent: true,
    };
    bench.dht.want(HASH, want, bench.now);
    let namers: Vec<SocketAddr> = (1..=limits::DHT_PORTS_EACH as u8)
        .map(|number| ([203, 0, number, 7], 6881).into())
        .collect();
    namers
        .iter()
        .for_each(|&namer| bench.dht.add_contact(namer));
    bench.turn();
    let host = addr("198.51.100.1:6881");
    for (namer, number) in namers.iter().zip(1..) {
        bench.wait_for_query(*namer);
        let is_honest = number == namers.len();
        if is_honest {
            bench.run(late);
        }
        let mut nodes = Vec::new();
        let named = NodeInfo {
            id: NodeId(HASH.0),
            addr: if is_honest {
                host
            } else {
                SocketAddr::new(host.ip(), number as u16)
            },
        };
        pack_node(&named, &mut nodes);
        let reply = Reply {
            nodes: Some(&nodes),
            ..Reply::bare(NodeId([number as u8; 20]))
        };
        bench.answer(*namer, reply, None);
        bench.run(limits::DHT_SLOW);
    }
    assert!(bench.query_to(host).is_some(), "late by {late:?}");
}

/// The first node knows nobody, and a torrent that needs no peers now is looked up seldom; another
/// node may know more.
#[test]
fn a_torrent_is_looked_up_again_once_another_node_is_known() {
    let mut bench = Bench::new();
    let want = Want {
        port: Some(6881),
        implied: true,
        is_urgent: false,
    };
    let (first, next) = (addr("203.0.113.7:6881"), addr("198.51.100.1:6881"));
    bench.dht.add_contact(first);
    bench.dht.want(HASH, want, bench.now);
    bench.turn();
    bench.answer(first, Reply::bare(THEM), None);
    bench.run(limits::DHT_HOLD_ALONE);
    assert!(bench.said.iter().any(|it| matches!(it, Output::Looked(_))));
    bench.dht.add_contact(next);
    bench.wait_for_query(next);
    bench.answer(next, Reply::bare(NodeId(HASH.0)), None);
    bench.run(Duration::from_millis(1));
    let asked = bench.query_to(next).unwrap();
    let Body::Query(query) = Message::parse(&asked).unwrap().body else {
        panic!("it asks");
    };
    assert_eq!(query.ask, Ask::GetPeers(HASH));
}
