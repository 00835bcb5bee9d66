//! Peers over uTP: who is called when, which of two attempts is kept, and who may call.

use std::net::SocketAddr;

use brooklet::base::{Duration, Time, limits};
use brooklet::peer::{EndReason, Segment};
use brooklet::session::datagrams;
use brooklet::session::streams::{self, Stream};
use brooklet::torrent::{Report, Transport};
use brooklet::utp::{Event, Reason, Utp};
use brooklet::wire::extended::exchange::UTP;
use brooklet::wire::utp_packet::{Kind, Packet};

use crate::exchange;
use crate::session::Bench;

const MILLI: Duration = Duration::from_millis(1);

/// A client that speaks uTP, and a peer at the other end of the line.
struct Pair {
    bench: Bench,
    peer: Utp,
    addr: SocketAddr,
    ours: SocketAddr,
}

impl Pair {
    fn new() -> Pair {
        let bench = Bench::getter_with(4, &[], |config, _| config.utp = Some(1 << 20));
        Pair {
            bench,
            peer: Utp::new(1 << 20, 1 << 20, 9),
            addr: SocketAddr::from(([192, 0, 2, 7], 6881)),
            ours: SocketAddr::from(([192, 0, 2, 1], 6881)),
        }
    }

    /// The datagrams that we send; those that are for the peer reach it if `arrive`.
    fn sends(&mut self, arrive: bool) -> usize {
        let (mut out, mut count, now) = (Vec::new(), 0, self.bench.now);
        let utp = self.bench.session.utp.as_mut().unwrap();
        while let Some(datagrams) = utp.transmit(&mut out, now) {
            assert_eq!(datagrams.to, self.addr);
            for bytes in out.chunks(datagrams.each) {
                count += 1;
                if arrive {
                    self.peer.receive(self.ours, bytes, || true, now);
                }
            }
        }
        count
    }

    /// What the peer sends reaches us.
    fn answers(&mut self) {
        let (mut out, now) = (Vec::new(), self.bench.now);
        while let Some(datagrams) = self.peer.transmit(&mut out, now) {
            for bytes in out.chunks(datagrams.each) {
                datagrams::handle(&mut self.bench.session, self.addr, bytes, now);
            }
        }
    }

    fn streams(&mut self) -> Vec<Stream> {
        let (session, now) = (&mut self.bench.session, self.bench.now);
        std::iter::from_fn(|| streams::next(session, now)).collect()
    }

    /// Nobody listens over TCP.
    fn refuses(&mut self, key: usize) {
        let reason = EndReason::Network("it refused the connection".into());
        self.closes(key, reason);
    }

    /// TCP is answered, and closed before anything came.
    fn hangs_up(&mut self, key: usize) {
        self.bench.session.handle_connected(key, self.bench.now);
        self.bench.turn();
        self.closes(key, EndReason::Closed);
    }

    fn closes(&mut self, key: usize, reason: EndReason) {
        self.bench
            .session
            .handle_closed(key, reason, self.bench.now);
        self.bench.turn();
    }

    fn connected(&self) -> Option<Transport> {
        self.bench.reports.iter().find_map(|report| match report {
            Report::Connected { transport, .. } => Some(*transport),
            _ => None,
        })
    }
}

#[test]
fn tcp_comes_first_and_utp_a_second_later() {
    let mut pair = Pair::new();
    let key = pair.bench.dials(pair.addr);
    pair.bench.wait(limits::UTP_AFTER_TCP - MILLI);
    assert_eq!(pair.sends(true), 0);
    pair.bench.wait(MILLI);
    assert_eq!(pair.sends(true), 1);
    pair.answers();
    let streams = pair.streams();
    assert!(
        matches!(streams[..], [Stream::Up(up, _)] if up == key),
        "{streams:?}"
    );
    let hello = "handshake fast -TR3000-abcdefghi001";
    pair.bench.says(key, hello);
    assert_eq!(pair.connected(), Some(Transport::Utp));
    // What TCP does now means nothing: it was given up.
    assert!(!pair.bench.is_gone(key));
}

#[test]
fn a_dial_that_tcp_answers_takes_its_call_back() {
    let mut pair = Pair::new();
    let key = pair.bench.dials(pair.addr);
    pair.bench.wait(limits::UTP_AFTER_TCP);
    assert_eq!(pair.sends(true), 1);
    pair.bench.session.handle_connected(key, pair.bench.now);
    assert_eq!(pair.sends(true), 1, "a reset");
    pair.answers();
    assert_eq!(pair.streams(), []);
    pair.bench.says(key, "handshake fast -TR3000-abcdefghi001");
    assert_eq!(pair.connected(), Some(Transport::Tcp));
    assert!(pair.bench.session.utp.as_ref().unwrap().is_empty());
}

