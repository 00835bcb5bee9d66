//! The client's one UDP port: trackers are asked from it, and calls over uTP to it are answered.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use super::support::bench::{Bench, SOON, checked};

/// A uTP packet without content: its first byte, connection 0x1234, number 0xabcd.
fn packet(first: u8) -> [u8; 20] {
    let mut packet = [0; 20];
    packet[0] = first;
    packet[2..4].copy_from_slice(&[0x12, 0x34]);
    packet[4..8].copy_from_slice(&[1, 2, 3, 4]);
    packet[16..18].copy_from_slice(&[0xab, 0xcd]);
    packet
}

/// A socket that does not wait for ever.
fn socket(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

#[test]
fn the_port_is_the_same_for_tcp_for_trackers_and_for_utp() {
    for (bind, zero) in [("127.0.0.1", "127.0.0.1:0"), ("::1", "[::1]:0")] {
        let (tracker, peer) = (socket(zero), socket(zero));
        let bench = Bench::new(1, 100_000);
        bench.fill();
        bench.trackers(&[&format!("udp://{}/announce", tracker.local_addr().unwrap())]);
        let mut seed = bench.run("seed", &["--bind", bind]);
        let port = seed.event("start", SOON).get("port").count();
        let addr = SocketAddr::new(bind.parse().unwrap(), u16::try_from(port).unwrap());
        checked(&mut seed);
        let mut buffer = [0; 2048];
        let (_, from) = tracker.recv_from(&mut buffer).unwrap();
        assert_eq!(
            from, addr,
            "the tracker is asked from the port of the peers"
        );

        // What is no SYN, and no whole SYN, has no answer: the first one is that to the SYN behind.
        for first in [0x21, 0x31, 0x42, 0x51, b'd', 0] {
            peer.send_to(&packet(first), addr).unwrap();
        }
        peer.send_to(&packet(0x41)[..19], addr).unwrap();
        peer.send_to(&packet(0x41), addr).unwrap();
        let (len, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((len, from), (20, addr));
        assert_eq!(
            buffer[..4],
            [0x21, 0, 0x12, 0x34],
            "an answer for that connection"
        );
        assert_eq!(buffer[18..20], [0xab, 0xcd], "the number of the SYN");
        peer.set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        assert!(
            peer.recv_from(&mut buffer).is_err(),
            "one answer for one SYN"
        );
    }
}

/// What a stranger sends to the port goes on arriving while a tracker has a socket there, and what
/// that tracker sends arrives too.
#[test]
fn trackers_and_strangers_share_the_port() {
    let (tracker, peer) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
    let bench = Bench::new(2, 100_000);
    bench.fill();
    bench.trackers(&[&format!("udp://{}", tracker.local_addr().unwrap())]);
    let mut seed = bench.run("seed", &[]);
    checked(&mut seed);
    let (mut buffer, mut answer) = ([0; 2048], [0; 2048]);
    for action in [0, 1] {
        let (_, from) = tracker.recv_from(&mut buffer).unwrap();
        for _ in 0..3 {
            peer.send_to(&packet(0x41), from).unwrap();
            assert_eq!(peer.recv_from(&mut answer).unwrap(), (20, from));
        }
        let fields = [&[0, 0, 0, action], &buffer[12..16], &[0, 0, 7, 8], &[0; 8]].concat();
        tracker.send_to(&fields, from).unwrap();
    }
    let event = seed.event("tracker", SOON);
    assert!(event.get("ok").is_true());
    assert_eq!(event.get("peers").count(), 0);
}
