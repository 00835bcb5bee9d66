//! Trackers: most bounds are tested beside the machine, in `src/tracker/tests/bounds.rs`; here are
//! those that live in the loop.

use std::net::UdpSocket;

use brooklet::base::{Duration, limits};
use brooklet::session::datagrams;
use brooklet::wire::utp_packet::{Kind, Packet};

use crate::support::bench::{Bench, SOON};

/// A tracker over UDP and IPv6 that names so many peers, 18 bytes each; how many are taken.
fn announce(peers: u32) -> u64 {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let url = format!("udp://{}", socket.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut request = [0; 2048];
        while let Ok((len, from)) = socket.recv_from(&mut request) {
            // BEP 15: the action and the transaction stand behind the connection id.
            let mut answer = request[8..16].to_vec();
            if len == 16 {
                answer.extend([0, 0, 0, 0, 0, 0, 0, 9]);
            } else {
                answer.extend([0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
                answer.extend((0..peers).flat_map(peer));
            }
            let _ = socket.send_to(&answer, from);
        }
    });
    let bench = Bench::new(1, 1 << 16);
    bench.trackers(&[&url]);
    let mut get = bench.run("get", &["--bind", "::1", "--max-peers", "1"]);
    get.event("tracker", SOON).get("peers").count()
}

/// An address that nobody has, and a port.
fn peer(number: u32) -> [u8; 18] {
    let mut peer = [0; 18];
    peer[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    peer[12..16].copy_from_slice(&number.to_be_bytes());
    peer[17] = 9;
    peer
}

#[test]
fn bytes_of_a_datagram() {
    // As many as fit are taken; what is behind the bound is not read.
    let most = (limits::DATAGRAM as u32 - 20) / 18;
    assert!((most as usize) < limits::REPLY_PEERS);
    assert_eq!(announce(most), most.into());
    assert_eq!(announce(most + 1), most.into());
}

#[test]
fn utp_connections_refused_a_second() {
    let mut bench = crate::session::Bench::getter(4, &[]);
    bench.turn();
    let syn = Packet {
        kind: Kind::Syn,
        connection: 7,
        timestamp: 1,
        difference: 0,
        window: 0,
        seq: 9,
        ack: 0,
    };
    let mut packet = Vec::new();
    syn.encode(&mut packet);
    for _ in 0..3 {
        let now = bench.now;
        for number in 0..10 * limits::UTP_REFUSALS {
            let from = ([192, 0, 2, (number % 250) as u8], 6881).into();
            datagrams::handle(&mut bench.session, from, &packet, now);
        }
        bench.turn();
        let answered = std::mem::take(&mut bench.datagrams).len();
        assert_eq!(answered, limits::UTP_REFUSALS as usize);
        bench.now = now + Duration::from_secs(1);
    }
}
