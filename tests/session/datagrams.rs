//! uTP packets that come before there is uTP: a connection is refused, so that the peer turns to
//! TCP.

use std::net::SocketAddr;

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

#[test]
fn a_connection_is_refused_and_nothing_else_answered() {
    let mut bench = Bench::getter(4, &[]);
    bench.turn();
    let now = bench.now;
    let answer = bench.session.answer_utp(peer(1), &SYN, now).unwrap();
    assert_eq!((answer.kind, answer.connection), (Kind::Reset, 7));
    assert_eq!((answer.ack, answer.window), (9, 0));
    for kind in [Kind::Data, Kind::Fin, Kind::State, Kind::Reset] {
        let packet = Packet { kind, ..SYN };
        assert_eq!(bench.session.answer_utp(peer(1), &packet, now), None);
    }
    for nowhere in ["192.0.2.1:0", "0.0.0.0:1", "224.0.0.1:1", "[ff02::1]:1"] {
        let from = nowhere.parse().unwrap();
        assert_eq!(bench.session.answer_utp(from, &SYN, now), None, "{nowhere}");
    }
    bench.session.stop_all("SIGINT", now);
    assert_eq!(bench.session.answer_utp(peer(1), &SYN, now), None);
}
