//! Responses whole and in parts, and what is refused of them.

use super::*;

/// A response, gathered.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Response {
    head: Head,
    body: Vec<u8>,
}

const MOST: usize = 2 * limits::MIB;

/// Reads a response whole, then a byte at a time, which must come to the same.
fn read(bytes: &[u8]) -> Result<Response, String> {
    let read_in = |size: usize| {
        let mut reader = Reader::new(MOST);
        let (mut head, mut body) = (None, Vec::new());
        for mut bytes in bytes.chunks(size) {
            while let Some(part) = reader.next(&mut bytes)? {
                match part {
                    Part::Head(read) => head = Some(read),
                    Part::Body(piece) => body.extend_from_slice(piece),
                    Part::End => {
                        let head = head.unwrap();
                        return Ok(Response { head, body });
                    }
                }
            }
            assert!(bytes.is_empty(), "bytes are left");
        }
        reader.end().map(|()| Response {
            head: head.unwrap(),
            body,
        })
    };
    let whole = read_in(bytes.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(read_in(size), whole, "in parts of {size}");
    }
    whole
}

fn body(bytes: &[u8]) -> Vec<u8> {
    let response = read(bytes).unwrap();
    assert_eq!(response.head.status, 200);
    response.body
}

#[test]
fn a_body_ends_in_any_of_three_ways() {
    assert_eq!(
        body(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello, and more"),
        b"hello"
    );
    assert_eq!(
        body(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end"),
        b"until the end"
    );
    assert_eq!(
        body(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            5\r\nhello\r\nA;x=y\r\n, in parts\r\n0\r\nTrailer: t\r\n\r\nmore"
        ),
        b"hello, in parts"
    );
    assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), b"");
    assert_eq!(body(b"HTTP/1.1 200\n\nbare line feeds"), b"bare line feeds");
}

/// RFC 9112, section 6.3: "If a message is received with both a Transfer-Encoding and a
/// Content-Length header field, the Transfer-Encoding overrides the Content-Length."
#[test]
fn chunks_override_a_length() {
    let both =
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(body(both), b"abc");
}

#[test]
fn codings_are_noted_and_change_no_frame() {
    for (head, codings) in [
        ("Content-Length: 3\r\nContent-Encoding: gzip", &["gzip"][..]),
        ("Content-Length: 3\r\nTransfer-Encoding: gzip", &["gzip"]),
        ("Content-Encoding: utf-8", &["utf-8"]),
        ("Content-Encoding: deflate , gzip", &["deflate", "gzip"]),
        ("Content-Encoding: a\r\nContent-Encoding: b", &["a", "b"]),
    ] {
        let plain = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nabc");
        assert_eq!(
            read(plain.as_bytes()).unwrap().head.codings,
            codings,
            "{head}"
        );
        assert_eq!(body(plain.as_bytes()), b"abc", "{head}");
    }
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let response = read(chunked).unwrap();
    assert_eq!(
        (&response.body[..], &response.head.codings[..]),
        (&b"abc"[..], &[String::from("gzip")][..])
    );
}

#[test]
fn interim_answers_are_passed_over() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(body(answer), b"x");
}

#[test]
fn a_redirect_says_where_to() {
    let moved = read(b"HTTP/1.1 302 Found\r\nLocation:  /x \r\nContent-Length: 0\r\n\r\n");
    assert_eq!(moved.unwrap().head.redirect(), Some("/x"));
    let empty = read(b"HTTP/1.1 204 No Content\r\n\r\nmore").unwrap();
    assert_eq!((empty.head.status, empty.body), (204, vec![]));
    let fine = read(b"HTTP/1.1 200 OK\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(fine.head.redirect(), None);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (bytes, why) in [
        (&b""[..], "closed without an answer"),
        (b"d8:intervali1800ee", "the answer is not HTTP"),
        (b"\x16\x03\x01", "the answer is not HTTP"),
        (b"HTT", "the answer is cut short"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "the answer is cut short"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "the answer is cut short",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "the answer is cut short",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "the answer's chunks make no sense",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "the answer's chunks make no sense",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
            "the answer's chunks make no sense",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "the answer is longer than 2 MiB",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n",
            "the answer is longer than 2 MiB",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "a body of \"-1\" bytes makes no sense",
        ),
        (
            b"HTTP/1.1 abc\r\n\r\n",
            "the answer's head makes no sense: invalid response status",
        ),
    ] {
        let bytes_shown = bytes.escape_ascii();
        assert_eq!(read(bytes), Err(String::from(why)), "{bytes_shown}");
    }
}

#[test]
fn length_is_bounded_everywhere() {
    let take = |reader: &mut Reader, mut bytes: &[u8]| -> Result<usize, String> {
        let mut taken = 0;
        while let Some(part) = reader.next(&mut bytes)? {
            if let Part::Body(piece) = part {
                taken += piece.len();
            }
        }
        Ok(taken)
    };
    let head = b"HTTP/1.0 200 OK\r\n\r\n";
    for (surplus, fits) in [(0, true), (1, false)] {
        let mut reader = Reader::new(MOST);
        take(&mut reader, head).unwrap();
        take(&mut reader, &vec![0; MOST - head.len() - 1024]).unwrap();
        let last = take(&mut reader, &vec![0; 1024 + surplus]);
        let long = Err(String::from("the answer is longer than 2 MiB"));
        assert_eq!(last, if fits { Ok(1024) } else { long });
    }

    let endless = |line: &[u8]| {
        let mut reader = Reader::new(MOST);
        take(&mut reader, b"HTTP/1.1 200 OK\r\n").unwrap();
        (0..MOST)
            .find(|_| take(&mut reader, line).is_err())
            .map(|lines| lines * line.len())
    };
    assert!(endless(b"X: y\r\n").is_some_and(|bytes| bytes <= limits::HTTP_HEAD));
    assert!(endless(b"x").is_some_and(|bytes| bytes <= limits::HTTP_HEAD));
    let many = b"X: y\r\n".repeat(limits::HTTP_HEADERS + 1);
    let head = [b"HTTP/1.1 200 OK\r\n", &many[..], b"\r\n"].concat();
    assert!(read(&head).is_err());
}

/// A long body goes through without being kept: each piece is a part of what came.
#[test]
fn a_body_is_handed_on_as_it_comes() {
    let mut reader = Reader::new(usize::MAX);
    let length = 1_u64 << 40;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nfirst");
    let mut bytes = head.as_bytes();
    let part = reader.next(&mut bytes).unwrap();
    assert!(matches!(part, Some(Part::Head(head)) if head.body == super::Framing::Length(length)));
    assert_eq!(reader.next(&mut bytes), Ok(Some(Part::Body(b"first"))));
    assert_eq!(reader.next(&mut bytes), Ok(None));
    let mut piece: &[u8] = &[7; 1000];
    let came = piece.as_ptr();
    match reader.next(&mut piece) {
        Ok(Some(Part::Body(body))) => assert_eq!((body.len(), body.as_ptr()), (1000, came)),
        other => panic!("{other:?}"),
    }
}
