//! Connections that are kept, and those that are not, on sockets whose other end is a test's.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use mio::{Events, Poll};

use super::*;
use crate::socks::Place;

const PATIENCE: Duration = Duration::from_secs(20);
const START: Time = Time::from_micros(3_600_000_000);
const REQUEST: &[u8] = b"GET /announce HTTP/1.1\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nde";

struct Bench {
    fetcher: Fetcher,
    poll: Poll,
    last: u32,
}

/// A server that is asked by hand.
struct Server {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Server {
    fn new() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        Server { listener, addr }
    }
}

/// The next request over a connection.
fn asked(stream: &mut TcpStream) {
    let mut request = [0; REQUEST.len()];
    stream.read_exact(&mut request).unwrap();
    assert_eq!(request, REQUEST);
}

/// Whether the other end has closed it.
fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0]), Ok(0))
}

impl Bench {
    fn new() -> Bench {
        Bench {
            fetcher: Fetcher::new(0..1024, Route::default()),
            poll: Poll::new().unwrap(),
            last: 0,
        }
    }

    fn start(&mut self, addr: SocketAddr) -> (Id, Start) {
        self.last += 1;
        let (torrent, number) = (0, self.last);
        let id = Id { torrent, number };
        let registry = self.poll.registry();
        let fetcher = &mut self.fetcher;
        let target = Target::from(Place::Addr(addr));
        let start = fetcher.start(id, (addr, target), REQUEST.to_vec(), registry, START);
        (id, start.unwrap())
    }

    /// Runs until something comes of an exchange: bytes, or its end.
    fn outcome(&mut self, id: Id) -> Step {
        let mut events = Events::with_capacity(8);
        loop {
            if let Some(step) = self.advance(id) {
                return step;
            }
            self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "nothing came");
        }
    }

    /// Does what can be done for an exchange now.
    fn advance(&mut self, id: Id) -> Option<Step> {
        let token = Token(self.fetcher.find(id)?);
        let registry = self.poll.registry();
        loop {
            match self.fetcher.step(token, &mut [0; 1024], registry) {
                Step::Wait => return None,
                Step::Connected(_) => {}
                step => return Some(step),
            }
        }
    }

    /// Runs until the request has come over a new connection, whose other end it returns.
    fn connect(&mut self, id: Id, server: &Server) -> TcpStream {
        server.listener.set_nonblocking(true).unwrap();
        let mut events = Events::with_capacity(8);
        let mut stream = None;
        loop {
            if stream.is_none() {
                stream = server.listener.accept().ok().map(|(stream, _)| stream);
            }
            if let Some(stream) = &stream {
                stream.set_nonblocking(true).unwrap();
                if stream.peek(&mut [0]).is_ok() {
                    break;
                }
            }
            self.poll.poll(&mut events, Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "nothing came");
            assert_eq!(self.advance(id), None);
        }
        let mut stream = stream.unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        asked(&mut stream);
        stream
    }

    /// An exchange over a new connection, which is kept.
    fn keep(&mut self, server: &Server, now: Time) -> TcpStream {
        let (id, start) = self.start(server.addr);
        assert_eq!(start, Start::Connecting);
        let mut stream = self.connect(id, server);
        self.answer(id, &mut stream, now);
        stream
    }

    fn answer(&mut self, id: Id, stream: &mut TcpStream, now: Time) {
        stream.write_all(ANSWER).unwrap();
        assert_eq!(self.outcome(id), Step::Bytes(ANSWER.len()));
        self.release(id, now);
    }

    fn release(&mut self, id: Id, now: Time) {
        let registry = self.poll.registry();
        self.fetcher.release(id, ANSWER.len() as u64, registry, now);
    }

    fn pass(&mut self, now: Time) {
        self.fetcher.handle_timeout(self.poll.registry(), now);
    }
}

