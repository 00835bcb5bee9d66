//! One exchange over HTTP: redirects, statuses, bodies, deadlines.

use super::*;

const A: &str = "http://10.0.0.1/announce";

/// What is reported of a tracker that sends these bytes and closes.
fn sent(bytes: impl AsRef<[u8]>) -> String {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.send(&get, bytes);
    let said = bench.said();
    assert_eq!(said.len(), 1, "{said:?}");
    said[0].strip_prefix(A).unwrap().to_owned()
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn answers_come_in_every_form() {
    for (bytes, said) in [
        (format!("HTTP/1.0 200 OK\r\n\r\n{PEER}"), " 1"),
        (
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{PEER}",
                PEER.len()
            ),
            " 1",
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{PEER}\r\n0\r\n\r\n",
                PEER.len()
            ),
            " 1",
        ),
        (
            String::from("HTTP/1.1 200 OK\r\n\r\nd14:failure reason6:no\x1b[2Je"),
            ": no [2J",
        ),
        (
            String::from("HTTP/1.1 404 Not Found\r\n\r\n<html>"),
            ": HTTP 404",
        ),
        (
            String::from("HTTP/1.1 403 No\r\n\r\nd14:failure reason6:bannede"),
            ": HTTP 403: banned",
        ),
        (String::from("HTTP/1.1 302 Found\r\n\r\n"), ": HTTP 302"),
        (String::from("HTTP/1.1 204 Nothing\r\n\r\n"), ": HTTP 204"),
        (
            String::from("HTTP/1.1 200 OK\r\n\r\n<html>"),
            ": the answer makes no sense: no value begins with this byte at byte 0",
        ),
        (
            String::from("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nde"),
            ": the answer is cut short",
        ),
        (
            String::from("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\x0b\x02"),
            ": it answers in \"br\", which brooklet does not read",
        ),
        (
            String::from("HTTP/1.1 404 Gone\r\nContent-Encoding: br\r\n\r\n\x0b\x02"),
            ": HTTP 404",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: utf-8\r\n\r\n{PEER}"),
            " 1",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: none\r\n\r\n{PEER}"),
            " 1",
        ),
        (String::new(), ": closed without an answer"),
        (String::from("\0\x01\x02"), ": the answer is not HTTP"),
    ] {
        assert_eq!(sent(&bytes), said, "{bytes:?}");
    }
}

#[test]
fn an_answer_counts_as_soon_as_it_is_whole() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.hear_connected(get.id);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{PEER}",
        PEER.len()
    );
    for byte in format!("{answer} and more").bytes() {
        bench.hear_bytes(get.id, &[byte]);
    }
    assert_eq!(bench.said(), [format!("{A} 1")]);
    let (id, length) = (get.id, answer.len() as u64);
    assert_eq!(bench.next(), Some(Action::Release { id, length }));
    bench.hear_closed(get.id, Err(String::from("late")));
    bench.quiet();
    assert!(bench.said().is_empty());
}

/// RFC 9112, section 9.3: "If the close connection option is present, the connection will not
/// persist after the current response; else, if the received protocol is HTTP/1.1 (or later), the
/// connection will persist after the current response".
#[test]
fn a_connection_is_given_back_where_the_answer_leaves_it_open() {
    let chunks = format!("21;q=1\r\n{PEER}\r\n0\r\nX: y\r\n\r\n");
    assert_eq!(PEER.len(), 33);
    let sized = "Content-Length: 33";
    let chunked = "Transfer-Encoding: chunked";
    for (version, fields, body, kept) in [
        ("1.1", sized, PEER, true),
        ("1.1", chunked, &*chunks, true),
        ("1.1", "Content-Length: 0", "", true),
        ("1.1", "Location: /x\r\nContent-Length: 0", "", true),
        ("1.1", &format!("Connection: x\r\n{sized}"), PEER, true),
        ("1.0", sized, PEER, false),
        ("1.1", &format!("Connection: close\r\n{sized}"), PEER, false),
        (
            "1.1",
            &format!("connection: x, Close\r\n{sized}"),
            PEER,
            false,
        ),
        // Two ends of one body: what one reader takes for the next answer, another does not.
        ("1.1", &format!("{chunked}\r\n{sized}"), &*chunks, false),
        ("1.1", &format!("{chunked}, gzip"), &*chunks, false),
        ("1.1", &format!("{sized}\r\n{sized}"), PEER, false),
    ] {
        let head = format!("{version} 200 OK\r\n{fields}");
        let mut bench = Bench::started(&[&[A]]);
        let get = bench.get();
        bench.hear_connected(get.id);
        let answer = format!("HTTP/{head}\r\n\r\n{body}");
        bench.hear_bytes(get.id, answer.as_bytes());
        let (id, length) = (get.id, answer.len() as u64);
        let expected = if kept {
            Action::Release { id, length }
        } else {
            Action::Abort { id }
        };
        assert_eq!(bench.next(), Some(expected), "{head}");
    }
}

/// What came in front of the answer proper belongs to it.
#[test]
fn interim_heads_count_as_bytes_of_the_answer() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n";
    bench.hear_bytes(get.id, answer.as_bytes());
    let (id, length) = (get.id, answer.len() as u64);
    assert_eq!(bench.next(), Some(Action::Release { id, length }));
}

