//! Torrents that would have us ask somebody inside the user's networks for something that is no
//! tracker's business.

use std::net::TcpListener;

use super::{Swarm, Tracker, answer, reply};
use crate::support::bench::SOON;
use crate::support::child::{Child, Stream, brooklet};

/// Every way to write this machine's address: none gets a page that is not a tracker's.
#[test]
fn a_torrent_does_not_reach_pages_of_this_machine() {
    let swarm = Swarm::new(61);
    let router = Tracker::saying(answer(&reply(1800, &[])));
    let port = router.addr.port();
    let urls: Vec<String> = [
        "127.0.0.1:PORT/admin/reboot",
        "127.0.0.1:PORT/",
        "127.0.0.1:PORT?announce",
        "127.0.0.1:PORT/admin?a=/announce",
        "127.0.0.1:PORT/announce/../admin",
        "127.0.0.1:PORT/announce/%2e%2e/admin",
        "user:password@127.0.0.1:PORT/admin",
        "announce@127.0.0.1:PORT/admin",
        "localhost:PORT/admin",
        "localhost.:PORT/admin",
        "LOCALHOST:PORT/admin",
        "127.1:PORT/admin",
        "0x7f.1:PORT/admin",
        "0x7f000001:PORT/admin",
        "2130706433:PORT/admin",
        "017700000001:PORT/admin",
        "127.0.0.1.:PORT/admin",
        "0:PORT/admin",
        "0.0.0.0:PORT/announce",
        "[::]:PORT/announce",
        "[::1]:PORT/admin",
        "[::ffff:127.0.0.1]:PORT/admin",
        "[::ffff:7f00:1]:PORT/admin",
        "[::127.0.0.1]:PORT/announce",
    ]
    .iter()
    .map(|place| format!("http://{}", place.replace("PORT", &port.to_string())))
    .collect();
    let good = swarm.tracker.url();
    let all: Vec<&str> = urls
        .iter()
        .map(String::as_str)
        .chain([good.as_str()])
        .collect();
    let mut download = swarm.get(&all, &[]);
    for url in &urls {
        let error = download.failure(url, SOON);
        let refused = error.contains("is a local address, where only paths with \"announce\"");
        // Some of these no system takes for an address, and no name server knows.
        if url.contains("//127.0.0.1:") || url.contains("localhost:") {
            assert!(refused, "{url}: {error}");
        }
        download.assert_one_line(url);
    }
    download.complete();
    download.end();
    assert_eq!(router.met(), 0);
}

/// Trackers of local networks have a tracker's path, and are asked.
#[test]
fn a_tracker_of_this_machine_is_asked() {
    let swarm = Swarm::new(62);
    let good = [swarm.peer.addr().parse().unwrap()];
    for path in [
        "announce",
        "announce.php?passkey=1",
        "0123456789abcdef/announce",
    ] {
        let tracker = Tracker::saying(answer(&reply(1800, &good)));
        let url = tracker.at(path);
        let mut download = swarm.get(&[&url], &[]);
        assert_eq!(download.peers(&url, SOON), 1);
        download.complete();
        download.end();
    }
}

#[test]
fn a_scrape_follows_the_same_rule() {
    let swarm = Swarm::new(63);
    let router = TcpListener::bind("127.0.0.1:0").unwrap();
    router.set_nonblocking(true).unwrap();
    let url = format!("http://{}/admin/../announce", router.local_addr().unwrap());
    let download = swarm.get(&[], &["--no-trackers"]);
    download.bench.trackers(&[&url]);
    let mut command = brooklet(None);
    command
        .arg("scrape")
        .arg(download.bench.dir.join("torrent"));
    let mut scrape = Child::spawn("brooklet scrape", &mut command);
    assert_eq!(scrape.code(SOON), 1);
    let table = scrape.text(Stream::Out);
    let told = "127.0.0.1 is a local address, where only paths with \"scrape\" are asked for";
    assert!(table.contains(told), "{table}");
    assert!(router.accept().is_err());
}