#[test]
fn a_kept_connection_takes_the_next_request() {
    let (mut bench, server, other) = (Bench::new(), Server::new(), Server::new());
    let mut stream = bench.keep(&server, START);
    for _ in 0..3 {
        let (id, start) = bench.start(server.addr);
        assert_eq!(start, Start::Connected(Ipv4Addr::LOCALHOST.into()));
        asked(&mut stream);
        bench.answer(id, &mut stream, START);
    }
    assert_eq!(bench.start(other.addr).1, Start::Connecting);
}

#[test]
fn a_kept_connection_is_closed_after_a_while() {
    let (mut bench, server) = (Bench::new(), Server::new());
    assert_eq!(bench.fetcher.next_deadline(), None);
    let mut stream = bench.keep(&server, START);
    let until = START + limits::TRACKER_KEPT_FOR;
    assert_eq!(bench.fetcher.next_deadline(), Some(until));
    bench.pass(START + (limits::TRACKER_KEPT_FOR - Duration::from_micros(1)));
    assert_eq!(bench.fetcher.kept().count(), 1);
    bench.pass(until);
    assert!(is_closed(&mut stream));
    assert_eq!(bench.fetcher.next_deadline(), None);
    assert_eq!(bench.start(server.addr).1, Start::Connecting);
}

#[test]
fn so_many_connections_are_kept_to_one_address() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let open = |bench: &mut Bench| {
        let (id, start) = bench.start(server.addr);
        assert_eq!(start, Start::Connecting);
        (id, bench.connect(id, &server))
    };
    let mut all: Vec<_> = (0..=limits::TRACKER_KEPT_EACH)
        .map(|_| open(&mut bench))
        .collect();
    for (id, stream) in &mut all {
        bench.answer(*id, stream, START);
    }
    assert_eq!(bench.fetcher.kept().count(), limits::TRACKER_KEPT_EACH);
    assert!(is_closed(&mut all.last_mut().unwrap().1));
}

#[test]
fn so_many_connections_are_kept_in_all() {
    let mut bench = Bench::new();
    let servers: Vec<Server> = (0..=limits::TRACKER_KEPT).map(|_| Server::new()).collect();
    let mut streams = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let now = START + Duration::from_micros(number as u64);
        streams.push(bench.keep(server, now));
    }
    assert_eq!(bench.fetcher.kept().count(), limits::TRACKER_KEPT);
    assert!(is_closed(&mut streams[0]), "the oldest");
}

/// Handles are set aside for this many connections, whether in use or kept.
#[test]
fn kept_connections_make_room_for_new_ones() {
    let (mut bench, server, kept) = (Bench::new(), Server::new(), Server::new());
    let mut stream = bench.keep(&kept, START);
    for _ in 0..limits::TRACKER_CONNECTIONS {
        bench.start(server.addr);
    }
    assert!(is_closed(&mut stream));
    assert_eq!(bench.fetcher.connections.len(), limits::TRACKER_CONNECTIONS);
}

/// RFC 9112, section 9.3.1: "When an inbound connection is closed prematurely, a client MAY open a
/// new connection and automatically retransmit an aborted sequence of requests if all of those
/// requests have idempotent methods". Section 9.2.2 of RFC 9110: "A client SHOULD NOT automatically
/// retry a failed automatic retry."
#[test]
fn what_a_closing_server_did_not_hear_is_asked_once_more() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let mut stream = bench.keep(&server, START);
    let (id, start) = bench.start(server.addr);
    assert!(matches!(start, Start::Connected(_)));
    asked(&mut stream);
    drop(stream);
    let mut stream = bench.connect(id, &server);
    bench.answer(id, &mut stream, START);

    let (id, _) = bench.start(server.addr);
    asked(&mut stream);
    drop(stream);
    drop(bench.connect(id, &server));
    assert_eq!(bench.outcome(id), Step::Closed(Ok(())));
    assert_eq!(bench.fetcher.connections.len(), 0);
}

