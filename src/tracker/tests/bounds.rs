//! The bounds of `base/limits.rs` on what trackers send, and on how often and how long they are
//! asked.

use super::udp::{U, announced, connect, reply, sent};
use super::*;
use crate::base::limits;
use crate::wire::udp_tracker::{Body, Request};

const A: &str = "http://10.0.0.1/announce";
const TICK: Duration = Duration::from_micros(1);

impl Bench {
    /// As [`Bench::pass`], to the microsecond.
    fn pass_time(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.trackers.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.trackers.handle_timeout(&mut self.shared, self.now);
        }
        self.now = end;
        self.trackers.handle_timeout(&mut self.shared, self.now);
    }
}

/// Whether these bytes are taken for an answer.
fn taken(bytes: impl AsRef<[u8]>) -> bool {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.send(&get, bytes);
    let said = bench.said();
    said == [format!("{A} 0")]
}

#[test]
fn bytes_of_an_answer() {
    let of = |size: usize| {
        let head = "HTTP/1.0 200 OK\r\n\r\n";
        let mut bytes = [head, FINE].concat().into_bytes();
        // What follows the dictionary is ignored.
        bytes.resize(size, b'\n');
        taken(bytes)
    };
    assert!(of(limits::HTTP_REPLY));
    assert!(!of(limits::HTTP_REPLY + 1));
}

#[test]
fn bytes_and_lines_of_a_head() {
    let of = |size: usize| {
        let (start, end) = ("HTTP/1.0 200 OK\r\nX: ", "\r\n\r\n");
        let filler = "x".repeat(size - start.len() - end.len());
        taken([start, &filler, end, FINE].concat())
    };
    assert!(of(limits::HTTP_HEAD));
    assert!(!of(limits::HTTP_HEAD + 1));
    let of = |lines: usize| {
        let lines = "X: y\r\n".repeat(lines);
        taken(["HTTP/1.0 200 OK\r\n", &lines, "\r\n", FINE].concat())
    };
    assert!(of(limits::HTTP_HEADERS));
    assert!(!of(limits::HTTP_HEADERS + 1));
}

#[test]
fn bytes_of_a_chunks_line() {
    let of = |size: usize| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let length = format!("{:x};", FINE.len());
        let line = [&length[..], &"x".repeat(size - length.len())].concat();
        taken([head, &line, "\r\n", FINE, "\r\n0\r\n\r\n"].concat())
    };
    // The line's end is counted, or not.
    assert!(of(limits::HTTP_CHUNK_LINE - 2));
    assert!(!of(limits::HTTP_CHUNK_LINE + 1));
}

#[test]
fn time_for_an_answer() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.hear_connected(get.id);
    bench.pass_time(limits::HTTP_TIME - TICK);
    assert_eq!(bench.said(), [""; 0]);
    bench.pass_time(TICK);
    assert_eq!(bench.said(), [format!("{A}: no answer in time")]);
}

#[test]
fn redirects() {
    for (times, followed) in [(0, true), (1, false)] {
        let mut bench = Bench::started(&[&[A]]);
        for _ in 0..limits::HTTP_REDIRECTS + times {
            let get = bench.get();
            bench.send(&get, "HTTP/1.0 302 Found\r\nLocation: /announce\r\n\r\n");
        }
        if followed {
            let get = bench.get();
            bench.answer(&get, FINE);
        }
        assert_eq!(bench.said() == [format!("{A} 0")], followed, "{times} more");
    }
}

#[test]
fn waits_after_failures() {
    let mut bench = Bench::started(&[&[A]]);
    let mut wait = limits::TRACKER_BACKOFF;
    for _ in 0..12 {
        let get = bench.get();
        bench.refuse(&get);
        bench.pass_time(wait - TICK);
        bench.quiet();
        bench.pass_time(TICK);
        wait = (wait * 2).min(limits::TRACKER_BACKOFF_MOST);
    }
    assert_eq!(wait, limits::TRACKER_BACKOFF_MOST);
}

/// When the next announce comes after an answer that names these.
fn next_announce(body: &str) -> Duration {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.answer(&get, body);
    bench.said();
    let due = bench.trackers.next_deadline().expect("it is asked again");
    due.since(bench.now)
}

#[test]
fn intervals() {
    let of = |seconds: u64| next_announce(&format!("d8:intervali{seconds}e5:peers0:e"));
    let (least, most) = (limits::INTERVAL_LEAST, limits::INTERVAL_MOST);
    for (named, waits) in [
        (0, least),
        (least.as_secs(), least),
        (least.as_secs() + 1, least + Duration::from_secs(1)),
        (most.as_secs() - 1, most - Duration::from_secs(1)),
        (most.as_secs(), most),
        (most.as_secs() + 1, most),
        (i64::MAX as u64, most),
    ] {
        assert_eq!(of(named), waits, "{named} s");
    }
    assert_eq!(next_announce("d5:peers0:e"), limits::INTERVAL_DEFAULT);
}

