//! Answers as odd trackers give them, and what the program makes of them, from outside.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::support::bench::{Bench, SOON};
use super::support::child::{Child, Stream, brooklet};
use super::support::peer::{Manners, Peer, Server};

/// An HTTP tracker that answers everything with this body.
fn http(body: Vec<u8>) -> (Server, String) {
    let tracker = Server::start(move |mut stream: TcpStream| {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat())
    });
    let url = format!("http://{}/announce", tracker.addr);
    (tracker, url)
}

/// A UDP tracker that takes any connection and answers an announce with `rest` behind the
/// transaction.
fn udp(listen: &str, rest: Vec<u8>) -> String {
    let socket = UdpSocket::bind(listen).unwrap();
    let url = format!("udp://{}/announce", socket.local_addr().unwrap());
    thread::spawn(move || {
        let mut request = [0; 2048];
        while let Ok((_, from)) = socket.recv_from(&mut request) {
            let (action, transaction) = (&request[8..12], &request[12..16]);
            let rest = if action[3] == 0 {
                b"87654321"
            } else {
                &rest[..]
            };
            let _ = socket.send_to(&[action, transaction, rest].concat(), from);
        }
    });
    url
}

/// A download that announces over either family.
fn get(bench: &Bench) -> Child {
    let mut command = brooklet(None);
    command.arg("get").arg(bench.dir.join("torrent"));
    command.arg("--dir").arg(bench.content());
    command.arg("--state").arg(bench.dir.join("state"));
    Child::spawn("brooklet", command.args(["--json", "--port", "0"]))
}

/// What `brooklet scrape` prints of a torrent.
fn scraped(bench: &Bench) -> String {
    let mut scrape = brooklet(None);
    scrape.arg("scrape").arg(bench.dir.join("torrent"));
    let mut scrape = Child::spawn("brooklet", &mut scrape);
    scrape.code(Duration::from_secs(60));
    scrape.text(Stream::Out)
}

/// npm's `bittorrent-tracker` encodes the info hash in UTF-8 once more.
#[test]
fn a_scrape_under_a_key_that_is_encoded_twice_is_read() {
    let bench = Bench::new(211, 300_000);
    let hash = bench.torrent.info_hash;
    assert!(!hash.is_ascii());
    let key: String = hash.iter().copied().map(char::from).collect();
    let counts = "d8:completei41e10:downloadedi43e10:incompletei42ee";
    let body = format!("d5:filesd{}:{key}{counts}ee", key.len());
    let (_tracker, url) = http(body.into_bytes());
    bench.trackers(&[&url]);
    let out = scraped(&bench);
    let numbers: Vec<&str> = out
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .take(3)
        .collect();
    assert_eq!(numbers, ["41", "42", "43"], "{out}");
}

/// opentracker does so for a torrent that it does not serve.
#[test]
fn an_announce_answered_with_nothing_is_a_refusal() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let bench = Bench::new(212, 300_000);
        bench.trackers(&[&udp(listen, Vec::new())]);
        let mut get = get(&bench);
        let event = get.event("tracker", Duration::from_secs(5));
        assert_eq!(event.get("error").text(), "it refused without a reason");
        get.signal("INT");
        assert_eq!(get.code(SOON), 130);
    }
}

/// npm's `bittorrent-tracker` names IPv4 peers over IPv6, too.
#[test]
fn ipv4_peers_that_are_named_over_ipv6_are_dialed() {
    let bench = Bench::new(213, 300_000);
    let peer = Peer::start(&bench.torrent, Manners::default());
    let SocketAddr::V4(addr) = peer.addr().parse().unwrap() else {
        panic!("it listens on IPv4")
    };
    let numbers = [1800_u32, 0, 1].map(u32::to_be_bytes).concat();
    let (ip, port) = (addr.ip().octets(), addr.port().to_be_bytes());
    let rest = [&numbers[..], &ip, &port].concat();
    bench.trackers(&[&udp("[::1]:0", rest)]);
    let mut get = get(&bench);
    let event = get.event("tracker", SOON);
    assert_eq!(event.get("peers").count(), 1);
    assert_eq!(get.code(SOON), 0);
    bench.assert_whole();
}

/// Twelve trackers of one host, as a list of passkeys has them.
#[test]
fn twelve_trackers_of_one_host_are_all_scraped() {
    let bench = Bench::new(214, 300_000);
    let body = [
        &b"d5:filesd20:"[..],
        &bench.torrent.info_hash,
        b"d8:completei41eeee",
    ]
    .concat();
    let trackers: Vec<(Server, String)> = (0..12).map(|_| http(body.clone())).collect();
    let urls: Vec<&str> = trackers.iter().map(|(_, url)| url.as_str()).collect();
    bench.trackers(&urls);
    let out = scraped(&bench);
    let known = out.lines().filter(|line| line.contains(" 41 "));
    assert_eq!(known.count(), 12, "{out}");
}
