//! One exchange over UDP, by the clock of BEP 15.

use super::*;
use crate::base::limits;
use crate::wire::announce::{Event, Reply};
use crate::wire::udp_tracker::{Body, Request, Response};
use crate::wire::{Family, Scraped};

pub(super) const U: &str = "udp://10.0.0.1:9/announce";

/// A datagram that we sent, read as the tracker reads it.
pub(super) struct Sent {
    pub(super) to: SocketAddr,
    pub(super) request: Request,
}

impl Sent {
    fn transaction(&self) -> u32 {
        match self.request {
            Request::Connect { transaction }
            | Request::Announce { transaction, .. }
            | Request::Scrape { transaction, .. } => transaction,
        }
    }

    fn event(&self) -> Option<Event> {
        match &self.request {
            Request::Announce { query, .. } => query.event,
            other => panic!("no announce but {other:?}"),
        }
    }

    fn is_connect(&self) -> bool {
        matches!(self.request, Request::Connect { .. })
    }
}

#[track_caller]
pub(super) fn sent(bench: &mut Bench) -> Sent {
    let (to, bytes) = bench.datagram();
    Sent {
        to,
        request: Request::parse(&bytes).unwrap(),
    }
}

pub(super) fn reply(bench: &mut Bench, sent: &Sent, body: Body) -> bool {
    let mut bytes = Vec::new();
    Response {
        transaction: sent.transaction(),
        body,
    }
    .encode(&mut bytes);
    bench.hear_datagram(sent.to, &bytes)
}

pub(super) fn announced(peers: &[&str]) -> Body {
    Body::Announce(Reply {
        interval: Some(Duration::from_secs(1800)),
        seeders: Some(3),
        leechers: Some(2),
        peers: peers.iter().map(|peer| peer.parse().unwrap()).collect(),
        ..Reply::default()
    })
}

/// Answers a connect request and returns the announce that follows.
pub(super) fn connect(bench: &mut Bench, id: u64) -> Sent {
    let request = sent(bench);
    assert!(request.is_connect());
    assert!(reply(bench, &request, Body::Connect(id)));
    sent(bench)
}

/// BEP 15: "Before announcing or scraping, you have to obtain a connection ID."
#[test]
fn connect_then_announce() {
    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 77);
    assert_eq!(announce.to, "10.0.0.1:9".parse().unwrap());
    let Request::Announce {
        connection, query, ..
    } = &announce.request
    else {
        panic!()
    };
    assert_eq!(
        (*connection, query.event, query.left),
        (77, Some(Event::Started), 1000)
    );
    assert_eq!(
        (query.port, query.key, query.num_want),
        (6881, 0x1234_abcd, 80)
    );
    assert!(reply(&mut bench, &announce, announced(&["1.2.3.4:9"])));
    bench.quiet();
    bench.take_actions();
    assert_eq!(
        bench.reports[0].outcome,
        Ok(vec!["1.2.3.4:9".parse().unwrap()])
    );
    assert_eq!(bench.reports[0].counts.seeders, Some(3));
    assert_eq!(bench.idle_for(), Some(1800));
}

/// BEP 15: "Check whether the transaction ID is equal to the one you chose. Check whether the
/// action is announce."
#[test]
fn only_the_answer_to_the_question_is_taken() {
    let mut bench = Bench::started(&[&[U]]);
    let request = sent(&mut bench);
    let mut bytes = Vec::new();
    Response {
        transaction: request.transaction() ^ 1,
        body: Body::Connect(1),
    }
    .encode(&mut bytes);
    assert!(
        !bench.hear_datagram(request.to, &bytes),
        "another transaction"
    );
    bytes.clear();
    Response {
        transaction: request.transaction(),
        body: Body::Connect(1),
    }
    .encode(&mut bytes);
    for stranger in ["10.0.0.1:10", "10.0.0.2:9", "[::1]:9"] {
        let from = stranger.parse().unwrap();
        assert!(!bench.hear_datagram(from, &bytes), "{stranger}");
    }
    reply(&mut bench, &request, announced(&[]));
    bench.quiet();
    let disguised = "[::ffff:10.0.0.1]:9".parse().unwrap();
    assert!(bench.hear_datagram(disguised, &bytes), "the same address");
    let announce = sent(&mut bench);
    assert_ne!(announce.transaction(), request.transaction());
    assert!(
        !reply(&mut bench, &request, announced(&[])),
        "an old transaction"
    );
    reply(&mut bench, &announce, Body::Connect(2));
    reply(
        &mut bench,
        &announce,
        Body::Scrape(vec![Scraped::default()]),
    );
    assert!(bench.said().is_empty());
    reply(&mut bench, &announce, announced(&[]));
    assert_eq!(bench.said(), [format!("{U} 0")]);
    assert!(
        !reply(&mut bench, &announce, announced(&[])),
        "answered already"
    );
}

