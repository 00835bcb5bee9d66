use std::net::{TcpListener, TcpStream as Plain};
use std::thread;

use super::*;
use crate::base::Duration;

/// Where something is polled for.
const SOON: Duration = Duration::from_secs(60);

fn proxy(login: Option<&str>) -> Arc<Proxy> {
    Arc::new(Proxy::new("p.example".into(), 1080, login).unwrap())
}

fn name() -> Place {
    Place::Name("t.example".into(), 80)
}

/// A connection, and the proxy's end of it.
fn connection() -> (TcpStream, Plain) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = Plain::connect(listener.local_addr().unwrap()).unwrap();
    ours.set_nonblocking(true).unwrap();
    (TcpStream::from_std(ours), listener.accept().unwrap().0)
}

/// Goes on until something has come of it.
fn outcome(via: &mut Via, socket: &mut TcpStream) -> Result<Place, String> {
    let deadline = Instant::now() + SOON;
    loop {
        match via.converse(socket) {
            Ok(None) => assert!(Instant::now() < deadline, "nothing comes of it"),
            Ok(Some(place)) => return Ok(place),
            Err(error) => return Err(error.to_string()),
        }
        thread::yield_now();
    }
}

#[test]
fn a_proxy_that_is_silent_for_long_is_named() {
    let proxy = proxy(None);
    let mut via = Via::new(Arc::clone(&proxy), name());
    let enough = via.begun + limits::PROXY_SILENCE;
    assert!(!via.is_silent(enough - Duration::from_millis(1)) && via.is_silent(enough));
    via.begun = Instant::now().checked_sub(limits::PROXY_SILENCE).unwrap();
    let (mut socket, mut other) = connection();
    assert!(via.converse(&mut socket).unwrap().is_none());
    assert_eq!(
        via.delay().as_deref(),
        Some("proxy p.example:1080: it does not answer")
    );
    drop(via);
    assert!(proxy.is_told());
    // Once it connects on, the silence may be that of the other end.
    proxy.on_success();
    let (mut socket, mut far) = connection();
    let mut via = Via::new(Arc::clone(&proxy), name());
    far.write_all(b"\x05\x00").unwrap();
    let deadline = Instant::now() + SOON;
    while !via.greeting.has_asked() {
        assert!(via.converse(&mut socket).unwrap().is_none() && Instant::now() < deadline);
    }
    assert!(!via.is_silent(via.begun + limits::PROXY_SILENCE * 100));
    assert_eq!(via.delay(), None);
    other.write_all(b"\x05\x00").unwrap();
}

/// The answers of a proxy, with and without a login, and with each kind of address.
fn answers() -> Vec<(Option<&'static str>, Vec<u8>)> {
    let long = [
        &b"\x05\x00\x00\x03\xff"[..],
        &[b'x'; limits::PROXY_NAME],
        b"\x00\x50",
    ]
    .concat();
    let v4 = b"\x05\x00\x00\x01\xc0\x00\x02\x01\x0f\xa0".to_vec();
    let v6 = b"\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0".to_vec();
    let mut all = Vec::new();
    for last in [long, v4, v6] {
        all.push((None, [b"\x05\x00", &last[..]].concat()));
        all.push((Some("me:secret"), [b"\x05\x02\x01\x00", &last[..]].concat()));
    }
    all
}

/// What follows the answers is not the proxy's, however much it is.
#[test]
fn answers_are_taken_however_they_are_cut() {
    for (login, answers) in answers() {
        for end in 0..=answers.len() {
            let (mut socket, mut far) = connection();
            let mut via = Via::new(proxy(login), name());
            far.write_all(&answers[..end]).unwrap();
            let early = via.converse(&mut socket).unwrap();
            assert!(early.is_none() || end == answers.len());
            far.write_all(&answers[end..]).unwrap();
            far.write_all(&[7; 4096]).unwrap();
            if early.is_none() {
                outcome(&mut via, &mut socket).unwrap();
            }
            let mut buffer = [0; 4096];
            let deadline = Instant::now() + SOON;
            let mut read = 0;
            while read < buffer.len() {
                let more = unless_blocked(|| socket.read(&mut buffer[read..])).unwrap();
                read += more.unwrap_or(0);
                assert!(Instant::now() < deadline, "bytes are missing");
            }
            assert_eq!(buffer, [7; 4096]);
        }
    }
}

#[test]
fn a_proxy_that_hangs_up_is_named_wherever_it_does() {
    for (login, answers) in answers() {
        for end in 0..answers.len() {
            let (mut socket, mut far) = connection();
            let mut via = Via::new(proxy(login), name());
            far.write_all(&answers[..end]).unwrap();
            far.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(
                outcome(&mut via, &mut socket).unwrap_err(),
                "proxy p.example:1080: it closed the connection",
                "cut at {end}"
            );
        }
    }
}

/// It never stops, and is given up at the first bytes that are wrong.
#[test]
fn garbage_without_end_is_given_up_at_once() {
    for byte in 0..=255 {
        let (mut socket, mut far) = connection();
        let mut via = Via::new(proxy(Some("me:secret")), name());
        far.write_all(&[byte; 4096]).unwrap();
        let why = outcome(&mut via, &mut socket).unwrap_err();
        let expected = match byte {
            // The number of the version is that of a kind of login, too.
            5 => String::from("it wants a kind of login that is not supported (5)"),
            _ => format!("it does not speak SOCKS5: it answers with a byte 0x{byte:02x}"),
        };
        assert_eq!(why, format!("proxy p.example:1080: {expected}"));
    }
}
