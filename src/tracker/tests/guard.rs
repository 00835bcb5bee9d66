//! What a torrent and its trackers can make us ask of others.

use super::*;
use crate::wire::compact::encode;

pub fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// What becomes of a tracker at a name with these addresses that redirects, each time to a place
/// that has these addresses.
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

/// Where a tracker's name leads to, its path, where it redirects to and where that leads to; and
/// what comes of it.
type Case<'a> = (
    &'a [&'a str],
    &'a str,
    &'a [(&'a str, &'a [&'a str])],
    &'a str,
);

const PLAIN: &str = "where only paths with \"announce\" are asked for (--allow-local lifts this)";
/// The way around a refusal, as it names it.
const LIFT: &str = " (--allow-local lifts this)";

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
fn a_public_host_does_not_lead_to_local_addresses() {
    let to = |host: &str, ip: &str| format!("T: redirected to {host}: {ip} is a local address");
    let (here, named) = (to("127.0.0.1", "127.0.0.1"), to("localhost", "127.0.0.1"));
    let (rebound, back) = (to("rebound", "192.168.0.1"), to("10.0.0.1", "10.0.0.1"));
    let admin = format!("{here}, PLAIN");
    let [here, named, rebound, back] = [here, named, rebound, back].map(|why| why + LIFT);
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

/// The user runs a tracker that has another path, or lies behind a redirect.
#[test]
fn a_user_may_allow_any_local_tracker() {
    let away = redirect("http://10.0.0.1/admin");
    let mut bench = Bench::new(&[
        &["http://127.0.0.1/tracker"],
        &["http://192.0.2.1/announce"],
    ]);
    bench.trackers.allow_local(true);
    bench.trackers.start(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "127.0.0.1:80");
    bench.refuse(&get);
    let get = bench.get();
    bench.send(&get, &away);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "10.0.0.1:80");
    assert!(get.text.starts_with("GET /admin HTTP/1.1"));
    bench.answer(&get, FINE);
    assert_eq!(bench.said().last().unwrap(), "http://192.0.2.1/announce 0");
}

/// A name is looked up for each announce, and judged each time: what it said before counts for
/// nothing.
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
        said[0].contains("where only paths with \"scrape\" are asked for (--allow-local"),
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
        assert!(bench.hear_datagram(to, &id));
        let (_, request) = bench.datagram();
        let reply = [&[0, 0, 0, 1], &request[12..16], &[0; 12], &list].concat();
        assert!(bench.hear_datagram(to, &reply));
    } else {
        let get = bench.get();
        let body = [format!("d5:peers{}:", list.len()).as_bytes(), &list, b"e"].concat();
        bench.send(&get, [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat());
    }
    bench.take_actions();
    bench.reports[0].outcome.as_ref().unwrap().len()
}

#[test]
fn a_public_tracker_names_no_local_address() {
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
