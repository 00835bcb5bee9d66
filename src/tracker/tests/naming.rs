//! What is said of a tracker's answer besides the number of peers worth dialing.

use super::udp::{connect, reply};
use super::*;
use crate::base::limits;
use crate::wire::announce::Reply;
use crate::wire::compact;
use crate::wire::udp_tracker::Body;

const V6: &str = "udp://[fd00::9]:9";

/// What comes of an answer with these entries and counts: how many peers, and the remark.
fn heard(url: &str, peers: &[&str], counts: (u32, u32)) -> (usize, Option<String>) {
    let mut bench = Bench::started(&[&[url]]);
    bench.hear(Input::Seen {
        at: "192.168.1.5".parse().unwrap(),
    });
    bench.hear(Input::Seen {
        at: "fd00::5".parse().unwrap(),
    });
    let announce = connect(&mut bench, 5);
    let answer = Reply {
        seeders: Some(counts.0),
        leechers: Some(counts.1),
        peers: peers.iter().map(|peer| peer.parse().unwrap()).collect(),
        ..Reply::default()
    };
    reply(&mut bench, &announce, Body::Announce(answer));
    said(&mut bench)
}

fn said(bench: &mut Bench) -> (usize, Option<String>) {
    bench.take_actions();
    let report = bench.reports.pop().unwrap();
    (report.outcome.unwrap().len(), report.remark)
}

#[test]
fn what_a_number_would_hide_is_said() {
    let own = "192.168.1.5:6881";
    for (peers, counts, found, remark) in [
        (&["192.168.1.6:6881"][..], (1, 1), 1, None),
        (&[], (0, 1), 0, None),
        (&[], (0, 0), 0, None),
        (&[own], (0, 1), 0, Some("not counting this client")),
        (
            &[own, "192.168.1.6:1"],
            (1, 1),
            1,
            Some("not counting this client"),
        ),
        // Another client on this machine has another port.
        (&["192.168.1.5:6882"], (1, 1), 1, None),
        (
            &["0.0.0.0:6881", "0.0.0.0:1"],
            (1, 1),
            0,
            Some("2 left out at 0.0.0.0, which cannot be a peer"),
        ),
        (&["192.168.1.6:0"], (1, 1), 0, Some("1 left out at port 0")),
        (&[], (1, 1), 0, Some("it counts 1 and names none")),
        (&[], (0, 3), 0, Some("it counts 2 and names none")),
        (
            &[own, "0.0.0.0:6881"],
            (1, 1),
            0,
            Some("not counting this client, 1 left out at 0.0.0.0, which cannot be a peer"),
        ),
    ] {
        let expected = (found, remark.map(String::from));
        assert_eq!(heard(super::udp::U, peers, counts), expected, "{peers:?}");
    }
    let outside = heard("udp://192.0.2.1:9", &["127.0.0.1:9"], (1, 1));
    let remark = String::from("1 left out at a local address");
    assert_eq!(outside, (0, Some(remark)));
}

/// What `bittorrent-tracker` does over UDP and IPv6: entries of six bytes, and IPv6 peers counted
/// but not named.
#[test]
fn ipv4_peers_over_ipv6_are_taken_and_named_as_that() {
    let remark = Some(String::from("IPv4 addresses where IPv6 ones are due"));
    let peers = ["91.1.2.3:6881", "82.4.5.6:51413", "203.0.113.7:1"];
    for count in 1..=3 {
        assert_eq!(heard(V6, &peers[..count], (2, 2)), (count, remark.clone()));
    }
    assert_eq!(heard(V6, &["[2001:db8::1]:9"], (1, 1)), (1, None));
    assert_eq!(
        heard(V6, &["[fd00::5]:6881"], (0, 1)).1.unwrap(),
        "not counting this client"
    );
    let none = String::from("it counts 1 and names none");
    assert_eq!(heard(V6, &[], (1, 1)), (0, Some(none)));
    let nowhere = String::from("1 left out at ::, which cannot be a peer");
    assert_eq!(heard(V6, &["[::]:6881"], (1, 1)), (0, Some(nowhere)));
}

/// BEP 3's long form, with host names, and IPv6 addresses in the wrong place.
#[test]
fn peers_in_odd_forms_are_named_as_what_they_are() {
    let v6 = b"d5:peers18:\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x09e";
    for (body, found, remark) in [
        (
            &b"d8:completei1e5:peersld2:ip9:localhost4:porti1eeee"[..],
            0,
            "1 left out without an address",
        ),
        (b"d5:peersi7ee", 0, "1 left out without an address"),
        (
            b"d5:peersl6:stringd2:ip7:1.2.3.44:porti1eeee",
            1,
            "1 left out without an address",
        ),
        (v6, 1, "IPv6 addresses where IPv4 ones are due"),
    ] {
        let mut bench = Bench::started(&[&["http://192.0.2.1/announce"]]);
        let get = bench.get();
        bench.send(&get, [b"HTTP/1.1 200 OK\r\n\r\n", body].concat());
        assert_eq!(said(&mut bench), (found, Some(String::from(remark))));
    }
}

/// BEP 24: "external ip", where the tracker sees us.
#[test]
fn a_tracker_may_say_which_peer_is_ourselves() {
    let mut bench = Bench::started(&[&["http://192.0.2.1/announce"]]);
    let mut compact = Vec::new();
    compact::encode("198.51.100.7:6881".parse().unwrap(), &mut compact);
    compact::encode("198.51.100.7:7000".parse().unwrap(), &mut compact);
    let get = bench.get();
    let head = b"HTTP/1.1 200 OK\r\n\r\nd11:external ip4:\xc6\x33\x64\x075:peers12:";
    bench.send(&get, [&head[..], &compact, b"e"].concat());
    let remark = String::from("not counting this client");
    assert_eq!(said(&mut bench), (1, Some(remark)));
}

#[test]
fn local_addresses_are_bounded() {
    let mut locals = crate::tracker::locals::Locals::default();
    for last in 0..100 {
        locals.note(IpAddr::from([10, 0, 0, last]));
        locals.note(IpAddr::from([10, 0, 0, 200]));
    }
    assert_eq!(locals.count(), limits::LOCAL_ADDRESSES);
}