/// BEP 15: "If a response is not received after 15 * 2 ^ n seconds, the client should retransmit
/// the request". After two losses the next tracker has its turn.
#[test]
fn what_is_lost_is_sent_again() {
    let mut bench = Bench::started(&[&[U], &["udp://10.0.0.2:9"]]);
    let first = sent(&mut bench);
    bench.pass(14);
    bench.quiet();
    bench.pass(1);
    let second = sent(&mut bench);
    assert_eq!(second.request, first.request);
    bench.pass(29);
    bench.quiet();
    bench.pass(1);
    assert_eq!(sent(&mut bench).to, "10.0.0.2:9".parse().unwrap());
    assert_eq!(bench.said(), [format!("{U}: no answer")]);
}

/// BEP 15's example: the announce that is sent at t = 2 is sent again at t = 17; a response resets
/// the count.
#[test]
fn an_announce_is_sent_again_under_the_same_connection_id() {
    let mut bench = Bench::started(&[&[U]]);
    sent(&mut bench);
    bench.pass(15);
    let announce = connect(&mut bench, 5);
    bench.pass(15);
    let again = sent(&mut bench);
    assert_eq!(again.request, announce.request);
    bench.pass(29);
    reply(&mut bench, &again, announced(&[]));
    assert_eq!(bench.said(), [format!("{U} 0")]);
}

/// BEP 15: "A client can use a connection ID until one minute after it has received it."
#[test]
fn a_connection_id_lasts_a_minute() {
    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 5);
    reply(&mut bench, &announce, announced(&[]));
    bench.pass(59);
    bench.trackers.completed(&mut bench.shared, bench.now);
    let announce = sent(&mut bench);
    assert_eq!(announce.event(), Some(Event::Completed));
    let Request::Announce { connection: 5, .. } = announce.request else {
        panic!()
    };
    reply(&mut bench, &announce, announced(&[]));
    bench.pass(1);
    bench.trackers.stop(&mut bench.shared, bench.now);
    let announce = connect(&mut bench, 6);
    assert_eq!(announce.event(), Some(Event::Stopped));
    reply(&mut bench, &announce, announced(&[]));
    assert!(bench.trackers.is_idle());
}

/// BEP 15: "Note that it is necessary to rerequest a connection ID when it has expired."
#[test]
fn a_connection_id_that_expires_meanwhile_is_asked_for_anew() {
    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 5);
    reply(&mut bench, &announce, announced(&[]));
    bench.pass(50);
    bench.trackers.completed(&mut bench.shared, bench.now);
    let lost = sent(&mut bench);
    assert_eq!(lost.event(), Some(Event::Completed));
    bench.pass(15);
    let announce = connect(&mut bench, 6);
    assert_eq!(announce.event(), Some(Event::Completed));
    assert_ne!(announce.transaction(), lost.transaction());
}