/// TCP fails, and uTP is tried at once; a peer that answers TCP would answer as soon over uTP, and if
/// it does not, the dial fails by what TCP said.
#[test]
fn when_tcp_fails_utp_is_tried_at_once() {
    let mut pair = Pair::new();
    let key = pair.bench.dials(pair.addr);
    let trip = Duration::from_millis(150);
    pair.bench.wait(trip);
    pair.refuses(key);
    assert!(!pair.bench.is_gone(key));
    assert_eq!(pair.sends(false), 1);
    pair.bench
        .wait(limits::UTP_AFTER_REFUSED + trip * 2 - MILLI);
    assert!(!pair.bench.is_gone(key));
    pair.bench.wait(MILLI);
    assert!(pair.bench.is_gone(key));
    assert_eq!(pair.sends(true), 1, "the call is taken back");
    let refused = |report: &Report| matches!(report, Report::Disconnected { reason, .. } if reason == "it refused the connection");
    assert!(
        pair.bench.reports.iter().any(refused),
        "{:?}",
        pair.bench.reports
    );
}

#[test]
fn who_is_said_to_speak_utp_is_called_sooner() {
    let mut pair = Pair::new();
    let mut bench = exchange::bench();
    bench.session.utp = pair.bench.session.utp.take();
    let key = exchange::dials_us(&mut bench, 1, Some(7000));
    pair.addr = SocketAddr::from(([198, 51, 100, 1], 6881));
    exchange::names(&mut bench, key, &[(pair.addr, UTP)]);
    bench.turn();
    bench.dialled(pair.addr).expect("it is dialed");
    pair.bench = bench;
    pair.bench.wait(limits::UTP_AFTER_TCP_KNOWN);
    assert_eq!(pair.sends(false), 1);
}

#[test]
fn a_peer_may_call_and_is_greeted_as_over_tcp() {
    let mut pair = Pair::new();
    pair.bench.turn();
    let now = pair.bench.now;
    let call = pair.peer.connect(pair.ours, 0, now).unwrap();
    pair.answers();
    assert_eq!(pair.streams(), [], "a call alone is nobody");
    assert_eq!(pair.sends(true), 1);
    assert_eq!(pair.peer.next_event(), Some(Event::Connected(0, call)));
    pair.peer.write(call, b"\x13BitTorrent protocol", now);
    pair.answers();
    let streams = pair.streams();
    let [Stream::Up(key, _), Stream::Readable(readable)] = streams[..] else {
        panic!("{streams:?}");
    };
    assert_eq!(key, readable);
    assert_eq!(pair.bench.session.connections(), 1);
    // It goes away without a word.
    pair.bench
        .wait(limits::HANDSHAKE_TIME + Duration::from_secs(1));
    assert_eq!(pair.bench.session.connections(), 0);
}

/// With all connections taken a caller is told so; nobody may call while no torrent wants peers.
#[test]
fn a_peer_that_is_not_taken_is_told() {
    let mut pair = Pair::new();
    let now: Time = pair.bench.now;
    pair.bench.turn();
    let call = pair.peer.connect(pair.ours, 0, now).unwrap();
    pair.answers();
    pair.sends(true);
    pair.bench.session.stop_all("SIGINT", now);
    pair.peer.write(call, b"\x13BitTorrent protocol", now);
    pair.answers();
    assert_eq!(pair.streams(), []);
    pair.sends(true);
    let events: Vec<Event> = std::iter::from_fn(|| pair.peer.next_event()).collect();
    let gone = |event: &Event| matches!(event, Event::Gone(..));
    assert!(events.iter().any(gone), "{events:?}");
}

/// A peer calls, sends and resets in one burst, and the place of its connection is another's when we
/// come to it: that one stays.
#[test]
fn a_caller_that_is_gone_at_once_leaves_nothing_behind() {
    let mut pair = Pair::new();
    pair.bench.turn();
    let now: Time = pair.bench.now;
    let call = pair.peer.connect(pair.ours, 0, now).unwrap();
    let mut out = Vec::new();
    pair.peer.transmit(&mut out, now);
    let connection = Packet::parse(&out).unwrap().connection;
    datagrams::handle(&mut pair.bench.session, pair.addr, &out, now);
    pair.sends(true);
    pair.peer.write(call, b"\x13BitTorrent protocol", now);
    pair.answers();
    out.clear();
    let reset = Packet {
        kind: Kind::Reset,
        connection,
        timestamp: 0,
        difference: 0,
        window: 0,
        seq: 0,
        ack: 0,
    };
    reset.encode(&mut out);
    datagrams::handle(&mut pair.bench.session, pair.addr, &out, now);
    let utp = pair.bench.session.utp.as_mut().unwrap();
    assert!(utp.is_empty());
    let ours = utp.connect(pair.addr, 77, now).unwrap();
    assert_eq!(pair.streams(), []);
    assert_eq!(pair.bench.session.connections(), 0);
    let utp = pair.bench.session.utp.as_mut().unwrap();
    assert_eq!(utp.len(), 1, "our call goes on");
    utp.close(ours, Reason::None, now);
}

/// Who is turned away takes no place any more.
#[test]
fn a_caller_that_is_turned_away_is_forgotten_at_once() {
    let mut pair = Pair::new();
    let now: Time = pair.bench.now;
    pair.bench.turn();
    let call = pair.peer.connect(pair.ours, 0, now).unwrap();
    pair.answers();
    pair.sends(true);
    pair.peer.write(call, b"\x13BitTorrent protocol", now);
    pair.answers();
    pair.bench.session.stop_all("SIGINT", now);
    assert_eq!(pair.streams(), []);
    assert!(pair.bench.session.utp.as_ref().unwrap().is_empty());
}

