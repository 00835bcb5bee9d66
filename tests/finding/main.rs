//! The DHT as the built program takes part in it: peers found without a tracker, nodes that are
//! known again after a restart, and the torrents that take no part.

mod clients;
mod cost;
mod partners;
#[path = "../support/mod.rs"]
mod support;

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use support::bench::{Bench, SOON, checked, listening};
use support::child::{Child, Stream, brooklet};
use support::content::Content;
use support::dir::Dir;
use support::json::Json;
use support::torrent::Torrent;
use support::trackers::OpenTracker;

/// A seed that is a node of the DHT, and whose torrent nobody else has.
fn node(seed: u64) -> (Bench, Child, String) {
    let bench = Bench::new(seed, 100_000);
    bench.fill();
    let mut child = bench.run("seed", &[]);
    let addr = listening(&mut child).to_string();
    checked(&mut child);
    (bench, child, addr)
}

/// Waits until a lookup has asked so many nodes and found so many peers.
fn looked(child: &mut Child, nodes: u64, peers: u64) {
    let counts = |event: &support::json::Json| {
        event.get("nodes").count() >= nodes && event.get("peers").count() == peers
    };
    child.event_where("dht", SOON, counts);
}

#[test]
fn a_seed_is_found_by_the_dht_alone_and_nodes_are_known_after_a_restart() {
    let (_bench, mut node, addr) = node(501);
    let seeding = Bench::new(502, 1_000_000);
    seeding.fill();
    let mut seed = seeding.run("seed", &["--dht-node", &addr]);
    looked(&mut seed, 1, 0);

    let getting = Bench::new(502, 1_000_000);
    let mut get = getting.run("get", &["--dht-node", &addr]);
    looked(&mut get, 1, 1);
    get.success(SOON);
    getting.assert_whole();

    let file = std::fs::read_to_string(getting.dir.join("state").join("dht.nodes")).unwrap();
    assert!(file.contains(&format!(" {addr}\n")), "{file}");
    std::fs::remove_dir_all(getting.content()).unwrap();
    getting.dir.folder("content");
    let mut again = getting.run("get", &[]);
    again.success(SOON);
    getting.assert_whole();

    for child in [&mut node, &mut seed] {
        child.signal("TERM");
        assert_eq!(child.code(SOON), 143);
    }
}

/// What a download with these options sends to a node until it dials a peer a second time, which
/// is seconds after it began, and so after it has looked for peers.
fn sent_to_node(bench: &Bench, options: &[&str]) -> Option<Vec<u8>> {
    let node = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = node.local_addr().unwrap().to_string();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer_addr: SocketAddr = peer.local_addr().unwrap();
    let mut all = vec!["--dht-node", &addr];
    all.extend(options);
    let mut get = bench.get(&[peer_addr.to_string()], &all);
    drop(peer.accept().unwrap());
    let (_stream, _) = peer.accept().unwrap();
    get.signal("TERM");
    assert_eq!(get.code(SOON), 143);
    node.set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let mut buffer = [0; 1500];
    let n = node.recv(&mut buffer).ok()?;
    Some(buffer[..n].to_vec())
}

#[test]
fn a_public_torrent_is_looked_for_in_the_dht() {
    let sent = sent_to_node(&Bench::new(503, 100_000), &[]).expect("it takes part");
    assert!(sent.starts_with(b"d1:a"), "{sent:?}");
}

#[test]
fn a_torrent_without_dht_sends_no_packet() {
    let bench = Bench::new(509, 100_000);
    assert_eq!(sent_to_node(&bench, &["--no-dht"]), None);
}

#[test]
fn a_private_torrent_sends_no_packet() {
    let torrent = Torrent::new(Content::file(504, "content.bin", 100_000), 64 * 1024);
    assert_eq!(sent_to_node(&Bench::of(torrent.private()), &[]), None);
}

/// How `peers` ends with this source and these options: its exit code, what it prints, what it
/// says.
fn peers(dir: &Dir, source: &str, options: &[&str]) -> (i32, String, String) {
    let mut command = brooklet(None);
    command.args(["peers", source, "--bind", "127.0.0.1", "--allow-local"]);
    command.arg("--state").arg(dir.join("state")).args(options);
    let mut child = Child::spawn("peers", &mut command);
    let code = child.code(SOON);
    (code, child.text(Stream::Out), child.text(Stream::Err))
}