#[test]
fn redirects_are_followed() {
    let mut bench = Bench::started(&[&["http://me:pa%3Ass@t:81/x/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["192.0.2.1"]);
    let get = bench.get();
    assert!(
        get.text.contains("Authorization: Basic bWU6cGE6c3M=\r\n"),
        "{}",
        get.text
    );
    assert_eq!(get.host(), "t:81");
    bench.send(&get, redirect(301, "../y?k=1"));
    let (id, host) = bench.lookup();
    assert_eq!(host, "t");
    bench.found(id, &["::1", "192.0.2.2"]);
    let get = bench.get();
    assert_eq!(
        get.addr.to_string(),
        "192.0.2.2:81",
        "it stays in the family"
    );
    assert!(get.text.starts_with("GET /y?k=1 HTTP/1.1\r\n") && get.text.contains("Authorization"));
    bench.send(&get, redirect(307, "http://192.0.2.3/z"));
    let get = bench.get();
    assert_eq!(
        (get.addr.to_string().as_str(), get.host()),
        ("192.0.2.3:80", "192.0.2.3")
    );
    assert!(get.text.starts_with("GET /z HTTP/1.1\r\n"));
    assert!(
        !get.text.contains("Authorization"),
        "another host gets no password"
    );
    bench.answer(&get, PEER);
    assert_eq!(bench.said(), ["http://me:pa%3Ass@t:81/x/announce 1"]);
    bench.pass(1800);
    let (_, host) = bench.lookup();
    assert_eq!(
        host, "t",
        "the next announce begins at the tracker's own URL"
    );
}

#[test]
fn redirects_end_somewhere() {
    let mut bench = Bench::started(&[&[A]]);
    for _ in 0..=5 {
        let get = bench.get();
        bench.send(&get, redirect(302, "/announce"));
    }
    bench.quiet();
    assert_eq!(bench.said(), [format!("{A}: redirected more than 5 times")]);

    for (location, why) in [
        (
            "udp://10.0.0.1:9/",
            "redirected to \"udp://10.0.0.1:9/\": not an http URL",
        ),
        (
            "wss://t/",
            "redirected to \"wss://t/\": trackers for browsers (ws, wss) are not supported",
        ),
        ("http://[::1]/", "redirected to ::1: no IPv4 address"),
    ] {
        assert_eq!(sent(redirect(302, location)), format!(": {why}"));
    }

    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.send(&get, redirect(302, "http://nowhere/"));
    let (id, _) = bench.lookup();
    bench.hear_resolved(id, Err(String::from("no such name")));
    assert_eq!(
        bench.said(),
        [format!("{A}: redirected to nowhere: no such name")]
    );
}

#[test]
fn the_other_addresses_of_a_name_are_tried() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    let get = bench.get();
    bench.refuse(&get);
    let get = bench.get();
    assert_eq!(get.addr.ip().to_string(), "10.0.0.2");
    bench.pass(10);
    assert_eq!(
        bench.next(),
        Some(Action::Abort { id: get.id }),
        "ten seconds to connect"
    );
    let get = bench.get();
    assert_eq!(get.addr.ip().to_string(), "10.0.0.3");
    bench.refuse(&get);
    bench.quiet();
    assert_eq!(
        bench.said(),
        ["http://t/announce: it refused the connection"]
    );
    bench.pass(15);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1", "10.0.0.2"]);
    assert_eq!(
        bench.get().addr.ip().to_string(),
        "10.0.0.2",
        "another one first"
    );
}

#[test]
fn all_of_it_takes_half_a_minute_at_most() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.hear_connected(get.id);
    for _ in 0..29 {
        bench.pass(1);
        bench.hear_bytes(get.id, b"H".get(..0).unwrap());
    }
    bench.quiet();
    bench.pass(1);
    assert_eq!(bench.next(), Some(Action::Abort { id: get.id }));
    assert_eq!(bench.said(), [format!("{A}: no answer in time")]);

    let mut bench = Bench::started(&[&[A]]);
    bench.get();
    bench.pass(10);
    assert_eq!(bench.said(), [format!("{A}: no connection in time")]);
}

#[test]
fn a_body_without_end_is_cut() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.hear_bytes(get.id, b"HTTP/1.0 200 OK\r\n\r\n");
    let mut taken = 0;
    while bench.next().is_none() {
        bench.hear_bytes(get.id, &[b'd'; 16384]);
        taken += 16384;
        assert!(taken < 3 << 20);
    }
    assert!(taken >= 2 << 20);
    assert_eq!(
        bench.said(),
        [format!("{A}: the answer is longer than 2 MiB")]
    );
}

#[test]
fn an_address_in_brackets_is_connected_to() {
    let mut bench = Bench::started(&[&["http://[2001:db8::1]:6969/announce"]]);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "[2001:db8::1]:6969");
    assert_eq!(get.host(), "[2001:db8::1]:6969");
    bench.answer(
        &get,
        "d8:intervali60e6:peers618:\x20\x01\x0d\x0e\0\0\0\0\0\0\0\0\0\0\0\x02\x00\x09e",
    );
    bench.take_actions();
    assert_eq!(
        bench.reports[0].outcome,
        Ok(vec!["[2001:d0e::2]:9".parse().unwrap()])
    );
}
