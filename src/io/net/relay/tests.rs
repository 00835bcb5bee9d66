use std::io::Write as _;
use std::net::{Shutdown, TcpListener, TcpStream as Plain, UdpSocket as PlainUdp};
use std::time::Instant;

use mio::{Events, Poll};

use super::*;
use crate::base::Duration;

/// Where something is polled for.
const SOON: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);
/// What a proxy answers before the place where it takes datagrams.
const ANSWERS: &[u8] = b"\x05\x00\x05\x00\x00";

/// What was heard: a datagram, or why none gets there.
type News = Vec<(SocketAddr, Result<Vec<u8>, String>)>;

/// A relay, and the proxy.
struct World {
    relay: Relay,
    proxy: TcpListener,
    takes: PlainUdp,
    poll: Poll,
    news: News,
}

impl World {
    fn new() -> World {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = proxy.local_addr().unwrap();
        let found = Proxy::new(addr.ip().to_string(), addr.port(), None).unwrap();
        found.find(None).unwrap();
        let route = Route {
            bind: None,
            proxy: Some(Arc::new(found)),
        };
        let takes = PlainUdp::bind("127.0.0.1:0").unwrap();
        takes.set_read_timeout(Some(SOON)).unwrap();
        World {
            relay: Relay::new(&route, 0).unwrap(),
            proxy,
            takes,
            poll: Poll::new().unwrap(),
            news: News::new(),
        }
    }

    fn send(&mut self, to: SocketAddr, place: Place, bytes: &[u8], now: Time) {
        let hear = &mut |heard: Heard<'_>| self.news.push(kept(heard));
        let registry = self.poll.registry();
        self.relay
            .send((to, place), bytes.to_vec(), registry, now, hear);
    }

    fn send_to(&mut self, number: u16, now: Time) {
        let to = addr(number);
        self.send(to, Place::Addr(to), &number.to_be_bytes(), now);
    }

    /// Waits for events, a moment at most, and has the relay see them.
    fn turn(&mut self, now: Time) {
        let mut events = Events::with_capacity(8);
        self.poll
            .poll(&mut events, Some(Duration::from_millis(20)))
            .unwrap();
        for event in &events {
            assert!(self.relay.owns(event.token()));
            let hear = &mut |heard: Heard<'_>| self.news.push(kept(heard));
            self.relay
                .on_event(self.poll.registry(), now, &mut [0; 2048], hear);
        }
    }

    fn until(&mut self, now: Time, done: &dyn Fn(&World) -> bool) {
        let deadline = Instant::now() + SOON;
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "{:?} {:?}",
                self.relay.state,
                self.news
            );
            self.turn(now);
        }
    }

    fn timeout(&mut self, now: Time) {
        let hear = &mut |heard: Heard<'_>| self.news.push(kept(heard));
        self.relay.handle_timeout(now, &mut [0; 2048], hear);
    }

    /// Whether the proxy was asked once more.
    fn is_asked(&self) -> bool {
        self.proxy.set_nonblocking(true).unwrap();
        self.proxy.accept().is_ok()
    }

    /// The proxy takes datagrams.
    fn place(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Place::Addr(self.takes.local_addr().unwrap()).encode(&mut out);
        out
    }

    /// It is up; the proxy's end of the connection.
    fn come_up(&mut self, now: Time) -> Plain {
        let mut control = self.proxy.accept().unwrap().0;
        control
            .write_all(&[ANSWERS, &self.place()].concat())
            .unwrap();
        self.until(now, &|it| matches!(it.relay.state, State::Up { .. }));
        control
    }

    /// The content of the next datagram that the proxy takes, and our address.
    fn taken(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2048];
        let (n, from) = self.takes.recv_from(&mut buffer).unwrap();
        (datagram::parse(&buffer[..n]).unwrap().1.to_vec(), from)
    }

    fn words(&self) -> String {
        let all: Vec<&str> = self
            .news
            .iter()
            .map(|it| it.1.as_ref().unwrap_err().as_str())
            .collect();
        all.join("\n")
    }
}

fn kept(heard: Heard<'_>) -> (SocketAddr, Result<Vec<u8>, String>) {
    match heard {
        Heard::Datagram(from, content) => (from, Ok(content.to_vec())),
        Heard::Refused(to, why) => (to, Err(why.to_owned())),
    }
}

fn addr(number: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], number))
}

#[test]
fn a_proxy_that_stalls_anywhere_is_given_up_in_time() {
    let begun = Time::default();
    let answers = [ANSWERS, &World::new().place()].concat();
    for end in 0..answers.len() {
        let mut world = World::new();
        world.send_to(1, begun);
        let mut control = world.proxy.accept().unwrap().0;
        control.write_all(&answers[..end]).unwrap();
        world.turn(begun);
        let until = begun + limits::PROXY_TIME;
        assert_eq!(world.relay.next_deadline(), Some(until));
        world.timeout(begun + (limits::PROXY_TIME - MOMENT));
        assert!(world.news.is_empty(), "{:?}", world.news);
        world.timeout(until);
        let why = format!("proxy {}: it does not answer in time", world.relay.proxy);
        assert_eq!(world.news, [(addr(1), Err(why))]);
        assert_eq!(world.relay.next_deadline(), None);
    }
}

