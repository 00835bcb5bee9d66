//! Answers of all kinds to a request for bytes 130 to 139 of a content, of a file at 100 to 199.

use super::*;

fn part() -> Part {
    Part {
        file: 3,
        bytes: 100..200,
        padding: false,
    }
}

/// What comes of an answer, read whole and then in small parts: the bytes of its body with their
/// places, and whether the connection may be used again (`None`: it has ended).
type Outcome = Result<(u64, Vec<u8>, Option<bool>), Fault>;

fn read_in(bytes: &[u8], size: usize) -> Outcome {
    let mut answer = Answer::new(part(), 130..140, 130, 30);
    let (mut start, mut body) = (None, Vec::new());
    for chunk in bytes.chunks(size.max(1)) {
        let mut rest = chunk;
        loop {
            let (used, got) = answer.next(rest)?;
            let (taken, behind) = rest.split_at(used);
            rest = behind;
            match got {
                Got::Nothing => break,
                Got::Head => {}
                Got::Body(at, len) => {
                    start.get_or_insert(at);
                    assert_eq!(start.unwrap() + body.len() as u64, at);
                    body.extend_from_slice(&taken[used - len..]);
                }
                Got::End(persists) => {
                    return Ok((start.unwrap_or(0), body, Some(persists)));
                }
            }
        }
    }
    answer.close()?;
    Ok((start.unwrap_or(0), body, None))
}

fn read(bytes: &[u8]) -> Outcome {
    let whole = read_in(bytes, bytes.len());
    for size in [1, 3, 7, 64] {
        assert_eq!(read_in(bytes, size), whole, "in parts of {size}");
    }
    whole
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = head.replace('|', "\r\n");
    [b"HTTP/1.1 ", head.as_bytes(), b"\r\n\r\n", body].concat()
}

fn senseless(outcome: Outcome) -> String {
    match outcome {
        Err(Fault::Senseless(why)) => why,
        other => panic!("{other:?}"),
    }
}

const PARTIAL: &str = "206 Partial Content|Content-Range: bytes 30-39/100|Content-Length: 10";

#[test]
fn a_part_and_a_whole_file_are_placed_where_they_belong() {
    let ten = b"0123456789";
    let outcome = read(&answer(PARTIAL, ten));
    assert_eq!(outcome, Ok((130, ten.to_vec(), Some(true))));
    let more = "206 Partial Content|Content-Range: bytes 28-39/*|Content-Length: 12";
    let twelve = b"890123456789";
    let outcome = read(&answer(more, twelve));
    assert_eq!(outcome, Ok((128, twelve.to_vec(), Some(true))));
    let whole: Vec<u8> = (0..100).collect();
    let outcome = read(&answer("200 OK|Content-Length: 100", &whole));
    assert_eq!(outcome, Ok((100, whole.clone(), Some(true))));
    let outcome = read(&answer("200 OK", &whole));
    assert_eq!(outcome, Ok((100, whole, None)));
    let chunked = "206 P|Content-Range: bytes 30-39/100|Transfer-Encoding: chunked";
    let body = b"3;x=y\r\n012\r\n07\r\n3456789\r\n0\r\nTrailer: x\r\n\r\n";
    let outcome = read(&answer(chunked, body));
    assert_eq!(outcome, Ok((130, ten.to_vec(), Some(true))));
    let closing = format!("{PARTIAL}|Connection: close");
    let outcome = read(&answer(&closing, ten));
    assert_eq!(outcome, Ok((130, ten.to_vec(), Some(false))));
}

#[test]
fn what_a_status_means() {
    let wait = Some(Duration::from_secs(7));
    for (head, fault) in [
        ("404 Not Found|Content-Length: 3", Fault::Gone(404)),
        ("403 Forbidden", Fault::Gone(403)),
        ("401 Unauthorized", Fault::Gone(401)),
        ("416 Range Not Satisfiable", Fault::Gone(416)),
        ("204 No Content", Fault::Gone(204)),
        ("304 Not Modified", Fault::Gone(304)),
        ("301 Moved", Fault::Gone(301)),
        ("503 Busy|Retry-After: 7", Fault::Busy(503, wait)),
        ("429 Too Many", Fault::Busy(429, None)),
        ("500 Oops", Fault::Busy(500, None)),
        (
            "302 Found|Location: http://x/y",
            Fault::Moved(String::from("http://x/y")),
        ),
        ("200 OK|Content-Length: 99", Fault::OtherLength(99)),
        (
            "206 P|Content-Range: bytes 30-39/101|Content-Length: 10",
            Fault::OtherLength(101),
        ),
    ] {
        assert_eq!(read(&answer(head, b"abc")), Err(fault), "{head}");
    }
}

