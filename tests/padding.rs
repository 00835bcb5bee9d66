//! Padding (BEP 47) is hashed and sent like content, and counts nowhere: it is no part of what is
//! downloaded, left, or shown as the size.

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};

use support::bench::{Bench, SOON};
use support::child::{Child, Stream, brooklet};
use support::content::Content;
use support::json::Json;
use support::peer::{Manners, Peer, Server};
use support::torrent::Torrent;

/// What a query says under this key.
fn value(query: &str, key: &str) -> u64 {
    let pairs = query.split(['?', '&', ' ']);
    let found = pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key);
    found.and_then(|(_, value)| value.parse().ok()).expect(key)
}

/// A tracker for a torrent, which knows nobody, and the queries that it gets.
fn tracker(bench: &Bench) -> (Server, Receiver<String>) {
    let (heard, queries) = mpsc::channel();
    let heard = Mutex::new(heard);
    let tracker = Server::start(move |mut stream| {
        let mut query = String::new();
        BufReader::new(stream.try_clone()?).read_line(&mut query)?;
        let _ = heard.lock().unwrap().send(query);
        let answer = "d8:intervali1800e5:peers0:e";
        let length = answer.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{answer}"
        )
    });
    bench.trackers(&[&format!("http://{}/announce", tracker.addr)]);
    (tracker, queries)
}

#[test]
fn padding_does_not_count_as_downloaded() {
    // Of each piece but the last most is padding.
    let files = [("a", 5_000), ("b", 70_001), ("c", 40_000)];
    let torrent = Torrent::aligned(Content::folder(7, "padded", &files), 64 * 1024);
    let size = torrent.content.len() as u64;
    assert!(torrent.bytes.len() as u64 > size + 100_000);
    let bench = Bench::of(torrent);
    let (_tracker, queries) = tracker(&bench);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let mut get = bench.get(&[seed.addr()], &[]);
    get.success(SOON);
    bench.assert_whole();

    let complete = get.event("complete", SOON);
    assert_eq!(complete.get("downloaded").count(), size);
    let start = get.event("start", SOON);
    assert_eq!(start.get("size").count(), size);
    let progress = get.events("progress");
    let last = progress.last().expect("progress is reported");
    assert_eq!(last.get("size").count(), size);
    assert_eq!(last.get("done").count(), size);

    let queries: Vec<String> = queries.try_iter().collect();
    let event = |name: &str| {
        let said = format!("event={name}");
        let query = queries.iter().find(|query| query.contains(&said));
        query.unwrap_or_else(|| panic!("no {name} in {queries:?}"))
    };
    assert_eq!(value(event("started"), "left"), size);
    assert_eq!(value(event("completed"), "left"), 0);
    assert_eq!(value(event("completed"), "downloaded"), size);
}

#[test]
fn a_seed_of_padded_content_has_nothing_left() {
    let files = [("a", 5_000), ("b", 70_001)];
    let torrent = Torrent::aligned(Content::folder(8, "padded", &files), 64 * 1024);
    let size = torrent.content.len() as u64;
    let bench = Bench::of(torrent);
    bench.fill();
    let (_tracker, queries) = tracker(&bench);
    let mut seed = bench.run("seed", &[]);
    let query = queries.recv_timeout(SOON).unwrap();
    assert_eq!(value(&query, "left"), 0);
    let progress = seed.event("progress", SOON);
    assert_eq!(progress.get("size").count(), size);
    assert_eq!(progress.get("done").count(), size);
    seed.signal("INT");
    assert_eq!(seed.code(SOON), 130);
}

#[test]
fn what_is_missing_or_checked_is_counted_without_padding() {
    // Three pieces of 64 KiB: of the first, most is padding.
    let files = [("a", 5_000), ("b", 70_001)];
    let torrent = Torrent::aligned(Content::folder(9, "padded", &files), 64 * 1024);
    let bench = Bench::of(torrent);
    bench.fill();
    let check = |size: u64, done: u64, code: i32| {
        let mut command = brooklet(None);
        command.arg("check").arg(bench.dir.join("torrent"));
        command.arg("--dir").arg(bench.content());
        let mut check = Child::spawn("brooklet", command.arg("--json"));
        assert_eq!(check.code(SOON), code);
        let said = Json::parse(check.text(Stream::Out).trim()).unwrap();
        let counted = (said.get("size").count(), said.get("done").count());
        assert_eq!(counted, (size, done));
    };
    check(75_001, 75_001, 0);
    std::fs::remove_file(bench.content().join("padded/a")).unwrap();
    check(75_001, 70_001, 4);
    let mut seed = bench.run("seed", &[]);
    let line = seed.line("missing", SOON);
    assert!(line.contains("1 of 3 pieces (4.88 KiB)"), "{line}");
    seed.signal("INT");
    assert_eq!(seed.code(SOON), 130);
}
