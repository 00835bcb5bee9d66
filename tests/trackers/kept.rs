//! Connections that HTTP servers leave open, or seem to.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use brooklet::base::limits;

use super::client::{Client, Crowd};
use super::support::trackers::{NodeTracker, OpenTracker};

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    /// Connections that the other end has closed.
    closed: AtomicUsize,
    /// Events that were announced, in order.
    events: Mutex<Vec<String>>,
}

/// What a server does with a request: which of its connection it is, from 0.
type Script = dyn Fn(usize, &mut TcpStream) -> Then + Send + Sync;

enum Then {
    Stay,
    Close,
}

/// A server that keeps connections, as far as the script does.
fn server(
    script: impl Fn(usize, &mut TcpStream) -> Then + Send + Sync + 'static,
) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let (script, all): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&seen));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, seen) = (Arc::clone(&script), Arc::clone(&all));
            seen.connections.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || serve(&mut stream.unwrap(), &*script, &seen));
        }
    });
    (url, seen)
}

fn serve(stream: &mut TcpStream, script: &Script, seen: &Seen) {
    for number in 0.. {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read(&mut byte), Ok(1)) {
                seen.closed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let line = head.lines().next().unwrap();
        let event = line.split_once("event=").map_or("", |(_, rest)| rest);
        let end = event.find([' ', '&']).unwrap_or(event.len());
        seen.events.lock().unwrap().push(event[..end].to_string());
        match script(number, stream) {
            Then::Stay => {}
            Then::Close => return,
        }
    }
}

const FINE: &str = "d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x09e";

fn fine() -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{FINE}",
        FINE.len()
    )
}

/// Announces three times; nothing may fail.
fn announce_thrice(url: &str) {
    let mut client = Client::new(&[&[url]], 4001);
    client.start();
    assert!(client.report(1).1.is_ok());
    client.complete();
    let (_, outcome) = client.report(2);
    assert!(outcome.is_ok(), "{outcome:?}");
    client.leave();
}

const EVENTS: [&str; 3] = ["started", "completed", "stopped"];

#[test]
fn several_announces_go_over_one_connection() {
    let (url, seen) = server(|_, stream| {
        stream.write_all(fine().as_bytes()).unwrap();
        Then::Stay
    });
    announce_thrice(&url);
    assert_eq!(*seen.events.lock().unwrap(), EVENTS);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_redirect_to_the_same_server_goes_over_the_same_connection() {
    let (url, seen) = server(|number, stream| {
        let away = "HTTP/1.1 302 Found\r\nLocation: /announce/x\r\nContent-Length: 0\r\n\r\n";
        let answer = [String::from(away), fine()];
        stream.write_all(answer[number.min(1)].as_bytes()).unwrap();
        Then::Stay
    });
    let mut client = Client::new(&[&[&url]], 4001);
    client.start();
    assert_eq!(client.report(1).1.map(|peers| peers.len()), Ok(1));
    assert_eq!(seen.connections.load(Ordering::SeqCst), 1);
    assert_eq!(seen.events.lock().unwrap().len(), 2);
}

#[test]
fn a_server_that_closes_without_a_word_does_not_fail() {
    // After each answer.
    let (url, seen) = server(|_, stream| {
        stream.write_all(fine().as_bytes()).unwrap();
        Then::Close
    });
    announce_thrice(&url);
    assert_eq!(*seen.events.lock().unwrap(), EVENTS);
    // When the next request is there.
    let (url, seen) = server(|number, stream| {
        if number == 1 {
            return Then::Close;
        }
        stream.write_all(fine().as_bytes()).unwrap();
        Then::Stay
    });
    announce_thrice(&url);
    let again = ["started", "completed", "completed", "stopped", "stopped"];
    assert_eq!(*seen.events.lock().unwrap(), again);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn a_connection_with_bytes_behind_the_end_is_closed() {
    let (url, seen) = server(|_, stream| {
        let more = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
        let answer = format!("{}{more}", fine());
        let _ = stream.write_all(answer.as_bytes());
        Then::Stay
    });
    announce_thrice(&url);
    assert_eq!(*seen.events.lock().unwrap(), EVENTS);
    assert_eq!(seen.connections.load(Ordering::SeqCst), 3);
}

/// By HTTP/1.0, by `Connection: close`, or by a body without a length, which lasts until the end.
#[test]
fn a_server_that_does_not_keep_connections_is_heeded() {
    for (head, closes) in [
        ("HTTP/1.0 200 OK\r\nContent-Length: 33\r\n", false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 33\r\nConnection: close\r\n",
            false,
        ),
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.0 200 OK\r\n", true),
    ] {
        assert_eq!(FINE.len(), 33);
        let (url, seen) = server(move |_, stream| {
            let answer = format!("{head}\r\n{FINE}");
            stream.write_all(answer.as_bytes()).unwrap();
            if closes { Then::Close } else { Then::Stay }
        });
        announce_thrice(&url);
        assert_eq!(*seen.events.lock().unwrap(), EVENTS);
        assert_eq!(seen.connections.load(Ordering::SeqCst), 3, "{head}");
    }
}

/// Waits until the other end has closed all connections of a server.
fn await_end(seen: &Seen, turn: &mut dyn FnMut()) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while seen.closed.load(Ordering::SeqCst) < seen.connections.load(Ordering::SeqCst) {
        assert!(Instant::now() < deadline, "they are still open");
        turn();
    }
}

#[test]
fn many_torrents_announce_over_a_few_kept_connections() {
    const TORRENTS: usize = 100;
    let (url, seen) = server(|_, stream| {
        stream.write_all(fine().as_bytes()).unwrap();
        Then::Stay
    });
    let mut crowd = Crowd::new(TORRENTS, &url);
    crowd.run();
    assert_eq!(seen.events.lock().unwrap().len(), TORRENTS);
    // As many as may be under way before the first has answered, and one more at most for each that
    // was more than are kept.
    let connections = seen.connections.load(Ordering::SeqCst);
    assert!(
        connections <= limits::TRACKER_CONNECTIONS_EACH,
        "{connections}"
    );
    assert!(
        seen.closed.load(Ordering::SeqCst) + limits::TRACKER_KEPT_EACH >= connections,
        "no more are kept"
    );
    await_end(&seen, &mut || crowd.turn());
    let kept_for = crowd.done_at.elapsed();
    assert!(kept_for >= Duration::from_secs(3), "{kept_for:?}");
}

/// See findings/opentracker-closes-without-a-word.sh.
#[test]
fn many_torrents_announce_to_opentracker() {
    const TORRENTS: usize = 60;
    let hashes: Vec<[u8; 20]> = (0..TORRENTS).map(Crowd::hash).collect();
    let Some(tracker) = OpenTracker::start(&hashes) else {
        return;
    };
    Crowd::new(TORRENTS, &tracker.http_url).run();
}

#[test]
fn many_torrents_announce_to_npms_tracker() {
    let Some(tracker) = NodeTracker::start() else {
        return;
    };
    Crowd::new(60, &tracker.http_url).run();
}
