//! uTP packets where uTP is switched off: a call is refused, so that the peer turns to TCP.

use std::net::SocketAddr;

use brooklet::session::datagrams;
use brooklet::torrent::Order;
use brooklet::wire::utp_packet::{Kind, Packet};

use crate::session::Bench;

const SYN: Packet = Packet {
    kind: Kind::Syn,
    connection: 7,
    timestamp: 1,
    difference: 0,
    window: 0,
    seq: 9,
    ack: 0,
};

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 6881))
}

/// What this packet is answered with, if it is.
fn answer(bench: &mut Bench, from: SocketAddr, packet: &Packet) -> Option<Packet> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    datagrams::handle(&mut bench.session, from, &bytes, bench.now);
    bench.turn();
    let (to, bytes) = bench.datagrams.pop()?;
    assert_eq!(to, from);
    Some(Packet::parse(&bytes).unwrap())
}

/// A torrent that asks peers for its metadata takes them over TCP as well.
#[test]
fn a_connection_is_refused_while_metadata_are_looked_for() {
    let mut bench = Bench::getter(4, &[]);
    let info_hash = bench.order().info_hash;
    bench.begins(|_, order| *order = Order::of_link(info_hash, "x".into(), Vec::new()));
    bench.turn();
    let reset = answer(&mut bench, peer(1), &SYN).map(|packet| packet.kind);
    assert_eq!(reset, Some(Kind::Reset));
    let over_tcp = bench.accepts(peer(1));
    bench.says(over_tcp, "handshake fast -TR3000-abcdefghi001");
    assert_eq!(bench.hears(over_tcp)[0], "handshake");
}

#[test]
fn a_connection_is_refused_and_nothing_else_answered() {
    let mut bench = Bench::getter(4, &[]);
    bench.turn();
    let reset = answer(&mut bench, peer(1), &SYN).unwrap();
    assert_eq!((reset.kind, reset.connection), (Kind::Reset, 7));
    assert_eq!((reset.ack, reset.window), (9, 0));
    for kind in [Kind::Data, Kind::Fin, Kind::State, Kind::Reset] {
        let packet = Packet { kind, ..SYN };
        assert_eq!(answer(&mut bench, peer(1), &packet), None);
    }
    for nowhere in ["192.0.2.1:0", "0.0.0.0:1", "224.0.0.1:1", "[ff02::1]:1"] {
        let from = nowhere.parse().unwrap();
        assert_eq!(answer(&mut bench, from, &SYN), None, "{nowhere}");
    }
    for other in [
        &b"d1:q4:ping"[..],
        b"\0\0\0\x01\0\0\0\x07",
        b"\x41",
        b"?",
        b"",
    ] {
        datagrams::handle(&mut bench.session, peer(1), other, bench.now);
        bench.turn();
        assert!(bench.datagrams.is_empty(), "{other:?}");
    }
    bench.session.stop_all("SIGINT", bench.now);
    assert_eq!(answer(&mut bench, peer(1), &SYN), None);
}
