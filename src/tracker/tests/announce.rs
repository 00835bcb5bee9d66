//! Rounds: whom, in which order, when.

use super::*;
use crate::base::limits;

const A: &str = "http://10.0.0.1/announce";
const B: &str = "http://10.0.0.2/announce";
const C: &str = "http://10.0.0.3/announce";

/// The hosts asked in one round in which nobody answers.
fn round(bench: &mut Bench) -> Vec<String> {
    let mut hosts = Vec::new();
    while let Some(action) = bench.next() {
        if let Action::Connect { id, addr, .. } = action {
            hosts.push(addr.ip().to_string());
            let why = Err(String::from("no route"));
            bench.hear_closed(id, why);
        }
    }
    hosts
}

#[test]
fn the_first_announce_says_who_we_are() {
    let mut bench = Bench::started(&[&["http://t.example:81/announce?pass=1"]]);
    let (id, host) = bench.lookup();
    assert_eq!(host, "t.example");
    bench.found(id, &["10.0.0.1"]);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "10.0.0.1:81");
    assert_eq!(
        get.text,
        "GET /announce?pass=1&info_hash=hhhhhhhhhhhhhhhhhhhh&peer_id=-bk0100-abcdefghijkl&port=6881&uploaded=0\
         &downloaded=0&left=1000&numwant=80&key=1234abcd&compact=1&event=started HTTP/1.1\r\n\
         Host: t.example:81\r\nUser-Agent: brooklet/0.1.0\r\nAccept-Encoding: identity\r\n\r\n"
    );
    bench.quiet();
    let words =
        "d8:completei3e10:incompletei2e5:peers6:\x01\x02\x03\x04\x00\x0915:warning message5:carefe";
    bench.answer(&get, words);
    bench.take_actions();
    let report = &bench.reports[0];
    assert_eq!(report.url, "http://t.example:81/announce?pass=1");
    assert_eq!(report.outcome, Ok(vec!["1.2.3.4:9".parse().unwrap()]));
    assert_eq!(report.warning.as_deref(), Some("caref"));
    assert_eq!(
        (report.counts.seeders, report.counts.leechers),
        (Some(3), Some(2))
    );
}

/// BEP 12: "On each announce, first try tracker1, then if that cannot be reached, try backup1 and
/// backup2 respectively. On the next announce, repeat in the same order."
#[test]
fn backups_are_tried_in_order() {
    let mut bench = Bench::started(&[&[A], &[B], &[C]]);
    assert_eq!(round(&mut bench), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    bench.pass(15);
    let get = bench.get();
    assert_eq!(get.addr.ip().to_string(), "10.0.0.1");
    bench.refuse(&get);
    let get = bench.get();
    assert_eq!(get.addr.ip().to_string(), "10.0.0.2");
    bench.answer(&get, FINE);
    bench.quiet();
    bench.pass(1800);
    assert_eq!(round(&mut bench), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
}

/// BEP 12: "all URLs in each tier must be checked before the client goes on to the next tier. […]
/// if a connection with a tracker is successful, it will be moved to the front of the tier."
#[test]
fn a_tracker_that_answers_is_asked_first_next_time() {
    let mut bench = Bench::started(&[&[A, B, C], &["http://10.0.0.9/announce"]]);
    let mut order = Vec::new();
    for _ in 0..3 {
        let get = bench.get();
        order.push(get.addr.ip().to_string());
        match order.len() {
            3 => bench.answer(&get, FINE),
            _ => bench.refuse(&get),
        }
    }
    bench.quiet();
    bench.pass(1800);
    let [first, second, third] = &order[..] else {
        panic!()
    };
    let expected = [third.as_str(), first, second, "10.0.0.9"];
    assert_eq!(round(&mut bench), expected);
}

#[test]
fn a_round_that_fails_is_repeated_later_each_time() {
    let mut bench = Bench::started(&[&[A]]);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let get = bench.get();
        bench.refuse(&get);
        waits.extend(bench.idle_for());
        bench.pass(waits[waits.len() - 1]);
    }
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1800, 1800]);
    assert_eq!(bench.said()[0], format!("{A}: it refused the connection"));
}

#[test]
fn the_next_announce_is_regular_and_tells_the_totals() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.answer(&get, "d8:intervali900e10:tracker id3:x y5:peers0:e");
    assert_eq!(bench.idle_for(), Some(900));
    bench.trackers.set_totals(7, 600, 400);
    bench.pass(899);
    bench.quiet();
    bench.pass(1);
    let get = bench.get();
    let told = ["uploaded", "downloaded", "left", "trackerid"].map(|name| get.param(name).unwrap());
    assert_eq!((told, get.event()), (["7", "600", "400", "x%20y"], ""));
    assert_eq!(get.param("key"), Some("1234abcd"));
    bench.answer(&get, FINE);
    bench.pass(1800);
    let get = bench.get();
    assert_eq!(
        get.param("trackerid"),
        Some("x%20y"),
        "kept until another one comes"
    );
}

