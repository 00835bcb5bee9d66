//! Web seeds, as a session deals with them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use brooklet::base::{BLOCK, Duration, limits};
use brooklet::session::web_seeds;
use brooklet::torrent::Report;
use brooklet::webseed::Content;
use brooklet::wire::Metainfo;
use brooklet::wire::bencode::{bytes, dict, int};

use super::session::{Bench, PIECE};

/// The one file of a bench, as a torrent describes it.
fn content(pieces: u32) -> Content {
    let info = dict([
        ("length", int(i64::from(pieces * PIECE))),
        ("name", bytes("content")),
        ("piece length", int(i64::from(PIECE))),
        ("pieces", bytes(vec![0; 20 * pieces as usize])),
    ]);
    Content::new(Arc::new(Metainfo::parse(&dict([("info", info)])).unwrap()))
}

fn ip(number: usize) -> IpAddr {
    IpAddr::from([192, 0, 2, number as u8])
}

/// A download with so many web seeds, which are looked up.
fn bench(pieces: u32, seeds: usize) -> Bench {
    let urls = (1..=seeds).map(|number| format!("http://{}/", ip(number)));
    let web = Some((urls.collect(), content(pieces)));
    let mut bench = Bench::getter_with(pieces, &[], |_, order| order.files.web = web);
    look_up(&mut bench);
    bench
}

/// Hosts that are to be looked up are found.
fn look_up(bench: &mut Bench) {
    let hash = bench.setting.local.info_hash;
    for host in std::mem::take(&mut bench.lookups) {
        let found = Ok(vec![host.parse().unwrap()]);
        web_seeds::handle_found(&mut bench.session, &hash, &host, &found, bench.now);
    }
    bench.turn();
}

/// The connection to this web seed, once it is up.
fn connected(bench: &mut Bench, number: usize) -> usize {
    let key = bench
        .dialled(SocketAddr::new(ip(number), 80))
        .expect("it is dialed");
    bench.session.handle_connected(key, bench.now);
    bench.turn();
    key
}

/// The bytes of the last request.
fn asked(bench: &mut Bench, key: usize) -> Option<Range<usize>> {
    let request = bench.hears(key).pop()?;
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix("Range: bytes="));
    let size = bench.setting.content.len();
    Some(line.map_or(0..size, |line| {
        let (first, last) = line.split_once('-').unwrap();
        first.parse().unwrap()..last.parse::<usize>().unwrap() + 1
    }))
}

/// The web seed sends the head of an answer and so many of the bytes.
fn answers(bench: &mut Bench, key: usize, range: Range<usize>, len: usize) {
    let size = bench.setting.content.len();
    let head = format!(
        "HTTP/1.1 206 P\r\nContent-Range: bytes {}-{}/{size}\r\nContent-Length: {}\r\n\r\n",
        range.start,
        range.end - 1,
        range.len()
    );
    let body = bench.setting.content[range.start..range.start + len].to_vec();
    sends(bench, key, &[head.as_bytes(), &body].concat());
}

/// The web seed sends these bytes.
fn sends(bench: &mut Bench, key: usize, bytes: &[u8]) {
    let kept = bench.session.unparsed(key).unwrap_or_default();
    let bytes = [kept, bytes].concat();
    bench.sends(key, &bytes);
}

fn warnings(bench: &Bench) -> usize {
    let all = bench.reports.iter();
    all.filter(|report| matches!(report, Report::Warning(_)))
        .count()
}

#[test]
fn so_many_are_asked_at_one_time() {
    let most = limits::WEB_SEEDS_AT_ONCE;
    let mut bench = bench(40, most + 2);
    let dialed = (1..=most + 2).filter(|&number| {
        let addr = SocketAddr::new(ip(number), 80);
        bench.dialled(addr).is_some()
    });
    assert_eq!(dialed.count(), most);
    let few = bench_of_small_files(limits::WEB_SMALL_FILE - 1);
    assert_eq!(few, limits::WEB_CONNECTIONS);
    assert_eq!(bench_of_small_files(limits::WEB_SMALL_FILE), 1);
}

