//! How often a torrent and its trackers can make us ask one host.

use std::collections::{BTreeMap, BTreeSet};

use super::guard::redirect;
use super::*;
use crate::base::limits;

/// Twelve trackers of one host, as a list of passkeys has them: each is asked, those past the bound
/// a moment later.
#[test]
fn many_trackers_of_one_host_are_all_asked() {
    for udp in [false, true] {
        let scheme = if udp { "udp" } else { "http" };
        let count = limits::TRACKER_VISITS as usize + 2;
        let urls: Vec<String> = (0..count)
            .map(|number| format!("{scheme}://10.0.0.1:80/{number}/announce"))
            .collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let mut bench = Bench::scraper(&[&urls]);
        let began = bench.now;
        let mut asked = Vec::new();
        while asked.len() < count {
            match bench.wanted() {
                Some(Action::Connect { id, .. }) => {
                    asked.push(bench.now.since(began));
                    let why = Err(String::from("no route"));
                    bench.hear_closed(id, why);
                }
                Some(Action::Datagram { to, bytes }) => {
                    asked.push(bench.now.since(began));
                    let refusal = [&[0, 0, 0, 3], &bytes[12..16], &b"no"[..]].concat();
                    assert!(bench.hear_datagram(to, &refusal));
                }
                Some(other) => panic!("{other:?}"),
                None => {
                    let waits = bench.now.since(began) < Duration::from_secs(60);
                    assert!(waits, "{:?}", bench.said());
                    bench.pass(1);
                }
            }
        }
        let gap = limits::VISIT_GAP;
        assert_eq!(asked[count - 3..], [Duration::ZERO, gap, 2 * gap]);
        let said = bench.said();
        assert!(bench.trackers.is_idle());
        assert_eq!(said.len(), count, "{said:?}");
        assert!(
            !said.iter().any(|said| said.contains("too often")),
            "{said:?}"
        );
    }
}

/// What comes of a GET.
type Answer<'a> = &'a dyn Fn(&mut Bench, &Get);

/// How many times each address is asked, and datagrams are sent, while time passes; `answer` is
/// what comes of a GET.
fn flood(
    urls: Vec<String>,
    seconds: u64,
    answer: impl Fn(&mut Bench, &Get),
) -> BTreeMap<SocketAddr, Vec<Time>> {
    let tiers: Vec<Vec<&str>> = urls.iter().map(|url| vec![url.as_str()]).collect();
    let tiers: Vec<&[&str]> = tiers.iter().map(Vec::as_slice).collect();
    let mut bench = Bench::started(&tiers);
    let end = bench.now + Duration::from_secs(seconds);
    let mut asked: BTreeMap<SocketAddr, Vec<Time>> = BTreeMap::new();
    while bench.now < end {
        match bench.wanted() {
            Some(Action::Connect {
                id, addr, request, ..
            }) => {
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
        bench.trackers.want_peers(&mut bench.shared, bench.now);
    }
    asked
}

/// The most in any half minute.
fn densest(times: &[Time]) -> usize {
    let until = |from: Time| {
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

/// Two hundred URLs, by as many names, lead to one host. It never asked for that, and refuses,
/// fails or redirects to itself.
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
        let steady = limits::INTERVAL_LEAST.as_secs() / limits::VISIT_GAP.as_secs();
        assert!(densest(victim) <= limits::TRACKER_VISITS as usize + steady as usize);
        let hour = 3600 / limits::VISIT_GAP.as_secs() as usize;
        assert!(
            victim.len() <= limits::TRACKER_VISITS as usize + hour,
            "{}",
            victim.len()
        );
    }
}

/// Who knows us is told that we leave, however many they are; where they lead us then is none of
/// them.
#[test]
fn a_farewell_is_no_weapon_either() {
    let urls: Vec<String> = (1..=20)
        .map(|number| format!("http://198.51.100.{number}/announce"))
        .collect();
    let tiers: Vec<Vec<&str>> = urls.iter().map(|url| vec![url.as_str()]).collect();
    let tiers: Vec<&[&str]> = tiers.iter().map(Vec::as_slice).collect();
    let mut bench = Bench::started(&tiers);
    let asked = |bench: &mut Bench| match bench.wanted() {
        Some(Action::Connect {
            id, addr, request, ..
        }) => {
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
    bench.trackers.stop(&mut bench.shared, bench.now);
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
    assert_eq!(
        (farewells, led),
        (urls.len(), limits::TRACKER_VISITS as usize)
    );
}

/// Over UDP each URL costs a host that never answers two datagrams of 16 bytes, one after the
/// other.
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

/// For each byte that comes, over UDP, at most this many go out to where it came from: 98 for the
/// 16 of a connection id, and that only to who knows a random number of 32 bits.
#[test]
fn no_host_gets_an_answer_much_longer_than_its_query() {
    let mut bench = Bench::started(&[&["udp://192.0.2.1:7"]]);
    let (to, request) = bench.datagram();
    let mut forged = [&[0, 0, 0, 0], &request[12..16], &[1; 8]].concat();
    forged[7] ^= 1;
    for _ in 0..1000 {
        assert!(!bench.hear_datagram(to, &forged));
        bench.quiet();
    }
    forged[7] ^= 1;
    assert!(bench.hear_datagram(to, &forged));
    assert_eq!(bench.datagram().1.len(), 98);
    for _ in 0..1000 {
        bench.hear_datagram(to, &forged);
        bench.quiet();
    }
}

/// Whatever a tracker says, it is not announced to more often than every half minute, but for the
/// events that it must hear of.
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
        let mut asked: Vec<Time> = Vec::new();
        let end = bench.now + Duration::from_secs(12 * 3600);
        while bench.now < end {
            bench.trackers.want_peers(&mut bench.shared, bench.now);
            let Some(Action::Connect {
                id, addr, request, ..
            }) = bench.wanted()
            else {
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
