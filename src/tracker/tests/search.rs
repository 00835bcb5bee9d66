//! Silent trackers in front of one that works, and trackers that know nobody.

use super::*;
use crate::base::limits;
use crate::tracker::Need;

/// Ten URLs of silent trackers of one kind: UDP, HTTP, or a name that is not found.
fn silent(kind: usize) -> Vec<String> {
    let url = |number| match kind {
        0 => format!("udp://10.0.1.{number}:9"),
        1 => format!("http://10.0.1.{number}/announce"),
        2 => format!("http://name{number}/announce"),
        3 => format!("udp://[2001:db8::{number}]:9"),
        _ => format!("udp://10.0.0.1:{number}"),
    };
    (1..=10).map(url).collect()
}

const GOOD: &str = "http://10.0.0.1/announce";

/// The seconds until the good tracker is asked, and its GET. HTTP connections come up, nothing else
/// comes.
fn asked_after(bench: &mut Bench) -> (u64, Get) {
    let began = bench.now;
    loop {
        match bench.wanted() {
            Some(Action::Connect {
                id, addr, request, ..
            }) => {
                if addr.to_string() == "10.0.0.1:80" {
                    let text = String::from_utf8(request).unwrap();
                    return (bench.now.since(began).as_secs(), Get { id, addr, text });
                }
                bench.hear_connected(id);
            }
            Some(_) => {}
            None => bench.pass(1),
        }
        assert!(bench.now.since(began) < Duration::from_secs(600));
    }
}

fn tiers(urls: &[Vec<String>]) -> Bench {
    let urls: Vec<Vec<&str>> = urls
        .iter()
        .map(|tier| tier.iter().map(String::as_str).collect())
        .collect();
    let tiers: Vec<&[&str]> = urls.iter().map(Vec::as_slice).collect();
    Bench::new(&tiers)
}

#[test]
fn ten_silent_trackers_do_not_hide_a_good_one() {
    for need in [Need::Answer, Need::Peers] {
        for kind in 0..5 {
            for one_tier in [false, true] {
                let mut urls: Vec<Vec<String>> = if !one_tier {
                    silent(kind).into_iter().map(|url| vec![url]).collect()
                } else {
                    vec![silent(kind)]
                };
                if !one_tier {
                    urls.push(vec![String::from(GOOD)])
                } else {
                    urls[0].push(String::from(GOOD))
                }
                let mut bench = tiers(&urls);
                bench.trackers.set_need(need, &mut bench.shared, bench.now);
                bench.trackers.start(&mut bench.shared, bench.now);
                let (seconds, get) = asked_after(&mut bench);
                assert!(seconds <= 6, "kind {kind}: {seconds} s");
                bench.answer(&get, PEER);
                assert!(bench.said().contains(&format!("{GOOD} 1")));
            }
        }
    }
}

/// With peers at hand there is no hurry: BEP 12's order, one at a time.
#[test]
fn nobody_is_hurried_while_peers_are_connected() {
    let mut bench = tiers(&[silent(0)[..3].to_vec(), vec![String::from(GOOD)]]);
    bench.trackers.start(&mut bench.shared, bench.now);
    let (seconds, _) = asked_after(&mut bench);
    assert_eq!(seconds, 3 * 45);
}

/// What follows goes by tiers again, and every tracker that was told `started` hears the rest.
#[test]
fn the_order_is_kept_after_a_search() {
    let urls = ["http://10.0.1.1/announce", "http://10.0.1.2/announce", GOOD];
    let mut bench = Bench::new(&[&urls[..1], &urls[1..2], &urls[2..]]);
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    bench.trackers.start(&mut bench.shared, bench.now);
    let first = bench.get();
    bench.hear_connected(first.id);
    bench.pass(2);
    let (second, good) = (bench.get(), bench.get());
    bench.answer(&good, PEER);
    bench
        .trackers
        .set_need(Need::Nothing, &mut bench.shared, bench.now);
    bench.pass(1);
    bench.answer(&first, FINE);
    bench.refuse(&second);
    bench.quiet();
    bench.trackers.set_totals(0, 1000, 0);
    bench.trackers.completed(&mut bench.shared, bench.now);
    let told = [bench.get(), bench.get()];
    bench.quiet();
    assert_eq!(told[0].addr, first.addr);
    assert_eq!(told[1].addr, good.addr);
    for get in &told {
        assert_eq!(get.event(), "completed");
        bench.answer(get, FINE);
    }
    bench.pass(1800);
    let next = bench.get();
    assert_eq!((next.addr, next.event()), (first.addr, ""));
    bench.answer(&next, FINE);
    bench.quiet();
    bench.trackers.stop(&mut bench.shared, bench.now);
    let told = [bench.get(), bench.get()];
    assert_eq!([told[0].addr, told[1].addr], [first.addr, good.addr]);
    assert!(told.iter().all(|get| get.event() == "stopped"));
    bench.quiet();
}