/// A second connection shares what is long.
#[test]
fn a_long_run_is_shared_by_two_connections() {
    for (bytes, second) in [
        (2 * limits::WEB_SPLIT, false),
        (2 * limits::WEB_SPLIT + 2 * limits::WEB_RANGE_FIRST, true),
    ] {
        let pieces = (bytes / u64::from(PIECE)) as u32;
        let mut bench = bench(pieces, 1);
        let key = connected(&mut bench, 1);
        let range = asked(&mut bench, key).unwrap();
        assert_eq!(range.len() as u64, limits::WEB_RANGE_FIRST);
        let len = range.len();
        answers(&mut bench, key, range, len);
        let addr = SocketAddr::new(ip(1), 80);
        assert_eq!(bench.dialled(addr).is_some(), second, "{bytes}");
    }
}

/// Connections to one web seed of a torrent whose files are so long.
fn bench_of_small_files(length: u64) -> usize {
    use brooklet::base::{Geometry, Rng, Time};
    use brooklet::torrent::WebSeeds;
    use brooklet::wire::bencode::list;
    let entry = |name| {
        dict([
            ("length", int(length as i64)),
            ("path", list([bytes(name)])),
        ])
    };
    let pieces = (2 * length).div_ceil(u64::from(PIECE));
    let info = dict([
        ("files", list(["a", "b"].map(entry))),
        ("name", bytes("t")),
        ("piece length", int(i64::from(PIECE))),
        ("pieces", bytes(vec![0; 20 * pieces as usize])),
    ]);
    let metainfo = Metainfo::parse(&dict([("info", info)])).unwrap();
    let content = Content::new(Arc::new(metainfo));
    let urls = vec![String::from("http://a/")];
    let web = WebSeeds::new((urls, content), Rng::from_seed(1), Time::default());
    let geometry = Geometry::new(2 * length, PIECE).unwrap();
    web.most_of(0, geometry, geometry.size())
}

#[test]
fn alone_it_is_asked_for_all_and_owes_a_part() {
    let pieces = 40 * limits::MIB as u32 / PIECE;
    let mut bench = bench(pieces, 1);
    let key = connected(&mut bench, 1);
    let first = asked(&mut bench, key).unwrap();
    assert_eq!(first, 0..limits::WEB_RANGE_FIRST as usize);
    let owed = |bench: &Bench| {
        let requests = bench.session.pieces(bench.torrent).requests();
        requests.count() as u64 * u64::from(BLOCK)
    };
    assert_eq!(owed(&bench), limits::WEB_RANGE_FIRST);
    answers(&mut bench, key, first.clone(), first.len());
    // It has shown that it knows ranges.
    let all = asked(&mut bench, key).unwrap();
    assert_eq!(all, first.end..bench.setting.content.len());
    answers(&mut bench, key, all, limits::MIB / 2);
    for _ in 0..30 {
        let from = bench.progress().done as usize;
        let body = bench.setting.content[from..from + limits::MIB].to_vec();
        bench.wait(Duration::from_millis(100));
        sends(&mut bench, key, &body);
        bench.session.assert_invariants();
        assert!(owed(&bench) <= limits::WEB_RANGE);
    }
    // At ten MiB a second it is asked for what it sends in this time, and the bound is less.
    assert!(limits::WEB_RANGE_TIME.as_secs() * 10 * limits::MIB as u64 > limits::WEB_RANGE);
    assert!(owed(&bench) > limits::WEB_RANGE / 2 - limits::WEB_RANGE_FIRST);
}

#[test]
fn beside_peers_it_is_asked_for_a_part() {
    for (pieces, expected) in [
        (
            2 * limits::MIB as u32 / PIECE,
            2 * limits::MIB as u64 / limits::WEB_RANGE_PART,
        ),
        (limits::MIB as u32 / PIECE / 2, limits::WEB_RANGE_LEAST),
        (40 * limits::MIB as u32 / PIECE, limits::WEB_RANGE_FIRST),
    ] {
        let mut bench = bench(pieces, 1);
        bench.join(7, true);
        let key = connected(&mut bench, 1);
        let range = asked(&mut bench, key).unwrap();
        assert_eq!(range.len() as u64, expected);
    }
}