#[test]
fn peers_are_listed_by_who_knows_them() {
    let bench = Bench::new(505, 100_000);
    let hash = bench.torrent.info_hash;
    let Some(tracker) = OpenTracker::start(&[hash]) else {
        return;
    };
    bench.fill();
    let dead = "http://127.0.0.1:1/announce";
    bench.trackers(&[&tracker.http_url, &tracker.udp_url, dead]);
    let (_other, mut node, node_addr) = node(506);
    let mut seed = bench.run("seed", &["--allow-local", "--dht-node", &node_addr]);
    let seed_addr = listening(&mut seed).to_string();
    seed.event_where("tracker", SOON, |event| event.get("ok").is_true());
    looked(&mut seed, 1, 0);
    let dir = Dir::new();
    let torrent = bench.dir.join("torrent");
    let torrent = torrent.to_str().unwrap();
    let all = ["--dht-node", &node_addr];

    let (code, list, said) = peers(&dir, torrent, &all);
    assert_eq!(code, 0, "{list}{said}");
    let mut lines: Vec<Vec<&str>> = list
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect();
    lines.sort_unstable();
    let sources = [&tracker.http_url[..], &tracker.udp_url, "DHT"];
    let mut expected: Vec<Vec<&str>> = sources.iter().map(|it| vec![&seed_addr[..], it]).collect();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{said}");
    assert!(
        said.contains(&format!(
            "warning: tracker {dead}: it refused the connection\n"
        )),
        "{said}"
    );
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("addresses: 1 (") && last.contains("DHT: 1"),
        "{said}"
    );

    // By the hash alone, and as JSON; each step in the DHT.
    let (code, list, said) = peers(
        &dir,
        &bench.torrent.hex(),
        &[&all[..], &["--json", "-v"]].concat(),
    );
    assert_eq!(code, 0, "{said}");
    let object = Json::parse(list.trim_end()).unwrap();
    assert_eq!(object.get("addr").text(), seed_addr);
    assert_eq!(object.get("source").text(), "dht");
    let step = |words: &str| {
        said.lines()
            .any(|it| it.contains(words) && it.contains(" bits away"))
    };
    let hex = bench.torrent.hex();
    assert!(
        step(&format!(" {node_addr} -> DHT: asked about {hex}, ")),
        "{said}"
    );
    assert!(step(&format!(" {node_addr} <- DHT: nodes: ")), "{said}");
    assert!(step("peers: 1, after "), "{said}");

    // Each alone, and nobody.
    let (code, list, _) = peers(&dir, torrent, &["--no-trackers", all[0], all[1]]);
    assert_eq!((code, list), (0, format!("{seed_addr:<21}  DHT\n")));
    let (code, list, said) = peers(&dir, torrent, &["--no-dht", "-q"]);
    assert_eq!((code, list.lines().count(), said.as_str()), (0, 2, ""));
    let link = format!(
        "magnet:?xt=urn:btih:{}&x.pe=peer.example:7",
        "ab".repeat(20)
    );
    let (code, list, _) = peers(&dir, &link, &["--no-dht", "--peer", "[::1]:9"]);
    assert_eq!(code, 0);
    assert_eq!(
        list,
        "[::1]:9                --peer\npeer.example:7         link\n"
    );
    for child in [&mut node, &mut seed] {
        child.signal("TERM");
        assert_eq!(child.code(SOON), 143);
    }
}

#[test]
fn nobody_is_known_and_why_is_said_in_one_line() {
    let (_bench, _node, addr) = node(507);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let (dir, hash) = (Dir::new(), "ab".repeat(20));
    let dead = format!("magnet:?xt=urn:btih:{hash}&tr=http://127.0.0.1:1/announce");
    for (source, options, why) in [
        (
            &hash,
            &["--no-dht"][..],
            "no tracker is asked; the DHT is not asked",
        ),
        (
            &hash,
            &[],
            "no tracker is asked; no node of the DHT answers: name one with --dht-node",
        ),
        (
            &hash,
            &["--dht-node", &silent],
            "no tracker is asked; no node of the DHT answers",
        ),
        (
            &dead,
            &["--no-dht", "-q"],
            "its trackers failed; the DHT is not asked",
        ),
        (
            &hash,
            &["--dht-node", &addr],
            "no tracker is asked; the DHT names none, nodes that answered: 1",
        ),
    ] {
        let (code, list, said) = peers(&dir, source, options);
        assert_eq!((code, list.as_str()), (1, ""), "{said}");
        let line = format!("brooklet: {hash}: no peer is known: {why}");
        assert!(
            said.starts_with(&line) && said.lines().count() == 1,
            "{said}"
        );
    }
    let (code, _, said) = peers(
        &dir,
        &hash,
        &["--dht-node", &silent, "--timeout", "1s", "x"],
    );
    assert!(code == 2 && said.contains("x: "), "{said}");
}

#[test]
fn a_private_torrent_is_asked_about_at_its_trackers_alone() {
    let node = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = node.local_addr().unwrap().to_string();
    let torrent = Torrent::new(Content::file(508, "content.bin", 100_000), 64 * 1024).private();
    let dir = Dir::new();
    let path = torrent.write(
        &dir.join("private.torrent"),
        &["http://127.0.0.1:1/announce"],
    );
    let (code, _, said) = peers(&dir, path.to_str().unwrap(), &["--dht-node", &addr]);
    assert!(
        code == 1 && said.ends_with("; the DHT is not asked; the local network is not asked\n"),
        "{said}"
    );
    node.set_nonblocking(true).unwrap();
    assert!(node.recv(&mut [0; 1500]).is_err(), "a packet has left");
}
