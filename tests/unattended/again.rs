//! A torrent that is added once more, by another link or file: what that says is used, too.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::links::{link, seed};
use super::run::{Run, SOON, one};
use super::support::child::Stream;
use super::support::torrent::metainfo;

/// A tracker that knows no peer.
struct Tracker(TcpListener);

impl Tracker {
    fn new() -> Tracker {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Tracker(listener)
    }

    fn url(&self) -> String {
        format!("http://{}/announce", self.0.local_addr().unwrap())
    }

    /// The request line of the next announce.
    fn next(&self) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            if let Ok((mut stream, _)) = self.0.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(SOON)).unwrap();
                let mut bytes = [0; 400];
                let read = stream.read(&mut bytes).unwrap();
                let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 27\r\n\r\n";
                let body = "d8:intervali1800e5:peers0:e";
                stream
                    .write_all(format!("{answer}{body}").as_bytes())
                    .unwrap();
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                return text.lines().next().unwrap_or_default().to_string();
            }
            assert!(Instant::now() < deadline, "it is not asked");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_second_link_of_a_torrent_that_waits_names_peers_and_trackers() {
    let run = Run::start();
    let (_bench, _seed, addr) = seed(one("a", 100_000, 1), &[]);
    let (torrent, tracker) = (one("a", 100_000, 1), Tracker::new());
    let hash = torrent.hex();
    assert_eq!(run.says(&["add", &hash]), format!("1 {hash}\n"));
    let second = format!("{}&tr={}", link(&torrent, &[&addr]), tracker.url());
    assert_eq!(
        run.says(&["add", &second]),
        format!("1 {hash} (it was there already; trackers added: 1, peers added: 1)\n")
    );
    assert!(tracker.next().starts_with("GET /announce?info_hash="));
    let there = format!("1 {hash} (it was there already)\n");
    let again = run.says(&["add", &second]);
    assert!(
        again == there || again == there.replace(&hash, "a"),
        "{again}"
    );
    super::run::wait("it is not whole", || {
        run.torrents()[0].get("state").text() == "seeding"
    });
    // The torrent that is kept names the tracker of the second link.
    let kept = fs::read(run.kept_file(&torrent, "torrent")).unwrap();
    assert_eq!(kept, metainfo(&torrent.info, &[&tracker.url()]));
}

#[test]
fn a_torrent_describes_the_link_that_waits_and_later_links_add_to_it() {
    let mut run = Run::start();
    let (torrent, first, second) = (one("a", 100_000, 1), Tracker::new(), Tracker::new());
    run.says(&["add", &torrent.hex()]);
    run.until(&["fetching metadata"]);
    assert_eq!(
        run.add(&torrent, &[&first.url()]),
        format!(
            "1 {} (it was there already; its files are known now, trackers added: 1)\n",
            torrent.hex()
        )
    );
    run.until(&["downloading"]);
    assert!(first.next().contains("event=started"));
    let kept = fs::read(run.kept_file(&torrent, "torrent")).unwrap();
    assert_eq!(kept, metainfo(&torrent.info, &[&first.url()]));
    assert!(!run.kept_file(&torrent, "magnet").exists());
    // A link that is dropped into the folder adds its tracker and its peer, and is taken away.
    let (_bench, _seed, addr) = seed(one("a", 100_000, 1), &[]);
    let dropped = run.watch().join("again.magnet");
    let line = format!("{}&tr={}\n", link(&torrent, &[&addr]), second.url());
    fs::write(&dropped, line).unwrap();
    let said = "a: it is there already, as number 1; trackers added: 1, peers added: 1";
    run.child.line(said, SOON);
    assert!(second.next().contains("event=started"));
    run.until(&["seeding"]);
    torrent.content.assert_in(&run.folder().join("downloads"));
    super::run::wait("it is there yet", || !dropped.exists());
    let list = run.folder().join("torrents/list");
    super::run::wait("it is not kept", || {
        fs::read_to_string(&list).unwrap().contains(&second.url())
    });
    // Both are known after a restart: the second one is asked since the first one is gone.
    drop(first);
    run.restart(&[]);
    while !second.next().contains("event=started") {}
}

/// `INFOHASH.torrent` is torn: its name says what is to be fetched.
#[test]
fn a_torrent_that_is_torn_is_fetched_again_and_one_that_cannot_be_kept_says_why() {
    let mut run = Run::start();
    let (_bench, _seed, addr) = seed(one("a", 100_000, 1), &[]);
    let (torrent, other) = (one("a", 100_000, 1), one("b", 100_000, 2));
    run.says(&["add", &link(&torrent, &[&addr])]);
    run.until_whole(&torrent);
    run.add(&other, &[]);
    run.child.kill();
    let [torn, folder] = [&torrent, &other].map(|it| run.kept_file(it, "torrent"));
    fs::write(&torn, "d4:infod").unwrap();
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    run.start_again(&[]);
    let line = run.child.line(&torn.display().to_string(), SOON);
    assert!(line.ends_with(": it is fetched from peers again"), "{line}");
    // Its number and its peer are known.
    super::run::wait("it is not there", || {
        let all = run.torrents();
        all.len() == 2 && all[0].get("state").text() == "seeding"
    });
    let kept = fs::read(&torn).unwrap();
    assert_eq!(kept, metainfo(&torrent.info, &[]));
    let all = run.torrents();
    assert_eq!(
        (all[0].get("number").count(), all[0].get("name").text()),
        (1, "a")
    );
    assert_eq!(all[1].get("state").text(), "failed");
    let words = run.says(&["status", "2"]);
    let why = format!(
        "error        {}: something else is in the way",
        folder.display()
    );
    assert!(words.contains(&why), "{words}");
    // That is known before a torrent is fetched.
    let third = one("c", 100_000, 3);
    fs::create_dir(run.kept_file(&third, "torrent")).unwrap();
    let line = run.refused(&["add", &third.hex()], 1);
    assert!(line.contains("something else is in the way"), "{line}");
    assert_eq!(
        run.child
            .text(super::support::child::Stream::Err)
            .matches("again")
            .count(),
        1
    );
}

/// A torrent that has failed is resumed while its `.torrent` is being written: its files are its own
/// after that, too.
#[test]
fn one_that_is_resumed_while_it_becomes_known_keeps_its_files() {
    let torrent = one("same", 100_000, 1);
    let mut run = Run::start_with(&[], &["--timeout", "1s"]);
    run.says(&["add", &torrent.hex()]);
    run.until(&["failed"]);
    // Whoever writes this file waits.
    let fresh = run.kept_file(&torrent, "torrent.new");
    let held = fs::File::create(&fresh).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let path = torrent.write(&run.dir.join("same.torrent"), &[]);
    let mut add = run.asks(&["add", path.to_str().unwrap()]);
    run.child.line("the disk does not answer", SOON);
    run.says(&["resume", "1"]);
    // It is not ours, so it is made anew.
    fs::remove_file(&fresh).unwrap();
    drop(held);
    add.success(SOON);
    let added = add.text(Stream::Out);
    assert!(added.contains("its files are known now"), "{added}");
    run.until(&["downloading", "failed"]);
    super::run::wait("it is not known", || {
        run.torrents()[0].get("size").count() == 100_000
    });
    let path = run.dir.join("other.torrent");
    one("same", 100_000, 2).write(&path, &[]);
    let line = run.refused(&["add", path.to_str().unwrap()], 1);
    let why = "same: number 1, same, has the same files: remove that first";
    assert_eq!(line, why);
}