/// Closing with a request unread resets the connection.
#[test]
fn what_a_server_resets_is_asked_once_more() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let stream = bench.keep(&server, START);
    let (id, start) = bench.start(server.addr);
    assert!(matches!(start, Start::Connected(_)));
    while stream.peek(&mut [0; 2]).unwrap() < 2 {}
    drop(stream);
    let mut stream = bench.connect(id, &server);
    bench.answer(id, &mut stream, START);
}

#[test]
fn an_answer_that_began_is_not_asked_for_again() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let mut stream = bench.keep(&server, START);
    let (id, _) = bench.start(server.addr);
    asked(&mut stream);
    stream.write_all(b"H").unwrap();
    drop(stream);
    assert_eq!(bench.outcome(id), Step::Bytes(1));
    assert_eq!(bench.outcome(id), Step::Closed(Ok(())));
}

#[test]
fn a_server_that_is_gone_is_not_asked_again() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let mut stream = bench.keep(&server, START);
    let (id, _) = bench.start(server.addr);
    asked(&mut stream);
    drop((server, stream));
    let refused = Err(String::from("it refused the connection"));
    assert_eq!(bench.outcome(id), Step::Closed(refused));
}

#[test]
fn a_connection_that_has_ended_is_not_used() {
    let (mut bench, server) = (Bench::new(), Server::new());
    drop(bench.keep(&server, START));
    // Whether the loop has heard of its end or not.
    let (id, start) = bench.start(server.addr);
    assert_eq!(start, Start::Connecting);
    drop(bench.connect(id, &server));
    assert_eq!(bench.outcome(id), Step::Closed(Ok(())));
    drop(bench.keep(&server, START));
    let mut events = Events::with_capacity(8);
    while bench.fetcher.kept().count() > 0 {
        bench.poll.poll(&mut events, Some(PATIENCE)).unwrap();
        assert!(!events.is_empty(), "nothing came");
        for event in &events {
            let registry = bench.poll.registry();
            bench.fetcher.check_kept(event.token(), registry);
        }
    }
}

/// They would be taken for the next answer.
#[test]
fn bytes_behind_the_end_close_the_connection() {
    let (mut bench, server) = (Bench::new(), Server::new());
    // In one piece with the answer.
    let (id, _) = bench.start(server.addr);
    let mut stream = bench.connect(id, &server);
    stream.write_all(&[ANSWER, ANSWER].concat()).unwrap();
    assert_eq!(bench.outcome(id), Step::Bytes(2 * ANSWER.len()));
    bench.release(id, START);
    assert_eq!(bench.fetcher.connections.len(), 0);
    // Behind it, when the connection is kept.
    let mut stream = bench.keep(&server, START);
    stream.write_all(b"H").unwrap();
    assert_eq!(bench.start(server.addr).1, Start::Connecting);
    assert!(bench.fetcher.kept().next().is_none());
}

#[test]
fn a_server_that_keeps_a_connection_and_serves_it_no_more_is_asked_over_another() {
    let (mut bench, server) = (Bench::new(), Server::new());
    let mut old = bench.keep(&server, START);
    let (id, start) = bench.start(server.addr);
    assert!(matches!(start, Start::Connected(_)));
    asked(&mut old);
    assert_eq!(bench.fetcher.next_deadline(), Some(START + SILENCE));
    bench.pass(START + SILENCE);
    let mut new = bench.connect(id, &server);
    assert!(is_closed(&mut old));
    assert_eq!(
        bench.fetcher.next_deadline(),
        None,
        "over a new one it is waited for"
    );
    bench.answer(id, &mut new, START + SILENCE);
    // One that answers in time is left alone.
    let (id, _) = bench.start(server.addr);
    asked(&mut new);
    new.write_all(&ANSWER[..5]).unwrap();
    assert_eq!(bench.outcome(id), Step::Bytes(5));
    bench.pass(START + SILENCE * 9);
    assert!(bench.fetcher.find(id).is_some());
    new.write_all(&ANSWER[5..]).unwrap();
    assert_eq!(bench.outcome(id), Step::Bytes(ANSWER.len() - 5));
}
