//! The built program and peers that only speak uTP: one that calls it, and one that it calls, both
//! made of the program's own machine over real sockets.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use brooklet::base::{InfoHash, PeerId, Time};
use brooklet::utp::{Event, Key, Read, Reason, Utp};
use brooklet::wire::Handshake;
use brooklet::wire::utp_packet::Packet;

use support::bench::{Bench, SOON, checked, listening};
use support::json::Json;

/// A peer that speaks only uTP.
struct Peer {
    socket: UdpSocket,
    utp: Utp,
    began: Instant,
    heard: Vec<u8>,
    /// Bytes of content of each packet that came.
    packets: Vec<usize>,
    key: Option<Key>,
    over: bool,
}

impl Peer {
    fn new() -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let wait = std::time::Duration::from_millis(5);
        socket.set_read_timeout(Some(wait)).unwrap();
        Peer {
            socket,
            utp: Utp::new(1 << 20, 1 << 20, 5),
            began: Instant::now(),
            heard: Vec::new(),
            packets: Vec::new(),
            key: None,
            over: false,
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(1 + self.began.elapsed().as_micros() as u64)
    }

    fn handshake(&self, bench: &Bench) -> Vec<u8> {
        let mut bytes = Vec::new();
        let handshake = Handshake {
            reserved: [0; 8],
            info_hash: InfoHash(bench.torrent.info_hash),
            peer_id: PeerId(*b"-TR3000-abcdefghijkl"),
        };
        handshake.encode(&mut bytes);
        bytes
    }

    /// Sends and receives until this is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Peer) -> bool) {
        let end = Instant::now() + SOON;
        let (mut out, mut buffer) = (Vec::new(), [0; 2_000]);
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}");
            let now = self.now();
            self.utp.handle_timeout(now);
            while let Some(datagrams) = self.utp.transmit(&mut out, now) {
                for datagram in out.chunks(datagrams.each) {
                    self.socket.send_to(datagram, datagrams.to).unwrap();
                }
            }
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                let (_, body) = Packet::read(&buffer[..len]).unwrap();
                self.packets
                    .extend((!body.content.is_empty()).then_some(body.content.len()));
                self.utp.receive(from, &buffer[..len], || true, self.now());
            }
            while let Some(event) = self.utp.next_event() {
                match event {
                    Event::Accepted(key, _) => {
                        self.utp.own(key, 0, now);
                        self.key = Some(key);
                    }
                    Event::Connected(_, key) => self.key = Some(key),
                    Event::Gone(_, _, why) => panic!("{what}: {why:?}"),
                    Event::Readable(_) | Event::Writable(_) => {}
                }
            }
            if let Some(key) = self.key {
                match self.utp.read(key, &mut buffer, now) {
                    Read::Bytes(len, _) => self.heard.extend(&buffer[..len]),
                    Read::Nothing => {}
                    Read::End => self.over = true,
                }
            }
        }
    }

    fn says(&mut self, bytes: &[u8]) {
        let (key, now) = (self.key.expect("it is connected"), self.now());
        assert_eq!(self.utp.write(key, bytes, now), bytes.len());
    }
}

/// A peer that calls is greeted, hears what is there, and gets what it asks for.
#[test]
fn a_peer_that_calls_over_utp_is_served() {
    let bench = Bench::new(601, 100_000);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr: SocketAddr = listening(&mut seed);
    checked(&mut seed);
    let mut peer = Peer::new();
    let now = peer.now();
    peer.utp.connect(addr, 0, now).unwrap();
    peer.until("the call is answered", |peer| peer.key.is_some());
    let handshake = peer.handshake(&bench);
    peer.says(&handshake);
    peer.until("it is greeted, and hears a bitfield", |peer| {
        peer.heard.len() > 68 + 5
    });
    assert_eq!(peer.heard[..20], handshake[..20]);
    assert_eq!(peer.heard[28..48], handshake[28..48]);
    assert_eq!(peer.packets[0], 68, "the handshake has a packet of its own");
    let event = seed.event("peer", SOON);
    assert_eq!(event.get("transport").text(), "utp");
    // Interested; and a block once we may ask.
    peer.says(&[0, 0, 0, 1, 2]);
    peer.until("it is unchoked", |peer| {
        peer.heard.ends_with(&[0, 0, 0, 1, 1])
    });
    let before = peer.heard.len();
    peer.says(&[0, 0, 0, 13, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0]);
    peer.until("the block comes", |peer| {
        peer.heard.len() == before + 13 + 16_384
    });
    assert_eq!(peer.heard[before + 13..], bench.torrent.bytes[..16_384]);
    // It leaves, and the program hears of it.
    let (key, now) = (peer.key.take().unwrap(), peer.now());
    peer.utp.close(key, Reason::None, now);
    peer.until("the end is acknowledged", |peer| peer.utp.is_empty());
    let gone = |event: &Json| event.get("state").text() == "disconnected";
    seed.event_where("peer", SOON, gone);
    seed.signal("INT");
    assert_eq!(seed.code(SOON), 130);
}

/// Nothing listens on TCP at the peer's port: it is called over uTP at once, and told when the
/// program ends.
#[test]
fn a_peer_that_refuses_tcp_is_called_over_utp() {
    let bench = Bench::new(602, 100_000);
    let mut peer = Peer::new();
    let there = peer.socket.local_addr().unwrap().to_string();
    let mut get = bench.run("get", &["--peer", &there]);
    peer.until("it greets", |peer| peer.heard.len() >= 68);
    assert!(peer.began.elapsed() < SOON);
    let handshake = peer.handshake(&bench);
    assert_eq!(peer.heard[28..48], handshake[28..48]);
    peer.says(&handshake);
    peer.until("what it said is acknowledged", |peer| peer.utp.bytes() == 0);
    assert_eq!(get.event("peer", SOON).get("transport").text(), "utp");
    get.signal("INT");
    peer.until("it says that it ends", |peer| peer.over);
    assert_eq!(get.code(SOON), 130);
}

/// With `--no-utp` neither is so.
#[test]
fn without_utp_a_peer_that_refuses_tcp_is_not_called() {
    let bench = Bench::new(603, 100_000);
    let peer = Peer::new();
    let there = peer.socket.local_addr().unwrap().to_string();
    let mut get = bench.run("get", &["--no-utp", "--peer", &there]);
    let event = get.event("peer", SOON);
    assert_eq!(event.get("state").text(), "disconnected");
    get.signal("INT");
    assert_eq!(get.code(SOON), 130);
    assert!(
        peer.socket.recv_from(&mut [0; 100]).is_err(),
        "nothing came"
    );
}
