//! What a SOCKS5 proxy answers, and the datagrams that come through it: cut anywhere the answers
//! come to the same, no byte behind them is taken, and a place is written as it was read.

use super::super::cut;
use brooklet::socks::greeting::Refusal;
use brooklet::socks::{Greeting, Login, Place, Request, datagram};

/// The most that a proxy answers: two bytes each to the kinds of login and to the login, and a name
/// with what stands around it.
const MOST: usize = 2 + 2 + 4 + 255 + 3;

/// What came of the answers.
#[derive(PartialEq, Eq, Debug)]
struct End {
    outcome: Result<Option<Place>, Refusal>,
    /// What was said to the proxy.
    said: Vec<u8>,
    /// Bytes that were taken.
    taken: usize,
}

/// Fails where a promise is broken.
pub fn run(bytes: &[u8]) {
    place(bytes);
    let [kind, first, second, answers @ ..] = bytes else {
        return;
    };
    let whole = hear(*kind, &[answers]);
    let parts = hear(*kind, &cut(answers, &[*first, *second]));
    assert_eq!(whole.outcome, parts.outcome);
    assert_eq!(whole.said, parts.said);
    assert!(whole.taken <= MOST && parts.taken <= MOST);
    if whole.outcome.is_ok() {
        assert_eq!(whole.taken, parts.taken);
    }
    match &whole.outcome {
        Ok(Some(_)) => {}
        Ok(None) => assert_eq!(whole.taken, answers.len(), "more is waited for"),
        Err(refusal) => assert!(!refusal.why.is_empty() && !refusal.why.contains(char::is_control)),
    }
}

/// Has a greeting take the parts as it asks for them.
fn hear(kind: u8, parts: &[&[u8]]) -> End {
    let login = Login {
        user: b"me".to_vec(),
        password: b"secret".to_vec(),
    };
    let request = match kind & 2 {
        0 => Request::Connect(Place::Name("t.example".into(), 80)),
        _ => Request::Associate,
    };
    let mut greeting = Greeting::new((kind & 1 == 1).then_some(login), request);
    let mut end = End {
        outcome: Ok(None),
        said: Vec::new(),
        taken: 0,
    };
    say(&mut greeting, &mut end);
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let missing = greeting.missing();
            assert!(missing > 0);
            let (now, behind) = rest.split_at(missing.min(rest.len()));
            rest = behind;
            end.taken += now.len();
            end.outcome = greeting.take(now);
            say(&mut greeting, &mut end);
            if end.outcome != Ok(None) {
                return end;
            }
        }
    }
    end
}

fn say(greeting: &mut Greeting, end: &mut End) {
    end.said.extend(greeting.unsent());
    greeting.on_sent(greeting.unsent().len());
    assert!(greeting.unsent().is_empty());
}

/// A place, and a datagram that begins with one.
fn place(bytes: &[u8]) {
    if let Some((place, rest)) = Place::parse(bytes) {
        assert!(bytes.ends_with(rest) && rest.len() < bytes.len());
        let mut out = Vec::new();
        place.encode(&mut out);
        assert_eq!(Place::length([out[0], out[1]]), Some(out.len()));
        // What stands for bytes that are not UTF-8 is longer than these.
        let fits = !matches!(&place, Place::Name(name, _) if name.len() > 255);
        if fits {
            assert_eq!(Place::parse(&out), Some((place, &b""[..])));
        }
    }
    if let Some((from, content)) = datagram::parse(bytes) {
        assert!(bytes.ends_with(content));
        if matches!(from, Place::Addr(_)) {
            let mut out = Vec::new();
            datagram::encode(&from, content, &mut out);
            assert_eq!(datagram::parse(&out), Some((from, content)));
        }
    }
}