#[test]
fn a_connection_id_belongs_to_one_address() {
    let mut bench = Bench::started(&[&["udp://t:9"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1"]);
    let announce = connect(&mut bench, 5);
    reply(&mut bench, &announce, announced(&[]));
    bench.trackers.completed(&mut bench.shared, bench.now);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.2"]);
    assert!(sent(&mut bench).is_connect());
}

#[test]
fn an_error_is_the_answer() {
    let mut bench = Bench::started(&[&[U]]);
    let request = sent(&mut bench);
    reply(&mut bench, &request, Body::Error(String::from("go away")));
    assert_eq!(bench.said(), [format!("{U}: go away")]);
    assert_eq!(bench.idle_for(), Some(30));

    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 5);
    reply(
        &mut bench,
        &announce,
        Body::Error(String::from("unregistered")),
    );
    assert_eq!(bench.said(), [format!("{U}: unregistered")]);
}

#[test]
fn an_error_without_words_is_said_to_be_one() {
    for words in ["", " "] {
        let mut bench = Bench::started(&[&[U]]);
        let request = sent(&mut bench);
        assert!(reply(&mut bench, &request, Body::Error(words.to_string())));
        let why = format!("{U}: it refused without a reason");
        assert_eq!(bench.said(), [why]);
    }
}

/// opentracker's answer for a torrent that is not on its whitelist: action 1, the transaction, and
/// nothing else.
#[test]
fn an_announce_answered_with_nothing_is_refused_at_once() {
    let mut bench = Bench::started(&[&[U], &["udp://10.0.0.2:9"]]);
    let announce = connect(&mut bench, 5);
    let mut bytes = vec![0, 0, 0, 1];
    bytes.extend(announce.transaction().to_be_bytes());
    assert!(bench.hear_datagram(announce.to, &bytes));
    assert_eq!(sent(&mut bench).to, "10.0.0.2:9".parse().unwrap());
    assert_eq!(bench.said(), [format!("{U}: it refused without a reason")]);
}

/// Answers under the right transaction that are none. A right one may follow for two seconds; then
/// the user is told what is wrong, and the next tracker has its turn.
#[test]
fn an_answer_that_makes_no_sense_is_not_waited_out() {
    let cut = "the answer makes no sense: the data ends too soon";
    for (action, rest, why) in [
        (1, 3, cut),
        (1, 11, cut),
        (
            0,
            8,
            "the answer makes no sense: it answers another question",
        ),
        (
            2,
            12,
            "the answer makes no sense: it answers another question",
        ),
        (4, 20, "the answer makes no sense: this is no response"),
    ] {
        for better in [true, false] {
            let mut bench = Bench::started(&[&[U], &["udp://10.0.0.2:9"]]);
            let announce = connect(&mut bench, 5);
            let mut bytes = vec![0, 0, 0, action];
            bytes.extend(announce.transaction().to_be_bytes());
            bytes.extend(vec![0; rest]);
            let to = announce.to;
            assert!(bench.hear_datagram(to, &bytes));
            bench.quiet();
            let patience = limits::UDP_SECOND_ANSWER.as_secs();
            bench.pass(patience - 1);
            if better {
                assert!(reply(&mut bench, &announce, announced(&[])));
                assert_eq!(bench.said(), [format!("{U} 0")]);
                continue;
            }
            assert!(bench.said().is_empty());
            bench.pass(1);
            assert_eq!(sent(&mut bench).to, "10.0.0.2:9".parse().unwrap());
            let said = bench.said();
            assert!(said[0].starts_with(&format!("{U}: {why}")), "{said:?}");
        }
    }
}

#[test]
fn a_connection_id_that_the_tracker_forgot_is_asked_for_anew() {
    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 5);
    reply(&mut bench, &announce, announced(&[]));
    bench.trackers.completed(&mut bench.shared, bench.now);
    let announce = sent(&mut bench);
    reply(
        &mut bench,
        &announce,
        Body::Error(String::from("connection id mismatch")),
    );
    let announce = connect(&mut bench, 6);
    assert_eq!(announce.event(), Some(Event::Completed));
    reply(&mut bench, &announce, Body::Error(String::from("still no")));
    assert_eq!(bench.said(), [format!("{U} 0"), format!("{U}: still no")]);
}

/// BEP 15: "packets from a v4 address use the v4 format, those from a v6 address use the v6 format.
/// Clients that resolve hostnames to v4 and v6 and then announce to both should use the same key
/// for both".
#[test]
fn each_family_has_a_format_of_its_own() {
    let mut bench = Bench::started(&[&["udp://t:9"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["::1", "10.0.0.1"]);
    let (v4, v6) = (sent(&mut bench), sent(&mut bench));
    assert_eq!(
        [v4.to, v6.to].map(|to| Family::of(to.ip())),
        [Family::V4, Family::V6]
    );
    reply(&mut bench, &v6, Body::Connect(6));
    let v6 = sent(&mut bench);
    reply(&mut bench, &v4, Body::Connect(4));
    let v4 = sent(&mut bench);
    let key = |sent: &Sent| match &sent.request {
        Request::Announce { query, .. } => query.key,
        _ => 0,
    };
    assert_eq!((key(&v4), key(&v6)), (0x1234_abcd, 0x1234_abcd));
    reply(&mut bench, &v6, announced(&["[2001:db8::7]:7"]));
    reply(&mut bench, &v4, announced(&["1.2.3.4:4"]));
    bench.take_actions();
    let peers: Vec<_> = bench
        .reports
        .iter()
        .map(|report| report.outcome.clone().unwrap())
        .collect();
    assert_eq!(
        peers,
        [
            vec!["[2001:db8::7]:7".parse().unwrap()],
            vec!["1.2.3.4:4".parse().unwrap()]
        ]
    );
}

#[test]
fn what_can_never_arrive_is_not_waited_for() {
    let mut bench = Bench::started(&[&[U], &["udp://10.0.0.2:9"]]);
    let request = sent(&mut bench);
    bench.hear_undeliverable(request.to, "network is unreachable");
    assert_eq!(sent(&mut bench).to, "10.0.0.2:9".parse().unwrap());
    assert_eq!(bench.said(), [format!("{U}: network is unreachable")]);
}

#[test]
fn another_address_is_tried_after_a_failure() {
    let mut bench = Bench::started(&[&["udp://t:9"]]);
    let mut asked = Vec::new();
    for _ in 0..3 {
        let (id, _) = bench.lookup();
        bench.found(id, &["10.0.0.1", "10.0.0.2"]);
        asked.push(sent(&mut bench).to.ip().to_string());
        bench.pass(15);
        sent(&mut bench);
        bench.pass(30);
        let wait = bench.idle_for().unwrap();
        bench.pass(wait);
    }
    assert_eq!(asked, ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
}