/// What answers TCP and hangs up, whatever the form, is called over uTP alone; what worked is tried
/// first the next time, and if that does not work any more, TCP comes first again.
#[test]
fn a_peer_that_hangs_up_over_tcp_is_called_over_utp() {
    let mut pair = Pair::new();
    let plain = pair.bench.dials(pair.addr);
    pair.hangs_up(plain);
    pair.bench.wait(Duration::from_millis(200));
    let encrypted = pair.bench.dialled(pair.addr).expect("the other form");
    pair.hangs_up(encrypted);
    pair.bench.wait(Duration::from_millis(200));
    assert_eq!(pair.bench.dialled(pair.addr), None);
    assert_eq!(pair.sends(true), 1);
    pair.answers();
    let [Stream::Up(key, call)] = pair.streams()[..] else {
        panic!("it is not up");
    };
    pair.bench.says(key, "handshake fast -TR3000-abcdefghi001");
    assert_eq!(pair.connected(), Some(Transport::Utp));
    // The connection breaks, and is made again in the same way.
    pair.peer.close(0, Reason::None, pair.bench.now);
    pair.answers();
    pair.closes(key, EndReason::Closed);
    assert!(pair.bench.is_gone(key));
    pair.sends(false);
    let begun = pair.bench.now;
    while pair.sends(false) == 0 {
        assert!(pair.bench.now.since(begun) < limits::REDIAL_MOST, "{call}");
        pair.bench.wait(Duration::from_secs(1));
    }
    assert_eq!(pair.bench.dialled(pair.addr), None);
    // Now it is not answered any more.
    let begun = pair.bench.now;
    while pair.bench.dialled(pair.addr).is_none() {
        assert!(pair.bench.now.since(begun) < limits::REDIAL_MOST);
        pair.bench.wait(Duration::from_secs(1));
        pair.sends(false);
        assert_eq!(pair.streams(), []);
    }
}

/// The user hears what TCP said.
#[test]
fn a_peer_that_takes_nothing_is_given_up_for_a_while() {
    for silent in [false, true] {
        let mut pair = Pair::new();
        let key = pair.bench.dials(pair.addr);
        pair.hangs_up(key);
        pair.bench.wait(Duration::from_millis(200));
        let key = pair.bench.dialled(pair.addr).expect("the other form");
        if silent {
            pair.bench.session.handle_connected(key, pair.bench.now);
            pair.bench.wait(limits::HANDSHAKE_TIME);
        } else {
            pair.hangs_up(key);
        }
        pair.bench.wait(Duration::from_millis(200));
        assert_eq!(pair.sends(false), 1);
        pair.bench.wait(Duration::from_secs(1));
        assert_eq!(pair.sends(false), 1);
        pair.bench.wait(Duration::from_secs(2));
        assert_eq!(pair.streams(), []);
        pair.bench.turn();
        let reasons = pair.bench.reports.iter().filter_map(|report| match report {
            Report::Disconnected { reason, .. } => Some(reason.as_str()),
            _ => None,
        });
        let (last, before) = if silent {
            (
                "it sent no handshake in time",
                "it sent no handshake in time; it is called over uTP",
            )
        } else {
            (
                "it closed the connection",
                "it closed the connection; it is called over uTP",
            )
        };
        let reasons: Vec<&str> = reasons.collect();
        assert_eq!(reasons[1..], [before, last]);
        pair.bench.wait(limits::REDIAL / 2);
        assert_eq!(pair.bench.dialled(pair.addr), None);
        pair.bench.wait(limits::REDIAL);
        assert!(
            pair.bench.dialled(pair.addr).is_some(),
            "TCP comes first again"
        );
    }
}

/// Over uTP, too, both forms are tried.
#[test]
fn a_peer_that_hangs_up_over_utp_is_called_in_the_other_form() {
    let mut pair = Pair::new();
    for _ in 0..2 {
        let key = pair.bench.dialled(pair.addr);
        let key = key.unwrap_or_else(|| pair.bench.dials(pair.addr));
        pair.hangs_up(key);
        pair.bench.wait(Duration::from_millis(200));
    }
    for form in ["plain", "encrypted"] {
        assert_eq!(pair.sends(true), 1, "{form}");
        pair.answers();
        let [Stream::Up(key, _)] = pair.streams()[..] else {
            panic!("{form}: it is not up");
        };
        let first: Vec<u8> = pair
            .bench
            .session
            .transmit(key)
            .flat_map(|segment| match segment {
                Segment::Bytes(bytes) => bytes.to_vec(),
                Segment::Block { .. } => Vec::new(),
            })
            .collect();
        assert_eq!(first.starts_with(b"\x13Bit"), form == "plain");
        pair.closes(key, EndReason::Closed);
        pair.sends(false);
        pair.bench.wait(Duration::from_millis(200));
        assert_eq!(pair.bench.dialled(pair.addr), None);
    }
    assert_eq!(pair.sends(false), 0, "it waits");
}
