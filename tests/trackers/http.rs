//! HTTP servers that do what they should, or not.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::client::Client;

/// A scripted HTTP server: `script` gets each connection with its number and the head of the
/// request.
fn server(script: impl Fn(usize, &mut TcpStream, &str) + Send + Sync + 'static) -> SocketAddr {
    serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(), script)
}

fn serve(
    listener: TcpListener,
    script: impl Fn(usize, &mut TcpStream, &str) + Send + Sync + 'static,
) -> SocketAddr {
    let addr = listener.local_addr().unwrap();
    let script = Arc::new(script);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (mut stream, script) = (stream.unwrap(), Arc::clone(&script));
            thread::spawn(move || {
                let head = read_head(&mut stream);
                script(number, &mut stream, &head);
            });
        }
    });
    addr
}

fn read_head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

const FINE: &str = "d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x09e";

/// A client of a server that sends these bytes on each connection.
fn client_of(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Client {
    let addr = server(move |_, stream, _| {
        let _ = stream.write_all(bytes.as_ref());
    });
    Client::new(&[&[&format!("http://{addr}/announce")]], 4001)
}

#[test]
fn answers_of_every_form_are_read() {
    let chunked: Vec<String> = FINE
        .chars()
        .map(|letter| format!("1\r\n{letter}\r\n"))
        .collect();
    let chunked = chunked.concat();
    for answer in [
        format!("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{FINE}"),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{FINE}",
            FINE.len()
        ),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}0\r\n\r\n"),
        format!(
            "HTTP/1.1 200 OK\r\n\r\n{}",
            FINE.replace("8:interval", "15:warning message5:watch8:interval")
        ),
    ] {
        let mut client = client_of(answer.clone());
        client.start();
        let (_, peers) = client.report(1);
        assert_eq!(peers, Ok(vec!["1.2.3.4:9".parse().unwrap()]), "{answer:?}");
        let warned = answer.contains("watch");
        assert_eq!(
            client.warnings.first().map(String::as_str),
            warned.then_some("watch")
        );
    }
}

/// The same answer as gzip, zlib and raw deflate, said and not said.
#[test]
fn compressed_answers_are_read() {
    let raw: &[u8] = b"K\xb1\xb0\xca\xcc+I-*K\xcc\xc94\xb400H5\xb5*HM-*6\xb3bdbfa\xe0L\x05\0";
    let gzip = [
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03",
        raw,
        b"\x1d\x8bl\xa5!\0\0\0",
    ]
    .concat();
    let zlib = [b"\x78\xda", raw, b"\xb8\x92\x09\x49"].concat();
    for body in [&gzip, &zlib, raw, FINE.as_bytes()] {
        for head in [
            "",
            "Content-Encoding: gzip\r\n",
            "Content-Encoding: deflate\r\n",
        ] {
            let head = format!(
                "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n",
                body.len()
            );
            let mut client = client_of([head.as_bytes(), body].concat());
            client.start();
            let peers = client.report(1).1;
            assert_eq!(peers, Ok(vec!["1.2.3.4:9".parse().unwrap()]), "{head}");
        }
    }
}

