//! The `port` message (BEP 5): peers that are nodes of the DHT tell each other where they are as
//! nodes. And that all of it ends with a torrent that turns out to be private (BEP 27).

use std::net::SocketAddr;
use std::num::NonZeroU32;

use brooklet::base::{Duration, PeerId};
use brooklet::dht;
use brooklet::session::{Start, extending};
use brooklet::torrent::Order;
use brooklet::wire::Handshake;

use crate::exchange::addr;
use crate::session::Bench;

/// A download that takes part in the DHT, or not, of a process whose node knows nobody.
fn bench(takes_part: bool) -> Bench {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| order.dht = takes_part);
    joins_dht(&mut bench);
    bench
}

fn joins_dht(bench: &mut Bench) {
    let config = dht::Config {
        v4: true,
        ..dht::Config::default()
    };
    bench.session.finding.join(Start {
        config,
        secret: 1,
        seed: 2,
        named_hosts: false,
        usual_hosts: false,
    });
    bench.turn();
}

/// A peer dials us; `is_node`: it says that it is a node of the DHT.
fn dials_us(bench: &mut Bench, is_node: bool) -> usize {
    let key = bench.accepts(addr("192.0.2.1:50001"));
    let greeting = Handshake::ours(
        bench.setting.local.info_hash,
        PeerId(*b"-LT2080-abcdefghijkl"),
    );
    let greeting = if is_node {
        greeting.with_dht()
    } else {
        greeting
    };
    let mut bytes = Vec::new();
    greeting.encode(&mut bytes);
    bench.sends(key, &bytes);
    key
}

fn asked(bench: &mut Bench) -> Vec<SocketAddr> {
    let datagrams = std::mem::take(&mut bench.datagrams);
    datagrams.into_iter().map(|(to, _)| to).collect()
}

#[test]
fn who_is_a_node_is_told_of_ours_and_its_own_is_asked() {
    let mut bench = bench(true);
    let key = dials_us(&mut bench, true);
    let heard = bench.hears(key);
    let place = |what: &str| heard.iter().position(|said| said == what);
    assert!(place("have none") < place("port 6881"), "{heard:?}");
    bench.says(key, "have none");
    bench.says(key, "port 7000");
    bench.wait(Duration::from_secs(20));
    let all = asked(&mut bench);
    assert!(all.contains(&addr("192.0.2.1:7000")), "{all:?}");
    // A peer that names one port after the other does not have us ask them all.
    (7001..7100).for_each(|port| bench.says(key, &format!("port {port}")));
    bench.wait(Duration::from_secs(60));
    let all = asked(&mut bench);
    assert!(all.iter().all(|it| it.port() == 7000), "{all:?}");
}

#[test]
fn who_is_no_node_is_told_nothing() {
    for (ours, theirs) in [(true, false), (false, true)] {
        let mut bench = bench(ours);
        let key = dials_us(&mut bench, theirs);
        bench.says(key, "have none");
        bench.says(key, "port 7000");
        bench.wait(Duration::from_secs(60));
        let heard = bench.hears(key);
        assert!(!heard.iter().any(|said| said.starts_with("port")));
        assert_eq!(asked(&mut bench), []);
        assert!(!bench.is_gone(key));
    }
}

/// A link may lead to a private torrent, which nobody knows before its metadata are there.
#[test]
fn nothing_more_is_sent_once_a_torrent_turns_out_to_be_private() {
    for private in [false, true] {
        let mut bench = Bench::getter(2, &[]);
        let mut whole = bench.order();
        let info_hash = whole.info_hash;
        bench.begins(|_, order| {
            *order = Order::of_link(info_hash, "x".into(), Vec::new());
            (order.dht, order.lsd) = (true, true);
        });
        bench.session.finding.nearby.join(6881, 1);
        joins_dht(&mut bench);
        bench.session.finding.add_nodes(&[addr("192.0.2.9:7")]);
        bench.wait(Duration::from_secs(1));
        assert!(!asked(&mut bench).is_empty() && !bench.searches.is_empty());
        let key = dials_us(&mut bench, true);
        (whole.dht, whole.lsd) = (!private, !private);
        whole.metadata_size = NonZeroU32::new(7).filter(|_| !private);
        let (torrent, now) = (bench.torrent, bench.now);
        extending::learn(&mut bench.session, torrent, whole, now);
        bench.turn();
        (bench.datagrams, bench.searches) = Default::default();
        bench.says(key, "port 7000");
        bench.wait(Duration::from_secs(1800));
        let silent = asked(&mut bench).is_empty() && bench.searches.is_empty();
        assert_eq!(silent, private);
        let called = dials_us(&mut bench, true);
        let heard = bench.hears(called);
        assert_eq!(heard.contains(&"port 6881".to_string()), !private);
    }
}
