//! What a torrent and its trackers can make us do to others, and how often.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::limits;
use crate::wire::compact::encode;

fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// What becomes of a tracker at a name with these addresses that redirects, each time to a place that has these addresses.
fn led(first: &[&str], path: &str, hops: &[(&str, &[&str])]) -> String {
    let url = format!("http://t/{path}");
    let mut bench = Bench::started(&[&[&url]]);
    let (id, _) = bench.lookup();
    bench.found(id, first);
    for (location, ips) in hops {
        let get = bench.get();
        bench.send(&get, redirect(location));
        if !ips.is_empty() {
            let (id, _) = bench.lookup();
            bench.found(id, ips);
        }
    }
    match bench.wanted() {
        Some(Action::Connect { addr, .. }) => format!("asks {addr}"),
        None => bench.said().join("\n").replace(&url, "T"),
        other => panic!("{other:?}"),
    }
}

/// Where a tracker's name leads to, its path, where it redirects to and where that leads to; and what comes of it.
type Case<'a> = (
    &'a [&'a str],
    &'a str,
    &'a [(&'a str, &'a [&'a str])],
    &'a str,
);

const PLAIN: &str = "where only paths with \"announce\" are asked for";

#[track_caller]
fn all_end_so(cases: &[Case<'_>]) {
    for (first, path, hops, end) in cases {
        let end = end.replace("PLAIN", PLAIN);
        assert_eq!(led(first, path, hops), end, "{first:?} {path} {hops:?}");
    }
}

/// The rule of libtorrent's `ssrf_mitigation`: a local tracker's path is a tracker's.
#[test]
fn a_local_tracker_has_a_trackers_path() {
    let told = "T: 127.0.0.1 is a local address, PLAIN";
    let mapped = "T: 10.0.0.1 is a local address, PLAIN";
    all_end_so(&[
        (&["192.0.2.1"], "x", &[], "asks 192.0.2.1:80"),
        (&["127.0.0.1"], "announce", &[], "asks 127.0.0.1:80"),
        (&["127.0.0.1"], "x", &[], told),
        (&["10.0.0.1", "192.0.2.1"], "x", &[], "asks 192.0.2.1:80"),
        (&["::ffff:10.0.0.1"], "x", &[], mapped),
        (
            &["0.0.0.0"],
            "announce",
            &[],
            "T: it has no address that can be used",
        ),
    ]);
}

/// From outside nobody leads inside, in however many steps; from inside one may, to a tracker.
#[test]
fn nobody_leads_us_inside() {
    let to = |host: &str, ip: &str| format!("T: redirected to {host}: {ip} is a local address");
    let (here, named) = (to("127.0.0.1", "127.0.0.1"), to("localhost", "127.0.0.1"));
    let (rebound, back) = (to("rebound", "192.168.0.1"), to("10.0.0.1", "10.0.0.1"));
    let admin = format!("{here}, PLAIN");
    let away = ("http://192.0.2.2/y", &[][..]);
    all_end_so(&[
        (&["192.0.2.1"], "x", &[away], "asks 192.0.2.2:80"),
        (
            &["192.0.2.1"],
            "announce",
            &[("http://127.0.0.1/announce", &[])],
            &here,
        ),
        (
            &["192.0.2.1"],
            "announce",
            &[("http://localhost/announce", &["127.0.0.1"])],
            &named,
        ),
        (
            &["192.0.2.1"],
            "announce",
            &[away, ("http://rebound/announce", &["192.168.0.1"])],
            &rebound,
        ),
        (
            &["10.0.0.1"],
            "announce",
            &[away, ("http://10.0.0.1/announce", &[])],
            &back,
        ),
        (
            &["10.0.0.1"],
            "announce",
            &[("http://127.0.0.1/announce", &[])],
            "asks 127.0.0.1:80",
        ),
        (
            &["10.0.0.1"],
            "announce",
            &[("http://127.0.0.1/admin", &[])],
            &admin,
        ),
    ]);
}

/// A name is looked up for each announce, and judged each time: what it said before counts for nothing.
#[test]
fn a_name_that_comes_to_lead_inside_is_noticed() {
    let mut bench = Bench::started(&[&["http://t/x"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["192.0.2.1"]);
    let get = bench.get();
    bench.answer(&get, FINE);
    assert_eq!(bench.said(), ["http://t/x 0"]);
    bench.pass(1800);
    let (id, _) = bench.lookup();
    bench.found(id, &["127.0.0.1"]);
    bench.quiet();
    assert!(bench.said()[0].starts_with("http://t/x: 127.0.0.1 is a local address"));
}

#[test]
fn a_scrape_is_judged_as_well() {
    let mut bench = Bench::scraper(&[&[
        "http://10.0.0.1/x/announce",
        "http://10.0.0.1/a%20b/announce",
    ]]);
    assert!(bench.get().text.starts_with("GET /x/scrape?info_hash="));
    bench.quiet();
    let said = bench.said();
    assert!(
        said[0].ends_with("where only paths with \"scrape\" are asked for"),
        "{said:?}"
    );
}

/// The peers that a tracker at this address can have us call, of those that anybody may be at.
fn callable(tracker: &str, udp: bool) -> usize {
    let peers = [
        "127.0.0.1:9",
        "169.254.1.1:9",
        "10.1.1.1:9",
        "192.0.2.9:9",
        "224.0.0.1:9",
        "0.0.0.0:9",
        "10.1.1.1:0",
    ];
    let mut list = Vec::new();
    for peer in peers {
        encode(peer.parse().unwrap(), &mut list);
    }
    let scheme = if udp { "udp" } else { "http" };
    let mut bench = Bench::started(&[&[&format!("{scheme}://{tracker}:80/announce")]]);
    if udp {
        let (to, request) = bench.datagram();
        let id = [&[0, 0, 0, 0], &request[12..16], &[1; 8]].concat();
        assert!(bench.trackers.handle_datagram(to, &id, bench.now));
        let (_, request) = bench.datagram();
        let reply = [&[0, 0, 0, 1], &request[12..16], &[0; 12], &list].concat();
        assert!(bench.trackers.handle_datagram(to, &reply, bench.now));
    } else {
        let get = bench.get();
        let body = [format!("d5:peers{}:", list.len()).as_bytes(), &list, b"e"].concat();
        bench.send(&get, [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat());
    }
    bench.take_actions();
    bench.reports[0].outcome.as_ref().unwrap().len()
}

#[test]
fn a_tracker_outside_names_nobody_inside() {
    for udp in [false, true] {
        assert_eq!(
            callable("192.0.2.1", udp),
            2,
            "in the world, and behind the same router"
        );
        assert_eq!(callable("127.0.0.1", udp), 4);
        assert_eq!(callable("10.0.0.1", udp), 4);
    }
}

/// What comes of a GET.
type Answer<'a> = &'a dyn Fn(&mut Bench, &Get);

/// How many times each address is asked, and datagrams are sent, while time passes; `answer` is what comes of a GET.
fn flood(
    urls: Vec<String>,
    seconds: u64,
    answer: impl Fn(&mut Bench, &Get),
) -> BTreeMap<SocketAddr, Vec<Now>> {
    let tiers: Vec<Vec<&str>> = urls.iter().map(|url| vec![url.as_str()]).collect();
    let tiers: Vec<&[&str]> = tiers.iter().map(Vec::as_slice).collect();
    let mut bench = Bench::started(&tiers);
    let end = bench.now + Duration::from_secs(seconds);
    let mut asked: BTreeMap<SocketAddr, Vec<Now>> = BTreeMap::new();
    while bench.now < end {
        match bench.wanted() {
            Some(Action::Connect { id, addr, request }) => {
                let text = String::from_utf8(request).unwrap();
                asked.entry(addr).or_default().push(bench.now);
                answer(&mut bench, &Get { id, addr, text });
            }
            Some(Action::Datagram { to, bytes }) => {
                assert_eq!(bytes.len(), 16, "who never answers gets no more than this");
                asked.entry(to).or_default().push(bench.now);
            }
            Some(Action::Resolve { id, .. }) => bench.found(id, &["192.0.2.1"]),
            Some(other) => panic!("{other:?}"),
            None => bench.pass(1),
        }
        bench.trackers.want_peers(bench.now);
    }
    asked
}

/// The most in any half minute.
fn densest(times: &[Now]) -> usize {
    let until = |from: Now| {
        times
            .iter()
            .filter(move |at| **at >= from && at.since(from) < limits::INTERVAL_LEAST)
    };
    times
        .iter()
        .map(|&from| until(from).count())
        .max()
        .unwrap_or(0)
}

/// Two hundred URLs, by as many names, lead to one host. It never asked for that, and refuses, fails or redirects to itself.
#[test]
fn a_list_of_trackers_is_no_weapon() {
    let answers: [Answer; 3] = [
        &|bench, get| bench.refuse(get),
        &|bench, get| bench.send(get, "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n"),
        &|bench, get| bench.send(get, redirect("/again")),
    ];
    for answer in answers {
        let urls = (0..200).map(|number| format!("http://n{number}.example/announce"));
        let asked = flood(urls.collect(), 3600, answer);
        let victim = &asked[&"192.0.2.1:80".parse().unwrap()];
        assert_eq!(densest(victim), limits::TRACKER_VISITS);
        assert!(victim.len() < 900, "{} in an hour", victim.len());
    }
}

/// Who knows us is told that we leave, however many they are; where they lead us then is none of them.
#[test]
fn a_farewell_is_no_weapon_either() {
    let urls: Vec<String> = (1..=20)
        .map(|number| format!("http://198.51.100.{number}/announce"))
        .collect();
    let tiers: Vec<Vec<&str>> = urls.iter().map(|url| vec![url.as_str()]).collect();
    let tiers: Vec<&[&str]> = tiers.iter().map(Vec::as_slice).collect();
    let mut bench = Bench::started(&tiers);
    let asked = |bench: &mut Bench| match bench.wanted() {
        Some(Action::Connect { id, addr, request }) => {
            let text = String::from_utf8(request).unwrap();
            Some(Get { id, addr, text })
        }
        other => other.map(|other| panic!("{other:?}")),
    };
    // Each answers once, and then no more, so that the next is asked.
    let mut known = BTreeSet::new();
    while known.len() < urls.len() {
        match asked(&mut bench) {
            Some(get) if known.insert(get.addr) => bench.answer(&get, FINE),
            Some(get) => bench.refuse(&get),
            None => bench.pass(10),
        }
    }
    bench.trackers.stop(bench.now);
    let (mut farewells, mut led) = (0, 0);
    while let Some(get) = asked(&mut bench) {
        if known.contains(&get.addr) {
            farewells += 1;
            bench.send(&get, redirect("http://192.0.2.1/announce"));
        } else {
            led += 1;
            bench.answer(&get, FINE);
        }
    }
    assert_eq!((farewells, led), (urls.len(), limits::TRACKER_VISITS));
}

/// Over UDP each URL costs a host that never answers two datagrams of 16 bytes, one after the other.
#[test]
fn silence_is_not_amplified() {
    let urls = (0..200).map(|number| format!("udp://n{number}.example:7/announce"));
    let asked = flood(urls.collect(), 3600, |_, _| panic!("no GET"));
    let victim = &asked[&"192.0.2.1:7".parse().unwrap()];
    assert!(densest(victim) <= 2, "{}", densest(victim));
    assert!(
        (100..=2 * 3600 / 45).contains(&victim.len()),
        "{}",
        victim.len()
    );
}

/// For each byte that comes, over UDP, at most this many go out to where it came from: 98 for the 16 of a connection id, and that only
/// to who knows a random number of 32 bits.
#[test]
fn nobody_gets_more_than_he_sends_many_times() {
    let mut bench = Bench::started(&[&["udp://192.0.2.1:7"]]);
    let (to, request) = bench.datagram();
    let mut forged = [&[0, 0, 0, 0], &request[12..16], &[1; 8]].concat();
    forged[7] ^= 1;
    for _ in 0..1000 {
        assert!(!bench.trackers.handle_datagram(to, &forged, bench.now));
        bench.quiet();
    }
    forged[7] ^= 1;
    assert!(bench.trackers.handle_datagram(to, &forged, bench.now));
    assert_eq!(bench.datagram().1.len(), 98);
    for _ in 0..1000 {
        bench.trackers.handle_datagram(to, &forged, bench.now);
        bench.quiet();
    }
}

/// Whatever a tracker says, it is not announced to more often than every half minute, but for the events that it must hear of.
#[test]
fn no_answer_makes_us_announce_more_often() {
    let times = [
        "0",
        "-1",
        "1",
        "29",
        "9223372036854775807",
        "-9223372036854775808",
        "31",
        "4000",
    ];
    for seed in 0..10 {
        let mut rng = Rng::from_seed(seed);
        let mut bench = Bench::started(&[&["http://10.0.0.1/announce"]]);
        let mut asked: Vec<Now> = Vec::new();
        let end = bench.now + Duration::from_secs(12 * 3600);
        while bench.now < end {
            bench.trackers.want_peers(bench.now);
            let Some(Action::Connect { id, addr, request }) = bench.wanted() else {
                bench.pass(1);
                continue;
            };
            asked.push(bench.now);
            let text = String::from_utf8(request).unwrap();
            let get = Get { id, addr, text };
            let mut any = || times[rng.below(times.len() as u64) as usize];
            let (interval, least) = (any(), any());
            match rng.below(6) {
                0 => bench.answer(
                    &get,
                    &format!("d14:failure reason1:x8:retry ini{interval}ee"),
                ),
                1 => bench.answer(
                    &get,
                    &format!(
                        "d14:failure reason1:x8:retry in{}:{interval}e",
                        interval.len()
                    ),
                ),
                2 => bench.send(&get, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
                3 => {
                    let junk = ["<html>", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"];
                    bench.send(&get, junk[rng.below(2) as usize]);
                }
                _ => {
                    let body = format!("d8:intervali{interval}e12:min intervali{least}e5:peers0:e");
                    bench.answer(&get, &body);
                }
            }
        }
        assert!(asked.len() > 5, "seed {seed}: {}", asked.len());
        let gaps = asked
            .iter()
            .zip(&asked[1..])
            .map(|(first, next)| next.since(*first));
        let least = gaps.min().unwrap();
        assert!(least >= limits::INTERVAL_LEAST, "seed {seed}: {least:?}");
    }
}