#[test]
fn what_a_server_does_wrong_is_said() {
    let gzip =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00";
    for (bytes, why) in [
        (&b"\x00\x01garbage\xff\xfe"[..], "the answer is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe garbage",
            "the answer makes no sense",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\nd8:",
            "the answer is longer than 2 MiB",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:",
            "the answer is cut short",
        ),
        (b"HTTP/1.1 500 Oops\r\n\r\n<html>", "HTTP 500"),
        (
            b"HTTP/1.1 200 OK\r\n\r\nd14:failure reason12:unregisterede",
            "unregistered",
        ),
        (gzip, "it answers in gzip, which is cut short"),
        (b"", "closed without an answer"),
    ] {
        let found = client_of(bytes).failure();
        assert!(
            found.starts_with(why),
            "{found:?} for {}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_server_that_never_stops_is_stopped() {
    for head in [
        "HTTP/1.0 200 OK\r\n\r\nd",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: ",
    ] {
        let part = if head.contains("chunked") {
            [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat()
        } else {
            vec![b'x'; 0x4000]
        };
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let addr = server(move |_, stream, _| {
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(&part).is_ok() {
                count.fetch_add(part.len(), Ordering::Relaxed);
            }
        });
        let why = Client::new(&[&[&format!("http://{addr}/announce")]], 4001).failure();
        assert!(why.contains("longer than"), "{why}");
        assert!(
            sent.load(Ordering::Relaxed) < 50 << 20,
            "it was read for long"
        );
    }
}

#[test]
fn a_server_that_hangs_is_given_up_without_spinning() {
    let addr = server(|number, stream, _| {
        // Half an answer, a byte at a time, or nothing at all.
        let answer = ["HTTP/1.1 200 OK\r\nContent-Len", ""][number % 2];
        let _ = stream.write_all(answer.as_bytes());
        thread::sleep(Duration::from_secs(60));
    });
    let url = format!("http://{addr}/announce");
    let mut client = Client::hurried(&[&[&url]], 4001, 20);
    assert_eq!(client.failure(), "no answer in time");
    assert_eq!(client.report(2).1, Err(String::from("no answer in time")));
    let seconds = client.began.elapsed().as_secs_f64();
    assert!(
        (3.6..15.0).contains(&seconds),
        "30 s, 15 s, 30 s: {seconds} s"
    );
    assert!(client.turns < 40, "{} turns", client.turns);
    client.leave();
}

#[test]
fn redirects_are_followed_and_end() {
    let addr = server(|_, stream, head| {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let answer = match target.split('?').next().unwrap_or_default() {
            "/a/announce" => String::from(
                "HTTP/1.1 301 Moved\r\nLocation: ../announce-b\r\nContent-Length: 0\r\n\r\n",
            ),
            "/announce-b" => format!(
                "HTTP/1.0 302 Found\r\nLocation: http://{}/announce-c?x=y\r\n\r\n",
                stream.local_addr().unwrap()
            ),
            "/announce-c" if target == "/announce-c?x=y" => {
                format!("HTTP/1.1 200 OK\r\n\r\n{FINE}")
            }
            _ => format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\n\r\n"),
        };
        let _ = stream.write_all(answer.as_bytes());
    });
    let mut client = Client::new(&[&[&format!("http://{addr}/a/announce")]], 4001);
    client.start();
    assert_eq!(client.report(1).1.map(|peers| peers.len()), Ok(1));
    let why = Client::new(&[&[&format!("http://{addr}/announce/loop")]], 4001).failure();
    assert_eq!(why, "redirected more than 5 times");
}

/// Listeners of both families on one port.
fn listeners() -> (TcpListener, TcpListener) {
    loop {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = v4.local_addr().unwrap().port();
        if let Ok(v6) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
            return (v4, v6);
        }
    }
}

#[test]
fn both_families_of_a_name_are_announced() {
    let (v4, v6) = listeners();
    let addr = serve(v4, |_, stream, _| {
        let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{FINE}").as_bytes());
    });
    serve(v6, |_, stream, _| {
        let peer = b"\x20\x01\x0d\x0e\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x09";
        let head = b"HTTP/1.0 200 OK\r\n\r\nd8:intervali60e6:peers618:";
        let _ = stream.write_all(&[&head[..], peer, b"e"].concat());
    });
    let mut client = Client::new(&[&[&format!("http://both:{}/announce", addr.port())]], 4001);
    client.start();
    client.run(|client| client.reports.len() == 2);
    let outcomes = client.reports.iter().map(|(_, outcome, _)| outcome);
    let mut peers: Vec<_> = outcomes.flat_map(|peers| peers.clone().unwrap()).collect();
    peers.sort();
    let expected = ["1.2.3.4:9", "[2001:d0e::2]:9"].map(|peer| peer.parse().unwrap());
    assert_eq!(peers, expected);
}

#[test]
fn one_family_of_a_name_is_enough() {
    let (v4, v6) = listeners();
    drop(v6);
    let addr = serve(v4, |_, stream, _| {
        let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{FINE}").as_bytes());
    });
    let mut client = Client::new(&[&[&format!("http://both:{}/announce", addr.port())]], 4001);
    client.start();
    assert_eq!(client.report(1).1.map(|peers| peers.len()), Ok(1));
    client.run(|client| client.trackers.is_idle());
    assert_eq!(client.reports.len(), 1);
}

#[test]
fn names_are_looked_up() {
    let addr = server(|_, stream, head| {
        let expected = format!(
            "\r\nHost: localhost:{}\r\n",
            stream.local_addr().unwrap().port()
        );
        let answer = if head.contains(&expected) {
            FINE
        } else {
            "wrong host"
        };
        let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{answer}").as_bytes());
    });
    let mut client = Client::new(
        &[&[&format!("http://localhost:{}/announce", addr.port())]],
        4001,
    );
    client.start();
    assert_eq!(client.report(1).1.map(|peers| peers.len()), Ok(1));

    let why = Client::new(&[&["http://no-such-host.invalid/announce"]], 4001).failure();
    assert!(!why.is_empty() && !why.contains("os error"), "{why}");
}
