//! Lists of peers that are none.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{AT_ONCE, Swarm, Tracker, answer, each, reply};
use crate::support::bench::SOON;

fn v4(ip: [u8; 4], port: u16) -> SocketAddr {
    SocketAddr::from((ip, port))
}

/// What nobody can be called at. Of the rest of the list nothing leaves this machine: the download
/// is bound to loopback.
fn junk() -> Vec<SocketAddr> {
    let nowhere = (0..5_000).flat_map(|number: u16| {
        let [high, low] = number.to_be_bytes();
        [
            v4([0, 0, 0, 0], number),
            v4([127, 0, 0, 1], 0),
            v4([224, 0, high, low], 6881),
            v4([255, 255, 255, 255], number),
            v4([0, 1, high, low], 6881),
            v4([240, 0, high, low], 6881),
        ]
    });
    nowhere.collect()
}

#[test]
fn unusable_addresses_are_not_dialed() {
    let swarm = Swarm::new(31);
    let good: SocketAddr = swarm.peer.addr().parse().unwrap();
    let with_good = |mut list: Vec<SocketAddr>| {
        list.insert(0, good);
        list
    };
    let documentation = (0..40_u32).map(|number| {
        let [_, _, third, fourth] = number.to_be_bytes();
        v4([198, 51, 100 + third, fourth], 6881)
    });
    let v6 = |tail: &str| {
        let list: Vec<u8> = (0..1000).flat_map(|_| six(tail)).collect();
        let mut body = b"d8:intervali1800e5:peers6:".to_vec();
        body.extend(&reply(0, &[good])[23..29]);
        body.extend(format!("6:peers6{}:", list.len()).into_bytes());
        [&body[..], &list, b"e"].concat()
    };
    let long = |peer: &str| {
        let peers = peer.repeat(10_000);
        let ip = good.ip().to_string();
        format!(
            "d8:intervali1800e5:peersld2:ip{}:{ip}4:porti{}ee{peers}ee",
            ip.len(),
            good.port()
        )
        .into_bytes()
    };
    let lists = vec![
        (reply(1800, &with_good(junk())), Some(1)),
        (reply(1800, &with_good(vec![good; 10_000])), None),
        (reply(1800, &with_good(documentation.collect())), None),
        (v6("::"), Some(1)),
        (v6("ff02::1"), Some(1)),
        (v6("::ffff:0.0.0.0"), Some(1)),
        (long("d2:ip9:localhost4:porti6881ee"), Some(1)),
        (long("d2:ip7:1.2.3.44:porti65536ee"), Some(1)),
        (long("d2:ip7:1.2.3.44:porti-1ee"), Some(1)),
        (long("d2:ip0:4:porti1ee"), Some(1)),
        (long("de"), Some(1)),
        (long("le"), Some(1)),
    ];
    each(&lists, AT_ONCE, |(body, count)| {
        let tracker = Tracker::saying(answer(body));
        let mut download = swarm.get(&[&tracker.url()], &[]);
        let peers = download.peers(&tracker.url(), SOON);
        assert!(
            peers <= 1000 && count.is_none_or(|count| count == peers),
            "{peers}"
        );
        download.complete();
        let strangers = download.child.events("peer");
        let strangers = strangers.iter().map(|peer| peer.get("addr").text());
        let known = |addr: &&str| addr.starts_with("127.0.0.1:") || addr.starts_with("198.51.");
        assert_eq!(
            strangers.filter(|addr| !known(addr)).collect::<Vec<_>>(),
            [""; 0]
        );
        download.end();
    });
}

fn six(ip: &str) -> Vec<u8> {
    let ip: std::net::Ipv6Addr = ip.parse().unwrap();
    [&ip.octets()[..], &6881_u16.to_be_bytes()].concat()
}

/// A tracker that names closed ports by the thousand delays the good peer behind them by no more
/// than the calls take.
#[test]
fn closed_ports_do_not_hide_the_good_peer() {
    let swarm = Swarm::new(32);
    let good: SocketAddr = swarm.peer.addr().parse().unwrap();
    let closed = (1..60).map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into());
    let list: Vec<SocketAddr> = closed.filter(|&addr| addr != good).chain([good]).collect();
    let tracker = Tracker::saying(answer(&reply(0, &list)));
    let mut download = swarm.get(&[&tracker.url()], &[]);
    assert_eq!(download.peers(&tracker.url(), SOON), list.len() as u64);
    download.complete();
    download.end();
}
