//! The examples of BEP 5, messages of real clients, and what is none.

use super::super::node_info::{NodeInfo, pack_node};
use super::super::query::{Ask, Want};
use super::super::reply::{Samples, Values, pack_value};
use super::*;
use crate::base::{Duration, InfoHash, NodeId, Rng};

const QUERIER: NodeId = NodeId(*b"abcdefghij0123456789");
const TARGET: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

fn message(body: Body<'_>) -> Message<'_> {
    Message {
        transaction: b"aa",
        body,
        version: None,
        external: None,
        read_only: false,
    }
}

fn query(ask: Ask<'_>) -> Message<'_> {
    message(Body::Query(Query {
        id: QUERIER,
        ask,
        want: None,
    }))
}

/// The packets that BEP 5 prints, byte for byte.
fn examples<'a>() -> Vec<(Message<'a>, &'a [u8])> {
    let info_hash = InfoHash(TARGET.0);
    let announce = Ask::AnnouncePeer {
        info_hash,
        port: 6881,
        implied: true,
        token: b"aoeusnth",
    };
    let answer = Reply {
        token: Some(b"aoeusnth"),
        values: Some(Values(b"6:axje.u6:idhtnm")),
        ..Reply::bare(QUERIER)
    };
    vec![
        (
            query(Ask::Ping),
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        ),
        (
            message(Body::Reply(Reply::bare(TARGET))),
            b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
        ),
        (
            query(Ask::FindNode(TARGET)),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            query(Ask::GetPeers(info_hash)),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            message(Body::Reply(answer)),
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        ),
        (
            query(announce),
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz123456\
              4:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        ),
        (
            message(Body::Failure(Failure {
                code: Failure::GENERIC,
                words: b"A Generic Error Ocurred",
            })),
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
        ),
    ]
}

#[test]
fn the_examples_of_bep_5_are_read_and_written() {
    for (message, bytes) in examples() {
        assert_eq!(Message::parse(bytes), Ok(message));
        let mut written = Vec::new();
        message.encode(&mut written);
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(shown(&written), shown(bytes));
    }
    let Body::Reply(reply) = examples()[4].0.body else {
        panic!("the fifth is a reply");
    };
    let peers: Vec<SocketAddr> = reply.values.unwrap().iter().collect();
    let named = ["97.120.106.101:11893", "105.100.104.116:28269"];
    assert_eq!(peers, named.map(|peer| peer.parse().unwrap()));
}

#[test]
fn what_later_beps_added_goes_both_ways() {
    let (mut nodes, mut nodes6, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for addr in ["192.0.2.1:6881", "[2001:db8::1]:6881"] {
        let addr: SocketAddr = addr.parse().unwrap();
        let list = if addr.is_ipv4() {
            &mut nodes
        } else {
            &mut nodes6
        };
        pack_node(&NodeInfo { id: TARGET, addr }, list);
        pack_value(addr, &mut values);
    }
    let reply = Reply {
        nodes: Some(&nodes),
        nodes6: Some(&nodes6),
        values: Some(Values(&values)),
        token: Some(b"1234"),
        samples: Some(Samples {
            interval: Duration::from_secs(21_600),
            count: 77,
            hashes: &[7; 40],
        }),
        ..Reply::bare(QUERIER)
    };
    let asked = Query {
        id: QUERIER,
        ask: Ask::SampleInfohashes(TARGET),
        want: Some(Want { v4: true, v6: true }),
    };
    for body in [Body::Reply(reply), Body::Query(asked)] {
        for external in [None, Some("192.0.2.9:4"), Some("[2001:db8::9]:4")] {
            let message = Message {
                transaction: b"",
                version: Some(b"LT\x02\x0e"),
                external: external.map(|addr| addr.parse().unwrap()),
                read_only: true,
                ..message(body)
            };
            let mut written = Vec::new();
            message.encode(&mut written);
            assert_eq!(Message::parse(&written), Ok(message));
            assert_eq!(message.client().as_deref(), Some("LT 2.14"));
        }
    }
    assert_eq!(reply.nodes_of(Family::V4).count(), 1);
    assert_eq!(reply.nodes_of(Family::V6).count(), 1);
    assert_eq!(reply.samples.unwrap().iter().count(), 2);
    assert_eq!(reply.values.unwrap().iter().count(), 2);
}

/// Peculiarities of real clients, as seen on the wire.
#[test]
fn what_real_clients_send_is_read() {
    // libtorrent: an error, an address and a reply in one; the port in the reply.
    let bytes =
        b"d1:eli203e13:invalid tokene2:ip6:\xc0\x00\x02\x09\x1a\xe11:rd2:id20:mnopqrstuvwxyz1234561:pi6881ee1:t2:aa1:y1:ee";
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.external, Some("192.0.2.9:6881".parse().unwrap()));
    let Body::Failure(failure) = message.body else {
        panic!("it is an error");
    };
    assert_eq!(
        (failure.code, failure.shown().as_str()),
        (203, "invalid token")
    );
    // Its first query: `bs` among the arguments. rqbit: `values` in every reply.
    let first =
        b"d1:ad2:bsi1e2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:v4:LT\x02\x0e1:y1:qe";
    assert!(Message::parse(first).is_ok());
    let empty = b"d1:rd2:id20:abcdefghij01234567895:nodes0:5:token4:abcd6:valueslee1:t0:1:y1:re";
    let Body::Reply(reply) = Message::parse(empty).unwrap().body else {
        panic!("it is a reply");
    };
    assert_eq!(reply.values.unwrap().iter().count(), 0);
    // Transmission answers a long transaction id with none.
    assert_eq!(Message::parse(empty).unwrap().transaction, b"");
    // libtorrent: the port may be missing where it is implied, for others it may not.
    let announce = |rest: &str| {
        format!(
            "d1:ad2:id20:abcdefghij0123456789{rest}5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe"
        )
    };
    let hash = "9:info_hash20:mnopqrstuvwxyz123456";
    for (rest, fine) in [
        (format!("12:implied_porti1e{hash}"), true),
        (format!("{hash}4:porti6881e"), true),
        (format!("{hash}4:porti0e"), false),
        (format!("{hash}4:porti-1e"), false),
        (format!("{hash}4:porti65537e"), false),
        ("4:porti6881e".to_string(), false),
        (hash.to_string(), false),
    ] {
        let text = announce(&rest);
        let parsed = Message::parse(text.as_bytes());
        let refused = |unreadable| match unreadable {
            Unreadable::Query { failure, .. } => failure.code,
            Unreadable::Malformed(_) => 0,
        };
        assert_eq!(
            parsed.map_err(refused).err(),
            (!fine).then_some(203),
            "{rest}"
        );
    }
}

#[test]
fn unknown_methods_find_nodes_or_are_refused() {
    let text =
        |args: &str| format!("d1:ad2:id20:abcdefghij0123456789{args}e1:q3:new1:t2:aa1:y1:qe");
    for args in [
        "6:target20:mnopqrstuvwxyz123456",
        "9:info_hash20:mnopqrstuvwxyz123456",
    ] {
        let text = text(args);
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(message, query(Ask::Other(TARGET)));
    }
    let refused = text("");
    let expected = Unreadable::Query {
        transaction: b"aa",
        failure: Failure {
            code: 204,
            words: b"unknown method",
        },
    };
    assert_eq!(Message::parse(refused.as_bytes()), Err(expected));
}

#[test]
fn what_is_no_message_is_malformed() {
    for text in [
        "",
        "d",
        "de",
        "le",
        "i1e",
        "d1:t2:aa1:y1:qe",
        "d1:t2:aa1:y1:re",
        "d1:rde1:t2:aa1:y1:re",
        "d1:rd2:id19:abcdefghij012345678e1:t2:aa1:y1:re",
        "d1:q4:ping1:t2:aa1:y1:qe",
        "d1:ade1:t2:aa1:y1:qe",
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:xe",
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae",
    ] {
        let parsed = Message::parse(text.as_bytes());
        assert!(matches!(parsed, Err(Unreadable::Malformed(_))), "{text}");
    }
    let long = "t".repeat(limits::KRPC_TRANSACTION);
    let ping = |t: &str| {
        format!(
            "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t{}:{t}1:y1:qe",
            t.len()
        )
    };
    assert!(Message::parse(ping(&long).as_bytes()).is_ok());
    assert!(Message::parse(ping(&(long + "t")).as_bytes()).is_err());
}

#[test]
fn lists_end_at_their_bounds() {
    let nodes = vec![7; 26 * (limits::KRPC_NODES + 1)];
    let values = b"6:abcdef".repeat(limits::KRPC_PEERS + 1);
    let reply = Reply {
        nodes: Some(&nodes),
        values: Some(Values(&values)),
        token: Some(&[1; limits::KRPC_TOKEN + 1]),
        ..Reply::bare(QUERIER)
    };
    let mut written = Vec::new();
    message(Body::Reply(reply)).encode(&mut written);
    let Body::Reply(reply) = Message::parse(&written).unwrap().body else {
        panic!("it is a reply");
    };
    assert_eq!(reply.nodes_of(Family::V4).count(), limits::KRPC_NODES);
    assert_eq!(reply.values.unwrap().iter().count(), limits::KRPC_PEERS);
    assert_eq!(reply.token, None, "a token that long is none");
}

/// A datagram that was cut, grew or was changed is read as something or refused, and never more.
#[test]
fn no_change_of_a_message_makes_reading_fail() {
    let mut rng = Rng::from_seed(5);
    for (message, bytes) in examples() {
        for end in 0..bytes.len() {
            assert!(Message::parse(&bytes[..end]).is_err(), "cut to {end}");
        }
        assert_eq!(Message::parse(&[bytes, b"trailing"].concat()), Ok(message));
        for _ in 0..2_000 {
            let mut changed = bytes.to_vec();
            for _ in 0..=rng.below(3) {
                let place = rng.below(changed.len() as u64) as usize;
                changed[place] = rng.below(256) as u8;
            }
            if let Ok(read) = Message::parse(&changed) {
                let mut written = Vec::new();
                read.encode(&mut written);
                assert_eq!(Message::parse(&written), Ok(read));
            }
        }
    }
}