#[test]
fn a_tracker_that_knows_nobody_does_not_end_the_search() {
    for (need, ends) in [
        (Need::Peers, false),
        (Need::Answer, true),
        (Need::Nothing, true),
    ] {
        let mut bench = Bench::new(&[&["http://10.0.1.1/announce"], &[GOOD]]);
        bench.trackers.set_need(need, &mut bench.shared, bench.now);
        bench.trackers.start(&mut bench.shared, bench.now);
        let get = bench.get();
        bench.answer(&get, FINE);
        if ends {
            bench.quiet();
            continue;
        }
        let good = bench.get();
        assert_eq!(good.addr.to_string(), "10.0.0.1:80");
        bench.answer(&good, PEER);
        bench.quiet();
        // The peer was of no use: each tracker is asked again as soon as it allows.
        bench
            .trackers
            .set_need(Need::Answer, &mut bench.shared, bench.now);
        bench
            .trackers
            .set_need(Need::Peers, &mut bench.shared, bench.now);
        assert_eq!(bench.idle_for(), Some(limits::INTERVAL_LEAST.as_secs()));
        bench.pass(30);
        let get = bench.get();
        bench.answer(&get, FINE);
        bench.answer(&good, FINE);
        assert_eq!(bench.get().addr, good.addr);
    }
}

/// A tracker in the next tier names peers that turn out to be none: the search goes on at once.
#[test]
fn a_search_goes_on_where_it_stopped() {
    let urls = ["http://10.0.1.1/announce", "http://10.0.1.2/announce", GOOD];
    let mut bench = Bench::new(&[&urls[..1], &urls[1..2], &urls[2..]]);
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    bench.trackers.start(&mut bench.shared, bench.now);
    let get = bench.get();
    bench.answer(&get, PEER);
    bench.quiet();
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "10.0.1.2:80");
    bench.refuse(&get);
    assert_eq!(bench.get().addr.to_string(), "10.0.0.1:80");
}

/// Where peers were found, they are looked for again, though a tracker before it answers with
/// nobody.
#[test]
fn a_tracker_that_named_peers_is_kept() {
    let mut bench = Bench::new(&[&["http://10.0.1.1/announce"], &[GOOD]]);
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    bench.trackers.start(&mut bench.shared, bench.now);
    let get = bench.get();
    bench.answer(&get, FINE);
    let good = bench.get();
    bench.answer(&good, PEER);
    bench
        .trackers
        .set_need(Need::Nothing, &mut bench.shared, bench.now);
    for _ in 0..3 {
        bench.pass(1800);
        let get = bench.get();
        assert_eq!(get.addr.to_string(), "10.0.1.1:80");
        bench.answer(&get, FINE);
        let good = bench.get();
        assert_eq!(good.addr.to_string(), "10.0.0.1:80");
        bench.answer(&good, PEER);
        bench.quiet();
    }
}

/// Nor are those at one time more than may be.
#[test]
fn a_search_is_bounded() {
    let urls: Vec<Vec<String>> = (0..limits::TRACKERS)
        .map(|n| vec![format!("udp://10.0.2.{n}:9")])
        .collect();
    let mut bench = tiers(&urls);
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    bench.trackers.start(&mut bench.shared, bench.now);
    let mut asked = 0;
    for _ in 0..14 {
        while bench.wanted().is_some() {
            asked += 1;
        }
        bench.pass(1);
    }
    assert_eq!(asked, limits::TRACKERS_AT_ONCE);
    assert_eq!(limits::TRACKER_HURRY, Duration::from_secs(2));
}