#[test]
fn what_makes_no_sense_is_said() {
    for (head, why) in [
        (
            "206 P|Content-Length: 10",
            "it does not say which bytes it sends",
        ),
        (
            "206 P|Content-Range: bytes 31-39/100|Content-Length: 9",
            "it sends other bytes than it is asked for: 31-39",
        ),
        (
            "206 P|Content-Range: bytes 0-29/100|Content-Length: 30",
            "it sends other bytes than it is asked for: 0-29",
        ),
        (
            "206 P|Content-Range: bytes 30-40/100|Content-Length: 11",
            "it sends other bytes than it is asked for: 30-40",
        ),
        (
            "206 P|Content-Range: bytes 30-39/100|Content-Length: 11",
            "its answer has 11 bytes and is to have others",
        ),
        (
            "206 P|Content-Range: bytes 30-39/100|Content-Length: 18446744073709551615",
            "its answer has 18446744073709551615 bytes and is to have others",
        ),
        (
            "206 P|Content-Range: bytes 30-18446744073709551614/*",
            "it sends other bytes than it is asked for: 30-18446744073709551614",
        ),
        (
            "206 P|Content-Range: bytes 18446744073709551600-18446744073709551614/*",
            "it sends other bytes than it is asked for: 18446744073709551600-18446744073709551614",
        ),
        (
            "206 P|Content-Range: bytes 30-30/100|Content-Length: 1",
            "it sends other bytes than it is asked for: 30-30",
        ),
        (
            "206 P|Content-Range: bytes 30-39/100|Content-Encoding: gzip",
            "it answers in \"gzip\", unasked",
        ),
    ] {
        assert_eq!(senseless(read(&answer(head, b"abc"))), why, "{head}");
    }
    let why = senseless(read(b"SSH-2.0-x\r\n\r\n"));
    assert_eq!(why, "the answer is not HTTP");
    let chunked = "206 P|Content-Range: bytes 30-39/100|Transfer-Encoding: chunked";
    let why = senseless(read(&answer(chunked, b"0b\r\n01234567890\r\n0\r\n\r\n")));
    assert!(why.starts_with("it sends more than"), "{why}");
    let trailers = "x: y\r\n".repeat(limits::WEB_TAIL as usize / 6 + 1);
    let body = format!("0a\r\n0123456789\r\n0\r\n{trailers}");
    let why = senseless(read(&answer(chunked, body.as_bytes())));
    assert_eq!(why, "its answer does not end");
}

#[test]
fn an_answer_that_is_cut_short_is_one() {
    let all = answer(PARTIAL, b"0123456789");
    for len in 0..all.len() {
        assert_eq!(read(&all[..len]), Err(Fault::CutShort), "{len}");
    }
    let fewer = "206 P|Content-Range: bytes 30-39/100|Transfer-Encoding: chunked";
    let outcome = read(&answer(fewer, b"03\r\n012\r\n0\r\n\r\n"));
    assert_eq!(outcome, Err(Fault::CutShort));
    let outcome = read(&answer("200 OK", b"0123"));
    assert_eq!(outcome, Err(Fault::CutShort), "the length is not known");
}

#[test]
fn a_whole_file_is_skipped_into_within_bounds() {
    for (most, expected) in [(30, Ok(Got::Head)), (29, Err(Fault::WholeOnly))] {
        let mut answer = Answer::new(part(), 130..140, 130, most);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
        assert_eq!(answer.next(head).map(|(_, got)| got), expected);
    }
}

/// A part may begin a little before what is asked for, and end before it ends, if a block comes.
#[test]
fn a_part_is_near_what_is_asked_for() {
    let block = u64::from(crate::base::BLOCK);
    let file = 100..100 + 4 * limits::WEB_GAP;
    let from = 2 * limits::WEB_GAP;
    let takes = |first: u64, last: u64| {
        let part = Part {
            bytes: file.clone(),
            ..part()
        };
        let mut answer = Answer::new(part, 100 + from..file.end, 100 + from, u64::MAX);
        let head = format!("HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{last}/*\r\n\r\n");
        answer.next(head.as_bytes()).is_ok()
    };
    let last = 4 * limits::WEB_GAP - 1;
    assert!(takes(from, last) && takes(from - limits::WEB_GAP, last));
    assert!(!takes(from - limits::WEB_GAP - 1, last));
    assert!(takes(from, from + block - 1));
    assert!(!takes(from, from + block - 2));
}