#[test]
fn early_announces() {
    let mut bench = Bench::started(&[&[A]]);
    let mut wait = limits::INTERVAL_LEAST;
    for round in 0..limits::EARLY_DOUBLINGS + 3 {
        let get = bench.get();
        bench.answer(&get, FINE);
        bench.trackers.want_peers(&mut bench.shared, bench.now);
        bench.pass_time(wait - TICK);
        bench.trackers.want_peers(&mut bench.shared, bench.now);
        bench.quiet();
        bench.pass_time(TICK);
        bench.trackers.want_peers(&mut bench.shared, bench.now);
        if round < limits::EARLY_DOUBLINGS {
            wait *= 2;
        }
    }
}

#[test]
fn udp_requests_that_are_lost() {
    let mut bench = Bench::started(&[&[U], &["udp://10.0.0.2:9"]]);
    let mut wait = limits::UDP_RETRY;
    for lost in 0..limits::UDP_PATIENCE {
        assert_eq!(sent(&mut bench).to, "10.0.0.1:9".parse().unwrap(), "{lost}");
        bench.pass_time(wait - TICK);
        bench.quiet();
        bench.pass_time(TICK);
        wait *= 2;
    }
    assert_eq!(sent(&mut bench).to, "10.0.0.2:9".parse().unwrap());
}

#[test]
fn a_connection_id() {
    for (time, lasts) in [
        (limits::UDP_CONNECTION - TICK, true),
        (limits::UDP_CONNECTION, false),
    ] {
        let mut bench = Bench::started(&[&[U]]);
        let announce = connect(&mut bench, 5);
        reply(&mut bench, &announce, announced(&[]));
        bench.pass_time(time);
        bench.trackers.completed(&mut bench.shared, bench.now);
        let next = sent(&mut bench);
        let known = matches!(next.request, Request::Announce { connection: 5, .. });
        assert_eq!(known, lasts);
    }
}

#[test]
fn peers_asked_for_and_peers_taken() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    assert_eq!(get.param("numwant"), Some(&*limits::NUM_WANT.to_string()));
    for (more, taken) in [(0, limits::REPLY_PEERS), (1, limits::REPLY_PEERS)] {
        let count = limits::REPLY_PEERS + more;
        let mut bench = Bench::started(&[&[A]]);
        let get = bench.get();
        let mut body = format!("d5:peers{}:", 6 * count).into_bytes();
        body.extend((0..count as u32).flat_map(|n| {
            let [_, b, c, d] = n.to_be_bytes();
            [10, b, c, d, 1, 1]
        }));
        body.push(b'e');
        bench.send(&get, [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat());
        assert_eq!(bench.said(), [format!("{A} {taken}")]);
    }
    // And over UDP, where the answer has the size of a datagram.
    let mut bench = Bench::started(&[&[U]]);
    let announce = connect(&mut bench, 5);
    let Request::Announce { query, .. } = &announce.request else {
        panic!()
    };
    assert_eq!(query.num_want, limits::NUM_WANT);
    let peers: Vec<String> = (0..=limits::REPLY_PEERS)
        .map(|n| format!("10.0.{}.{}:7", n / 256, n % 256))
        .collect();
    let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
    let body: Body = announced(&peers);
    reply(&mut bench, &announce, body);
    assert_eq!(bench.said(), [format!("{U} {}", limits::REPLY_PEERS)]);
}

#[test]
fn a_tracker_id() {
    for (size, kept) in [(limits::TRACKER_ID, true), (limits::TRACKER_ID + 1, false)] {
        let mut bench = Bench::started(&[&[A]]);
        let get = bench.get();
        let id = "i".repeat(size);
        bench.answer(&get, &format!("d5:peers0:10:tracker id{size}:{id}e"));
        bench.pass_time(limits::INTERVAL_DEFAULT);
        let get = bench.get();
        assert_eq!(get.param("trackerid").is_some(), kept, "{size} bytes");
    }
}

#[test]
fn addresses_of_a_name() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    let ips: Vec<String> = (0..=limits::TRACKER_ADDRESSES)
        .map(|n| format!("10.0.0.{n}"))
        .collect();
    bench.found(id, &ips.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..limits::TRACKER_ADDRESSES {
        let get = bench.get();
        bench.refuse(&get);
    }
    bench.quiet();
}

#[test]
fn trackers_kept_and_trackers_asked_at_once() {
    let urls: Vec<String> = (0..=limits::TRACKERS)
        .map(|n| format!("http://10.0.1.{n}/announce"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut bench = Bench::scraper(&[&urls]);
    let connects = |bench: &mut Bench| {
        let mut ids = Vec::new();
        while let Some(Action::Connect { id, .. }) = bench.wanted() {
            ids.push(id);
        }
        ids
    };
    let mut ids = connects(&mut bench);
    assert_eq!(ids.len(), limits::TRACKERS_AT_ONCE);
    let mut asked = ids.len();
    while let Some(id) = ids.pop() {
        let why = String::from("refused");
        bench.hear_closed(id, Err(why));
        let more = connects(&mut bench);
        assert!(more.len() <= 1, "one for one");
        asked += more.len();
        ids.extend(more);
    }
    assert_eq!(asked, limits::TRACKERS);
}

#[test]
fn time_for_leaving() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.answer(&get, FINE);
    bench.trackers.stop(&mut bench.shared, bench.now);
    bench.get();
    bench.pass_time(limits::FAREWELL - TICK);
    bench.quiet();
    assert!(!bench.trackers.is_idle());
    bench.pass_time(TICK);
    bench.quiet();
    assert!(bench.trackers.is_idle());
}
