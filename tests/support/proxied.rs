//! What goes between a proxy and us, printed from the code for the manual.

use std::fmt::Write as _;

use brooklet::socks::{Greeting, Login, Place, Request, datagram};

use crate::transcript::words::hex;

/// The greeting of a proxy that wants a login, and a datagram through it.
pub fn greeting() -> String {
    let login = Login {
        user: b"me".to_vec(),
        password: b"secret".to_vec(),
    };
    let place = Place::Name("seed.test".into(), 6881);
    let mut text = String::new();
    let mut greeting = Greeting::new(Some(login), Request::Connect(place));
    let answers: [(&[u8], Fields); 3] = [
        (b"\x05\x02", &[(1, "version 5"), (1, "user and password")]),
        (
            b"\x01\x00",
            &[(1, "version 1 of that"), (1, "both are right")],
        ),
        (
            b"\x05\x00\x00\x01\xcb\x00\x71\x05\xc0\x00",
            &[
                (1, "version 5"),
                (1, "done"),
                (1, "nothing"),
                (1, "an address of IPv4"),
                (4, "203.0.113.5: where it connects from"),
                (2, "port 49152"),
            ],
        ),
    ];
    let says: [(&str, Fields); 3] = [
        (
            "we begin",
            &[
                (1, "version 5"),
                (1, "so many ways to say who we are"),
                (1, "none"),
                (1, "user and password"),
            ],
        ),
        (
            "we say who we are (RFC 1929)",
            &[
                (1, "version 1 of that"),
                (1, "bytes of the user"),
                (2, "the user, me"),
                (1, "bytes of the password"),
                (6, "the password, secret"),
            ],
        ),
        (
            "we say where to",
            &[
                (1, "version 5"),
                (1, "connect"),
                (1, "nothing"),
                (1, "a name"),
                (1, "bytes of it"),
                (9, "seed.test"),
                (2, "port 6881"),
            ],
        ),
    ];
    for ((who, ours), (answer, theirs)) in says.into_iter().zip(answers) {
        tell(&mut text, who, greeting.unsent(), ours);
        greeting.on_sent(greeting.unsent().len());
        tell(&mut text, "the proxy answers", answer, theirs);
        let (mut rest, mut last) = (answer, None);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(greeting.missing().min(rest.len()));
            last = greeting.take(now).unwrap();
            rest = later;
        }
        assert_eq!(last.is_some(), answer.len() == 10, "it is up at the end");
    }
    let tracker = Place::Name("tracker.test".into(), 6969);
    let mut bytes = Vec::new();
    datagram::encode(&tracker, b"", &mut bytes);
    let fields: Fields = &[
        (2, "nothing"),
        (1, "it is whole"),
        (1, "a name"),
        (1, "bytes of it"),
        (12, "tracker.test"),
        (2, "port 6969"),
    ];
    tell(
        &mut text,
        "a datagram to a tracker begins with",
        &bytes,
        fields,
    );
    text
}

/// Bytes and what they are.
type Fields = &'static [(usize, &'static str)];

fn tell(text: &mut String, who: &str, bytes: &[u8], fields: Fields) {
    let _ = writeln!(text, "{who}, {} bytes", bytes.len());
    let mut rest = bytes;
    for (size, name) in fields {
        let (field, more) = rest.split_at(*size);
        let _ = writeln!(text, "  {:40} {name}", hex(field));
        rest = more;
    }
    assert!(
        rest.is_empty(),
        "{who}: {} bytes without a name",
        rest.len()
    );
}