#[test]
fn a_proxy_that_carries_no_datagrams_is_asked_again_later() {
    let begun = Time::default();
    let mut world = World::new();
    world.send_to(1, begun);
    let mut control = world.proxy.accept().unwrap().0;
    control.write_all(b"\x05\x00\x05\x07").unwrap();
    world.until(begun, &|it| !it.news.is_empty());
    world.send_to(2, begun + (limits::PROXY_AGAIN - MOMENT));
    let why = format!("proxy {}: it carries no datagrams (UDP)", world.relay.proxy);
    assert_eq!(
        world.news,
        [(addr(1), Err(why.clone())), (addr(2), Err(why))]
    );
    assert!(!world.is_asked());
    world.proxy.set_nonblocking(false).unwrap();
    let again = begun + limits::PROXY_AGAIN;
    world.send_to(3, again);
    let _control = world.come_up(again);
    assert_eq!(world.taken().0, 3u16.to_be_bytes());
    assert_eq!(world.news.len(), 2);
}

#[test]
fn only_so_many_datagrams_wait_for_a_proxy() {
    let now = Time::default();
    let most = limits::PROXY_WAITING as u16;
    let mut world = World::new();
    for number in 1..=most + 1 {
        world.send_to(number, now);
    }
    let _control = world.come_up(now);
    world.send_to(most + 2, now);
    for number in (1..=most).chain([most + 2]) {
        assert_eq!(world.taken().0, number.to_be_bytes());
    }
    // Nor is anybody told more of a proxy that fails.
    let mut world = World::new();
    for number in 1..=most + 1 {
        world.send_to(number, now);
    }
    world.timeout(now + limits::PROXY_TIME);
    let told: Vec<SocketAddr> = world.news.iter().map(|it| it.0).collect();
    assert_eq!(told, (1..=most).map(addr).collect::<Vec<_>>());
}

/// A question to a tracker, or its answer, with its number at this place.
fn numbered(number: u16, at: usize) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    bytes[at + 2..at + 4].copy_from_slice(&number.to_be_bytes());
    bytes
}

#[test]
fn only_so_many_questions_by_name_are_kept() {
    let now = Time::default();
    let mut world = World::new();
    world.send_to(1, now);
    let _control = world.come_up(now);
    let ours = world.taken().1;
    let most = limits::PROXY_ASKED as u16;
    for number in 1..=most + 1 {
        let name = Place::Name(format!("{number}.example").into(), 80);
        world.send(addr(number), name, &numbered(number, ASKED_AT.start), now);
        world.taken();
    }
    let from: SocketAddr = "198.51.100.7:80".parse().unwrap();
    for number in 1..=most + 1 {
        let answer = numbered(number, ANSWERED_AT.start);
        let mut packet = Vec::new();
        datagram::encode(&Place::Addr(from), &answer, &mut packet);
        world.takes.send_to(&packet, ours).unwrap();
        let count = usize::from(number);
        let deadline = Instant::now() + SOON;
        while world.news.len() < count {
            world.turn(now);
            world.timeout(now);
            assert!(Instant::now() < deadline, "no answer to {number}");
        }
        // The first question is forgotten: its answer comes from where the proxy says.
        let expected = if number == 1 { from } else { addr(number) };
        assert_eq!(world.news[count - 1], (expected, Ok(answer)));
    }
    assert_eq!(world.relay.asked.len(), limits::PROXY_ASKED);
}

/// What a proxy answers to the request itself, and why it is refused then.
fn refused(last: &[u8], hangs_up: bool) -> String {
    let now = Time::default();
    let deadline = Instant::now() + SOON;
    let mut world = World::new();
    loop {
        world.send_to(1, now);
        let mut control = world.proxy.accept().unwrap().0;
        control.write_all(&[ANSWERS, last].concat()).unwrap();
        if hangs_up {
            control.shutdown(Shutdown::Write).unwrap();
        }
        let is_left = |it: &World| matches!(it.relay.state, State::Refused { .. } | State::Idle);
        world.until(now, &is_left);
        if matches!(world.relay.state, State::Refused { .. }) {
            break;
        }
        // The end has come after the answer this time.
        assert!(Instant::now() < deadline, "it is never refused");
    }
    let (words, own) = (world.words(), format!("proxy {}: ", world.relay.proxy));
    let why = words.strip_prefix(&own);
    why.unwrap_or_else(|| panic!("{words} names no proxy"))
        .to_owned()
}

/// Datagrams are carried for as long as the connection lasts.
#[test]
fn a_proxy_that_hangs_up_with_its_answer_carries_no_datagrams() {
    let place = b"\x01\x7f\0\0\x01\x1a\xe1";
    assert_eq!(refused(place, true), "it closed the connection");
    let more = [&place[..], b"more"].concat();
    assert_eq!(refused(&more, false), "it says more than its answer");
}

#[test]
fn a_place_for_datagrams_must_be_one() {
    for (place, why) in [
        (
            &b"\x01\x7f\0\0\x01\0\0"[..],
            "it takes datagrams at 127.0.0.1:0, which is no port",
        ),
        (
            b"\x01\0\0\0\0\0\0",
            "it takes datagrams at 127.0.0.1:0, which is no port",
        ),
        (
            b"\x01\xff\xff\xff\xff\x1a\xe1",
            "it takes datagrams at 255.255.255.255:6881: permission denied",
        ),
        (
            b"\x03\x01x\x1a\xe1",
            "it names by no address where it takes datagrams",
        ),
    ] {
        assert_eq!(refused(place, false), why);
    }
}

/// The next datagram asks for it anew.
#[test]
fn a_proxy_that_goes_on_talking_is_left() {
    let now = Time::default();
    for ends in [true, false] {
        let mut world = World::new();
        world.send_to(1, now);
        let mut control = world.come_up(now);
        if ends {
            drop(control);
        } else {
            control.write_all(&[7; 4096]).unwrap();
        }
        world.until(now, &|it| matches!(it.relay.state, State::Idle));
        world.send_to(2, now);
        let _control = world.come_up(now);
        for number in [1u16, 2] {
            assert_eq!(world.taken().0, number.to_be_bytes());
        }
        assert!(world.news.is_empty());
    }
}
