//! `--proxy`, with proxies that fail in every way: each ends in time, and in one clear line.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use super::support::bench::{Bench, SOON};
use super::support::child::{Child, Stream, brooklet};

/// A proxy that says this to all who connect, once they have said something, and then hangs up or
/// says nothing more.
fn proxy(says: &'static [&'static [u8]], hangs_up: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            for text in says {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(text);
            }
            if says.is_empty() && hangs_up {
                let _ = stream.read(&mut [0; 1024]);
            }
            if !hangs_up {
                open.push(stream);
            }
        }
    });
    addr
}

/// A download from a peer, with a tracker over each protocol.
fn get(bench: &Bench, proxy: SocketAddr, minutes: &str) -> Child {
    bench.trackers(&["http://t.test/announce", "udp://t.test:6969/announce"]);
    let url = format!("socks5://{proxy}");
    bench.get(
        &["seed.test:6881".into()],
        &["--proxy", &url, "--timeout", minutes],
    )
}

#[test]
fn a_proxy_that_is_none_is_named_once() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (at, why) in [
        (gone, "it refused the connection"),
        (proxy(&[], true), "it closed the connection"),
        (
            proxy(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], true),
            "it does not speak SOCKS5: it answers with a byte 0x48",
        ),
        (
            proxy(&[b"\x05\xff"], true),
            "it wants a login: --proxy socks5://USER:PASSWORD@HOST:PORT",
        ),
        (
            proxy(&[b"\x05\x00", b"\x05\x00\x00\x09\x00"], true),
            "its answer names an address of an unknown kind (9)",
        ),
    ] {
        let bench = Bench::new(721, 100_000);
        let mut get = get(&bench, at, "0.05");
        assert_eq!(get.code(SOON), 1);
        let said = get.text(Stream::Err);
        let line = format!("warning: proxy {at}: {}", why);
        assert_eq!(said.matches(&line).count(), 1, "{why}: {said}");
        for event in get.events("tracker") {
            let error = event.get("error").text();
            assert!(error.contains(&format!("proxy {at}: {}", why)), "{error}");
        }
        assert_eq!(get.events("tracker").len(), 2, "{said}");
    }
}

#[test]
fn a_proxy_that_says_nothing_is_named_once() {
    let at = proxy(&[], false);
    let bench = Bench::new(722, 100_000);
    let mut get = get(&bench, at, "1");
    let line = get.line("warning: proxy", Duration::from_secs(40));
    let expected = format!("proxy {at}: it does not answer");
    assert!(line.contains(&expected), "{line}");
    get.event_where("tracker", Duration::from_secs(40), |it| {
        it.get("url").text().starts_with("udp") && it.get("error").text().contains(&expected)
    });
    get.event_where("tracker", Duration::from_secs(40), |it| {
        it.get("url").text().starts_with("http") && !it.get("ok").is_true()
    });
    let said = get.text(Stream::Err);
    assert_eq!(said.matches("warning: proxy").count(), 1, "{said}");
}

/// What cannot be reached behind a proxy that works is no fault of the proxy's.
#[test]
fn a_peer_that_is_not_reached_is_the_peers_failure() {
    let at = proxy(&[b"\x05\x00", b"\x05\x04\x00\x01\0\0\0\0\0\0"], true);
    let bench = Bench::new(723, 100_000);
    let mut get = get(&bench, at, "0.05");
    assert_eq!(get.code(SOON), 1);
    let said = get.text(Stream::Err);
    assert_eq!(said.matches("warning: proxy").count(), 0, "{said}");
    assert_said_of_peer(
        &mut get,
        &format!("proxy {at}: t.test: the host is unreachable from there"),
    );
}

fn assert_said_of_peer(get: &mut Child, why: &str) {
    let told = get
        .events("tracker")
        .iter()
        .any(|it| it.get("error").text().starts_with(why));
    assert!(told, "{}", get.text(Stream::Out));
}

#[test]
fn a_url_is_not_fetched_past_a_proxy_that_fails() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (at, why) in [
        (gone, "it refused the connection"),
        (proxy(&[b"\x05\xff"], true), "it wants a login"),
    ] {
        let mut get = brooklet(None);
        get.args([
            "get",
            "http://t.test/a.torrent",
            "--proxy",
            &format!("socks5://{at}"),
        ]);
        let mut get = Child::spawn("get", &mut get);
        assert_eq!(get.code(SOON), 1);
        let said = get.text(Stream::Err);
        let line = format!("http://t.test/a.torrent: proxy {at}: {why}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with(&format!("brooklet: {line}")), "{said}");
    }
}

#[test]
fn a_proxy_whose_name_is_not_known_ends_it_at_once() {
    let bench = Bench::new(724, 100_000);
    let mut get = bench.run("get", &["--proxy", "socks5://nobody.invalid:1080"]);
    assert_eq!(get.code(Duration::from_secs(60)), 1);
    let said = get.text(Stream::Err);
    assert!(
        said.starts_with("brooklet: proxy nobody.invalid:1080: "),
        "{said}"
    );
}