/// A peer has the first half; the web seed is asked for the other.
#[test]
fn what_peers_have_is_left_to_them() {
    let pieces = 64;
    let mut bench = bench(pieces, 1);
    let peer = bench.join(7, true);
    bench.says(peer, "bitfield ffffffff00000000");
    let key = connected(&mut bench, 1);
    let range = asked(&mut bench, key).unwrap();
    assert_eq!(range.start, (pieces / 2 * PIECE) as usize);
}

#[test]
fn what_is_late_may_be_asked_of_peers() {
    let mut bench = bench(4, 1);
    let key = connected(&mut bench, 1);
    let range = asked(&mut bench, key).unwrap();
    answers(&mut bench, key, range, 10);
    let peer = bench.join(7, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let requests = |bench: &mut Bench| {
        let mut said = bench.hears(peer);
        said.retain(|said| said.starts_with("request"));
        said
    };
    // In the end game a block at a time may be asked for.
    let first = requests(&mut bench);
    assert_eq!(first.len(), 1);
    bench.wait(limits::WEB_LATE - Duration::from_millis(1));
    bench.sends_blocks(peer, &first);
    assert_eq!(requests(&mut bench).len(), 1);
    bench.wait(Duration::from_millis(2));
    assert!(requests(&mut bench).len() > 1);
    assert!(!bench.is_gone(key));
    bench.wait(limits::WEB_SILENCE - limits::WEB_LATE);
    assert!(bench.is_gone(key) && warnings(&bench) == 1);
    bench.session.assert_invariants();
}

#[test]
fn an_idle_connection_is_kept_for_a_while() {
    let mut bench = bench(4, 1);
    let peer = bench.join(7, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let requests = bench.hears(peer);
    // The peer owes us everything: the web seed is asked for some of that, too, but not for all.
    let key = connected(&mut bench, 1);
    let range = asked(&mut bench, key).unwrap();
    assert!(range.len() <= limits::WEB_REPEATS * BLOCK as usize);
    bench.sends_blocks(peer, &requests);
    bench.everything_comes();
    bench.wait(limits::WEB_KEPT_FOR + limits::WEB_LOOK);
    assert!(bench.is_gone(key));
    bench.session.assert_invariants();
}

#[test]
fn a_web_seed_that_fails_waits() {
    let mut bench = bench(4, 1);
    let key = connected(&mut bench, 1);
    asked(&mut bench, key);
    bench.sends(key, b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    assert!(bench.is_gone(key) && warnings(&bench) == 1);
    let addr = SocketAddr::new(ip(1), 80);
    bench.wait(limits::WEB_BACKOFF - Duration::from_millis(1));
    assert_eq!(bench.dialled(addr), None);
    bench.wait(Duration::from_millis(1));
    assert!(bench.dialled(addr).is_some());
}

/// More is dropped in front of what is missing only where as much is missing behind it.
#[test]
fn a_whole_file_is_read_for_a_part_of_it_within_bounds() {
    let pieces = 3 * limits::WEB_SKIP as u32 / PIECE;
    let held = |share: u32| (0..pieces / 3 * share).collect::<Vec<u32>>();
    for (share, taken) in [(1, true), (2, false)] {
        let web = Some((vec![format!("http://{}/", ip(1))], content(pieces)));
        let mut bench = Bench::getter_with(pieces, &held(share), |_, order| {
            order.files.web = web;
        });
        look_up(&mut bench);
        bench.join(7, true);
        bench.turn();
        let key = connected(&mut bench, 1);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            pieces * PIECE
        );
        bench.sends(key, head.as_bytes());
        assert_eq!(bench.is_gone(key), !taken, "{share}");
    }
}
