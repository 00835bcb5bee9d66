//! HTTP: answers that do not end, do not begin, or are no answers.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{AT_ONCE, Swarm, Tracker, each, endless};
use crate::support::bench::SOON;

/// What a tracker does with a request.
enum Say {
    /// Sends this.
    Once(&'static [u8]),
    /// Sends the first, then the second without end.
    Endless(&'static str, &'static [u8]),
    /// The same in chunks.
    Chunks(&'static str, &'static [u8]),
    /// The start of a body of this length.
    Length(&'static str),
    /// The start of a chunk of this size.
    Chunk(&'static str),
    /// This status, and a word.
    Status(&'static str),
}

use Say::*;

impl Say {
    fn to(&self, stream: &mut TcpStream) -> io::Result<()> {
        let text = match self {
            Once(bytes) => return stream.write_all(bytes),
            Endless(begin, rest) => {
                stream.write_all(begin.as_bytes())?;
                return endless(stream, rest);
            }
            Chunks(begin, rest) => {
                stream.write_all(format!("{CHUNKED}{begin}").as_bytes())?;
                return endless(stream, rest);
            }
            Length(length) => format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nd8:"),
            Chunk(size) => format!("{CHUNKED}{size}\r\nd8:interval"),
            Status(status) => format!("HTTP/1.1 {status}\r\n\r\n<html>"),
        };
        stream.write_all(text.as_bytes())
    }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The beginning of what the user is told, and the answers of which.
const WRONG: &[(&str, &[Say])] = &[
    ("closed without an answer", &[Once(b"")]),
    (
        "the answer is cut short",
        &[
            Once(b"HTT"),
            Once(b"HTTP/1.1 200 OK\r\nContent-Le"),
            Length("100"),
            Chunk("200000"),
        ],
    ),
    (
        "the answer is not HTTP",
        &[
            Once(b"\x16\x03\x01\x02\x00"),
            Endless("", &[b'x'; 4096]),
            Status("101 Switching"),
        ],
    ),
    (
        "the answer's head is longer than 16 KiB",
        &[
            Endless("HTTP/1.1 200 ", &[b'x'; 4096]),
            Endless("HTTP/1.1 200 OK\r\nX: ", &[b'x'; 4096]),
            Endless("HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        ],
    ),
    (
        "the answer's head makes no sense",
        &[Status("99999 What"), Status("-20 What")],
    ),
    (
        "the answer is longer than 2 MiB",
        &[
            Endless("HTTP/1.1 200 OK\r\n\r\n", &[b'l'; 65536]),
            Endless(
                "HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n",
                &[b'l'; 65536],
            ),
            Endless("", b"HTTP/1.1 100 Continue\r\n\r\n"),
            Length("9223372036854775808"),
            Chunk("ffffffffffffffff"),
            Chunks("", b"1\r\nl\r\n"),
            Chunks("0\r\n", b"X: y\r\n"),
        ],
    ),
    (
        "a body of \"99999999999999999999999\" bytes makes no sense",
        &[Length("99999999999999999999999")],
    ),
    ("a body of \"-1\" bytes makes no sense", &[Length("-1")]),
    ("a body of \"0x10\" bytes makes no sense", &[Length("0x10")]),
    ("a body of \"1,2\" bytes makes no sense", &[Length("1,2")]),
    (
        "the answer's chunks make no sense",
        &[
            Chunk("10000000000000000"),
            Chunk("-1"),
            Chunk("0x5"),
            Chunk(""),
            Chunks("", b"1;x"),
            Chunks("0\r\nX: ", &[b'y'; 4096]),
        ],
    ),
    (
        "it answers in gzip, which is cut short",
        &[Once(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00",
        )],
    ),
    (
        "it answers in \"br\", which brooklet does not read",
        &[Once(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: br, chunked\r\n\r\n2\r\n\x0b\x02\r\n0\r\n\r\n",
        )],
    ),
    ("HTTP 204", &[Status("204 Nothing")]),
    ("HTTP 302", &[Status("302 Nowhere")]),
    ("HTTP 304", &[Status("304 As before")]),
    ("HTTP 402", &[Status("402 Pay")]),
    ("HTTP 500", &[Status("500 Oops")]),
    ("HTTP 999", &[Status("999 What")]),
    ("HTTP 0", &[Status("000 What")]),
];

/// Where a tracker redirects us to, and the beginning of what the user is told.
const AWAY: &[(&str, &str)] = &[
    ("", "redirected more than 5 times"),
    ("?again", "redirected more than 5 times"),
    (
        "file:///etc/passwd",
        "redirected to \"file:///etc/passwd\": unknown scheme \"file\"",
    ),
    (
        "ftp://127.0.0.1/announce",
        "redirected to \"ftp://127.0.0.1/announce\": unknown scheme",
    ),
    (
        "https://127.0.0.1/announce",
        "redirected to \"https://127.0.0.1/announce\": this build lacks https",
    ),
    (
        "javascript:alert(1)",
        "redirected to \"javascript:alert(1)\": not a URL",
    ),
    (
        "udp://127.0.0.1:9/announce",
        "redirected to \"udp://127.0.0.1:9/announce\": not an http URL",
    ),
    ("http://", "redirected to \"http://\": the host is missing"),
    (
        "http://[::1/announce",
        "redirected to \"http://[::1/announce\": a bracket is missing",
    ),
    (
        "http://127.0.0.1:99999/announce",
        "redirected to \"http://127.0.0.1:99999/announce\": \"99999\"",
    ),
    (
        "/admin/reboot",
        "redirected to 127.0.0.1: 127.0.0.1 is a local address",
    ),
    (
        "/announce/../admin",
        "redirected to 127.0.0.1: 127.0.0.1 is a local address",
    ),
    (
        "http://[::ffff:127.0.0.1]/latest/meta-data/",
        "redirected to ::ffff:127.0.0.1: 127.0.0.1 is a local address",
    ),
    (
        "http://169.254.169.254/latest/meta-data/",
        "redirected to 169.254.169.254: 169.254.169.254 is a local address",
    ),
    (
        "http://0.0.0.0/announce",
        "redirected to 0.0.0.0: no IPv4 address",
    ),
    (
        "http://no-such-host.invalid/announce",
        "redirected to no-such-host.invalid: ",
    ),
];

#[test]
fn what_is_no_answer_is_named_and_the_next_tracker_asked() {
    let swarm = Swarm::new(11);
    let mut all: Vec<(&str, &Say)> = Vec::new();
    for (told, says) in WRONG {
        all.extend(says.iter().map(|say| (*told, say)));
    }
    each(&all, AT_ONCE, |&(told, say)| {
        let tracker = Tracker::start(move |stream, _| say.to(stream));
        let error = swarm.failure(&tracker.url(), SOON);
        assert!(error.starts_with(told), "{error:?} instead of {told:?}");
        assert_eq!(tracker.asked(), 1, "{told}");
    });
}

#[test]
fn redirects_lead_nowhere_they_should_not() {
    let swarm = Swarm::new(12);
    each(AWAY, AT_ONCE, |&(location, told)| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        let tracker = Tracker::saying(head.into_bytes());
        let error = swarm.failure(&tracker.url(), SOON);
        assert!(error.starts_with(told), "{error:?} instead of {told:?}");
        let asked = if told.contains("5 times") { 6 } else { 1 };
        assert_eq!(tracker.asked(), asked, "{location}");
    });
    let long = format!(
        "HTTP/1.1 302 Found\r\nLocation: gopher://{}\r\n\r\n",
        "x".repeat(9000)
    );
    let tracker = Tracker::saying(long.into_bytes());
    assert!(
        swarm
            .failure(&tracker.url(), SOON)
            .starts_with("redirected to \"gopher://xx")
    );
}

#[test]
fn resets_at_any_stage_are_survived() {
    let swarm = Swarm::new(13);
    let stages: &[Option<&[u8]>] = &[
        None,
        Some(b""),
        Some(b"HTTP/1.1 2"),
        Some(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nd8:"),
        Some(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nd8"),
    ];
    each(stages, AT_ONCE, |&stage| {
        let tracker = Tracker::raw(move |stream| {
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            let Some(bytes) = stage else {
                return Ok(());
            };
            super::read_head(stream)?;
            stream.write_all(bytes)?;
            // What was sent is to arrive before the reset does.
            thread::sleep(Duration::from_millis(50));
            Ok(())
        });
        swarm.failure(&tracker.url(), SOON);
    });
}

/// What never ends is given half a minute, and no processor time.
#[test]
fn slow_trackers_have_half_a_minute() {
    let swarm = Swarm::new(14);
    let slow = |bytes: &'static [u8]| {
        move |stream: &mut TcpStream, _: &str| {
            for byte in bytes.iter().chain(std::iter::repeat(&b'0')) {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(1000));
            }
            Ok(())
        }
    };
    let silent = |stream: &mut TcpStream, _: &str| {
        io::copy(stream, &mut io::sink())?;
        Ok(())
    };
    let trackers = [
        Tracker::start(silent),
        Tracker::start(slow(b"")),
        Tracker::start(slow(b"HTTP/1.1 200 OK\r\nX: ")),
        Tracker::start(move |stream, request| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
            slow(b"d8:intervali")(stream, request)
        }),
        Tracker::start(move |stream, request| {
            stream.write_all(CHUNKED.as_bytes())?;
            slow(b"fff\r\nd8:intervali")(stream, request)
        }),
        Tracker::start(move |stream, request| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            slow(b"d8:intervali")(stream, request)
        }),
    ];
    each(&trackers, trackers.len(), |tracker| {
        let url = tracker.url();
        let mut download = swarm.meanwhile(&url);
        assert!(download.child.age() < Duration::from_secs(25), "it waited");
        let told = download.failure(&url, Duration::from_secs(30) + SOON);
        // A zero in place of a byte of the answer may end it sooner.
        let fine = ["no answer in time", "the answer is not HTTP"];
        assert!(fine.contains(&told.as_str()), "{told}");
        download.assert_one_line(&url);
        let used = download.child.cpu();
        assert!(used < Duration::from_secs(2), "{used:?} of processor time");
        download.end();
    });
}