/// BEP 3: "downloaders may rerequest on nonscheduled times if an event happens or they need more
/// peers."
#[test]
fn more_peers_are_asked_for_no_sooner_than_the_min_interval() {
    let mut bench = Bench::started(&[&[A]]);
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    let get = bench.get();
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    bench.quiet();
    bench.answer(&get, "d8:intervali1800e12:min intervali300ee");
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    bench.quiet();
    assert_eq!(bench.idle_for(), Some(300));
    bench.pass(300);
    let get = bench.get();
    assert_eq!(get.event(), "");
    bench.answer(&get, "d8:intervali1800e12:min intervali300ee");
    assert_eq!(
        bench.idle_for(),
        Some(1800),
        "wanting is over with the announce"
    );
    bench.pass(1000);
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    bench.get();
}

#[test]
fn wanting_peers_does_not_hurry_a_tracker_that_fails() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.refuse(&get);
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    bench.quiet();
    assert_eq!(bench.idle_for(), Some(15));
}

/// BEP 7: "When host component of a tracker url resolves to multiple IP addresses then a client MAY
/// announce to multiple addresses, one for each address family. […] The key should remain the
/// same".
#[test]
fn both_families_are_announced() {
    let mut bench = Bench::started(&[&["http://t/announce"], &[B]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["2001:db8::1", "10.0.0.1", "10.0.0.7"]);
    let (v4, v6) = (bench.get(), bench.get());
    assert_eq!(
        (v4.addr.to_string(), v6.addr.to_string()),
        (
            String::from("10.0.0.1:80"),
            String::from("[2001:db8::1]:80")
        )
    );
    assert_eq!(v4.text, v6.text);
    bench.quiet();
    bench.answer(&v4, PEER);
    assert_eq!(
        bench.said(),
        ["http://t/announce 1"],
        "peers are not kept waiting"
    );
    bench.refuse(&v6);
    bench.quiet();
    assert!(bench.said().is_empty(), "one family is enough");
    assert_eq!(bench.idle_for(), Some(1800));
    bench.pass(1800);
    let (id, _) = bench.lookup();
    bench.found(id, &["2001:db8::1", "10.0.0.1"]);
    let (v4, v6) = (bench.get(), bench.get());
    assert_eq!(
        (v4.event(), v6.event()),
        ("", "started"),
        "each is told everything"
    );
}

#[test]
fn the_family_that_asks_for_more_patience_is_heeded() {
    for places in [[0, 1], [1, 0]] {
        let mut bench = Bench::started(&[&["http://t/announce"]]);
        let (id, _) = bench.lookup();
        bench.found(id, &["2001:db8::1", "10.0.0.1"]);
        let gets = [bench.get(), bench.get()];
        let answers = [
            "d8:intervali1800ee",
            "d8:intervali600e12:min intervali300ee",
        ];
        for place in places {
            bench.answer(&gets[place], answers[place]);
        }
        assert_eq!(bench.idle_for(), Some(1800));
        bench.trackers.want_peers(&mut bench.shared, bench.now);
        assert_eq!(bench.idle_for(), Some(300));
    }
}

#[test]
fn a_tracker_fails_only_if_no_family_answers() {
    let mut bench = Bench::started(&[&["http://t/announce"], &[B]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["2001:db8::1", "10.0.0.1"]);
    let (v4, v6) = (bench.get(), bench.get());
    bench.refuse(&v4);
    bench.quiet();
    bench.answer(&v6, "d14:failure reason4:no!!e");
    assert_eq!(
        bench.get().addr.ip().to_string(),
        "10.0.0.2",
        "the next tracker"
    );
    assert_eq!(
        bench.said(),
        ["http://t/announce: IPv4: it refused the connection; IPv6: no!!"]
    );
}

#[test]
fn only_families_that_we_have_are_used() {
    let only_v4 = Families {
        v4: true,
        v6: false,
    };
    let mut bench = Bench::with(
        &[&["http://t/announce"], &["http://[::1]/announce"]],
        only_v4,
    );
    bench.trackers.start(&mut bench.shared, bench.now);
    let (id, _) = bench.lookup();
    bench.found(id, &["2001:db8::1"]);
    bench.quiet();
    assert_eq!(
        bench.said(),
        [
            "http://t/announce: it has no IPv4 address",
            "http://[::1]/announce: it has no IPv4 address"
        ]
    );
}

#[test]
fn a_name_that_is_not_found_is_a_failure() {
    let mut bench = Bench::started(&[&["http://t/announce"], &[B]]);
    let (id, _) = bench.lookup();
    let why = Err(String::from("name or service not known"));
    bench.hear_resolved(id, why);
    assert_eq!(bench.get().addr.ip().to_string(), "10.0.0.2");
    assert_eq!(
        bench.said(),
        ["http://t/announce: name or service not known"]
    );

    let mut bench = Bench::started(&[&["http://t/announce"], &[B]]);
    let (id, _) = bench.lookup();
    bench.pass(30);
    let get = bench.get();
    bench.found(id, &["10.0.0.9"]);
    bench.quiet();
    bench.answer(&get, FINE);
    assert_eq!(
        bench.said(),
        [
            "http://t/announce: its name is not found in time",
            "http://10.0.0.2/announce 0"
        ]
    );
}

#[test]
fn what_cannot_be_used_is_said_once_and_left_out() {
    let mut bench = Bench::started(&[
        &["wss://s/announce"],
        &["junk", A],
        &[A, " http://10.0.0.1/announce\n"],
    ]);
    assert_eq!(round(&mut bench), ["10.0.0.1"]);
    let said = bench.said();
    assert_eq!(
        said[0],
        "wss://s/announce: trackers for browsers (ws, wss) are not supported"
    );
    assert_eq!(said[1], "junk: not a URL");
    assert_eq!(said.len(), 3);
    bench.pass(15);
    round(&mut bench);
    assert_eq!(bench.said().len(), 1);

    let mut none = Bench::started(&[&["wss://s"]]);
    assert_eq!((none.said().len(), none.idle_for()), (1, None));
    assert!(none.trackers.is_idle());
}

/// A tracker that refuses names the time of the next announce, with any status, by any of the keys
/// and in the head.
#[test]
fn a_refusal_with_an_interval_is_not_repeated_sooner() {
    let refused = |times: &str| format!("d14:failure reason2:no{times}e");
    let plain = |body: &str| String::from(body);
    for (head, body, waits) in [
        (
            "200 OK",
            refused("8:intervali3600e12:min intervali3600e"),
            3600,
        ),
        ("200 OK", refused("12:min intervali3600e"), 3600),
        ("200 OK", refused("8:intervali3600e"), 3600),
        ("200 OK", refused("8:interval4:3600"), 3600),
        ("403 Forbidden", refused("8:intervali3600e"), 3600),
        ("400 Bad Request", plain("d8:intervali3600ee"), 3600),
        ("200 OK", refused("8:intervali5e"), 30),
        ("200 OK", refused("8:intervali99999999e"), 4 * 3600),
        ("200 OK", refused(""), 30),
        ("429 Slow\r\nRetry-After: 900", plain("slow"), 900),
        ("503 Busy\r\nRetry-After: 900", refused(""), 900),
        ("200 OK\r\nRetry-After: 900", refused(""), 900),
        (
            "200 OK\r\nRetry-After: 900",
            refused("8:intervali3600e"),
            3600,
        ),
        ("200 OK\r\nRetry-After: 900", refused("8:intervali60e"), 900),
        ("200 OK\r\nRetry-After: 900", plain("<html>"), 900),
        (
            "503 Busy\r\nDate: Fri, 31 Dec 1999 23:59:59 GMT\r\n\
             Retry-After: Sat, 01 Jan 2000 00:59:59 GMT",
            String::new(),
            3600,
        ),
        ("503 Busy", String::new(), 30),
    ] {
        let mut bench = Bench::started(&[&[A]]);
        let get = bench.get();
        bench.send(&get, format!("HTTP/1.1 {head}\r\n\r\n{body}"));
        bench.trackers.want_peers(&mut bench.shared, bench.now);
        assert_eq!(bench.idle_for(), Some(waits), "{head} {body}");
    }
}

/// BEP 31: "The latter [never] specifies that the client should never send this query again."
#[test]
fn a_tracker_that_says_never_is_left_alone() {
    let mut bench = Bench::started(&[&[A], &[B]]);
    let get = bench.get();
    bench.answer(&get, "d14:failure reason13:not a tracker8:retry in5:nevere");
    let get = bench.get();
    bench.answer(&get, "d14:failure reason4:busy8:retry ini5ee");
    assert_eq!(
        bench.said(),
        [format!("{A}: not a tracker"), format!("{B}: busy")]
    );
    assert_eq!(bench.idle_for(), Some(300));
    bench.pass(300);
    assert_eq!(round(&mut bench), ["10.0.0.2"]);
}

#[test]
fn trackers_that_come_later_are_asked_soon_and_none_is_there_twice() {
    let mut bench = Bench::started(&[&[A]]);
    assert_eq!(round(&mut bench), ["10.0.0.1"]);
    let tiers = owned(&[&[A], &[B, " http://10.0.0.1/announce"], &[C]]);
    let now = bench.now;
    let added = bench.trackers.add(&tiers, BOTH, &mut bench.shared, now);
    assert_eq!(added, 2);
    assert_eq!(round(&mut bench), ["10.0.0.2", "10.0.0.3"]);
    assert_eq!(bench.trackers.add(&tiers, BOTH, &mut bench.shared, now), 0);
    assert_eq!(round(&mut bench), Vec::<String>::new());
    // No more than a torrent may have.
    let many: Vec<Vec<String>> = (0..limits::TRACKERS)
        .map(|number| vec![format!("http://10.1.0.1/{number}/announce")])
        .collect();
    let added = bench.trackers.add(&many, BOTH, &mut bench.shared, now);
    assert_eq!(added, limits::TRACKERS - 3);
}
