use super::*;

fn login() -> Option<Login> {
    Some(Login {
        user: b"me".to_vec(),
        password: b"secret".to_vec(),
    })
}

fn request() -> Request {
    Request::Connect(Place::Name("t.example".into(), 80))
}

/// Sends what is due and takes an answer in pieces of this many bytes, as it is asked for.
fn hear(
    greeting: &mut Greeting,
    sends: &[u8],
    answer: &[u8],
    piece: usize,
) -> Result<Option<Place>, Refusal> {
    assert_eq!(greeting.unsent(), sends);
    greeting.on_sent(1);
    greeting.on_sent(sends.len() - 1);
    assert!(greeting.unsent().is_empty());
    let mut rest = answer;
    while !rest.is_empty() {
        let n = greeting.missing().min(piece).min(rest.len());
        let (now, later) = rest.split_at(n);
        rest = later;
        if let Some(place) = greeting.take(now)? {
            assert!(
                rest.is_empty(),
                "no byte is asked for that is not the proxy's"
            );
            return Ok(Some(place));
        }
    }
    Ok(None)
}

#[test]
fn a_connection_is_asked_for() {
    for piece in [1, 2, 3, 300] {
        let mut greeting = Greeting::new(None, request());
        assert_eq!(
            hear(&mut greeting, b"\x05\x01\x00", b"\x05\x00", piece),
            Ok(None)
        );
        let ask = b"\x05\x01\x00\x03\x09t.example\x00\x50";
        let from = Place::Addr("192.0.2.1:4000".parse().unwrap());
        let answer = b"\x05\x00\x00\x01\xc0\x00\x02\x01\x0f\xa0";
        assert_eq!(hear(&mut greeting, ask, answer, piece), Ok(Some(from)));
        // Answers with the other kinds of addresses are as long as they say.
        for answer in [
            &b"\x05\x00\x00\x03\x03abc\0\0"[..],
            b"\x05\x00\x00\x03\x00\0\0",
            b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0",
        ] {
            let mut greeting = Greeting::new(None, request());
            hear(&mut greeting, b"\x05\x01\x00", b"\x05\x00", piece).unwrap();
            let done = hear(&mut greeting, ask, answer, piece);
            assert!(matches!(done, Ok(Some(_))), "{done:?}");
        }
    }
}

#[test]
fn a_login_is_told_where_it_is_wanted() {
    for piece in [1, 300] {
        let mut greeting = Greeting::new(login(), Request::Associate);
        let methods = b"\x05\x02\x00\x02";
        assert_eq!(hear(&mut greeting, methods, b"\x05\x02", piece), Ok(None));
        let proof = b"\x01\x02me\x06secret";
        assert_eq!(hear(&mut greeting, proof, b"\x01\x00", piece), Ok(None));
        let ask = b"\x05\x03\x00\x01\0\0\0\0\0\0";
        let relay = b"\x05\x00\x00\x01\0\0\0\0\x0f\xa0";
        let place = Place::Addr("0.0.0.0:4000".parse().unwrap());
        assert_eq!(hear(&mut greeting, ask, relay, piece), Ok(Some(place)));
        // It is not told where it is not wanted.
        let mut greeting = Greeting::new(login(), Request::Associate);
        hear(&mut greeting, methods, b"\x05\x00", piece).unwrap();
        assert_eq!(greeting.unsent(), ask);
    }
    assert!(!format!("{:?}", login()).contains("secret"));
}

#[test]
fn a_refusal_says_why() {
    let first = |login: Option<Login>, answer: &[u8]| {
        let mut greeting = Greeting::new(login, request());
        let sends = greeting.unsent().to_vec();
        hear(&mut greeting, &sends, answer, 1).unwrap_err()
    };
    for (login, answer, why) in [
        (
            None,
            &b"\x05\xff"[..],
            "it wants a login: --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        (
            None,
            b"\x05\x02",
            "it wants a login: --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        (login(), b"\x05\xff", "it takes no user and password"),
        (
            login(),
            b"\x05\x01",
            "it wants a kind of login that is not supported (1)",
        ),
        (
            None,
            b"HTTP/1.1 400",
            "it does not speak SOCKS5: it answers with a byte 0x48",
        ),
        (
            None,
            b"\x04\x5b",
            "it does not speak SOCKS5: it answers with a byte 0x04",
        ),
    ] {
        let refusal = first(login, answer);
        assert_eq!((refusal.why.as_str(), refusal.is_general), (why, true));
    }
    let mut greeting = Greeting::new(login(), request());
    hear(&mut greeting, b"\x05\x02\x00\x02", b"\x05\x02", 1).unwrap();
    let refusal = greeting.take(b"\x01\x01").unwrap_err();
    assert_eq!(refusal.why, "it refuses the user or the password");
    for code in 1..=255 {
        let mut greeting = Greeting::new(None, request());
        greeting.take(b"\x05\x00").unwrap();
        // Some send no more than this.
        let refusal = greeting.take(&[5, code]).unwrap_err();
        assert!(!refusal.is_general && !refusal.why.is_empty());
        let known = !refusal.why.contains("code");
        assert_eq!(known, code <= 8, "{}", refusal.why);
    }
    let mut greeting = Greeting::new(None, request());
    greeting.take(b"\x05\x00").unwrap();
    let refusal = greeting.take(b"\x05\x00\x00\x07\x00").unwrap_err();
    assert_eq!(
        refusal.why,
        "its answer names an address of an unknown kind (7)"
    );
}
