//! `brooklet scrape`, from outside.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::child::{Child, Stream, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::json::Json;
use super::support::net::free_port;
use super::support::torrent::{Torrent, metainfo};
use super::support::trackers::{NodeTracker, OpenTracker};

/// What `brooklet scrape` prints, on both streams, and its exit code.
fn scrape(args: &[&str]) -> (String, String, i32) {
    let mut child = Child::spawn("brooklet", brooklet(None).arg("scrape").args(args));
    let code = child.code(Duration::from_secs(60));
    (child.text(Stream::Out), child.text(Stream::Err), code)
}

#[test]
fn the_command_scrape_says_what_each_tracker_knows() {
    let dir = Dir::new();
    let torrent = Torrent::new(Content::file(1, "swarm", 1000), 16384);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let Some(node) = NodeTracker::start() else {
        return;
    };
    announce_by_hand(&tracker.http_url, &torrent);
    let dead = format!("http://127.0.0.1:{}/announce", free_port());
    let urls = [
        &dead,
        &tracker.http_url,
        &tracker.udp_url,
        &node.http_url,
        "https://s/announce",
    ];
    let path = torrent.write(&dir.join("t.torrent"), &urls.map(|url| url as &str));
    let path = path.to_str().unwrap();

    let (out, err, code) = scrape(&[path]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!((lines.len(), code, err.as_str()), (6, 0, ""), "{out}");
    assert_eq!(
        lines[1],
        format!("       -         -          -  {dead}: it refused the connection")
    );
    assert_eq!(
        lines[2],
        format!("       0         1          0  {}", tracker.http_url)
    );
    assert_eq!(
        lines[3],
        format!("       0         1          0  {}", tracker.udp_url)
    );
    assert!(lines[5].contains("this build lacks https"), "{out}");

    let (out, err, code) = scrape(&["--json", "--bind", "127.0.0.1", path]);
    let objects: Vec<Json> = out.lines().map(|line| Json::parse(line).unwrap()).collect();
    assert_eq!((objects.len(), code, err.as_str()), (5, 0, ""), "{out}");
    let urls_said: Vec<&str> = objects
        .iter()
        .map(|object| object.get("url").text())
        .collect();
    assert_eq!(
        urls_said,
        urls.map(|url| url as &str),
        "in the torrent's order"
    );
    let numbers = ["seeders", "leechers", "completed"].map(|key| objects[2].get(key).clone());
    assert_eq!(numbers, [0.0, 1.0, 0.0].map(Json::Number));
    assert!(
        objects[3].find("error").is_some(),
        "IPv6 from an IPv4 address"
    );
}

fn announce_by_hand(url: &str, torrent: &Torrent) {
    let hash: Vec<String> = torrent
        .info_hash
        .iter()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let hash = hash.concat();
    let place = url
        .strip_prefix("http://")
        .unwrap()
        .strip_suffix("/announce")
        .unwrap();
    let mut stream = TcpStream::connect(place).unwrap();
    let request = format!(
        "GET /announce?info_hash={hash}&peer_id=-xx0000-aaaaaaaaaaaa&port=9&uploaded=0&downloaded=0&left=1&compact=1 HTTP/1.0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.windows(8).any(|part| part == b"interval"),
        "{}",
        answer.escape_ascii()
    );
}

#[test]
fn the_command_scrape_fails_when_nobody_answers() {
    let dir = Dir::new();
    let torrent = Torrent::new(Content::file(1, "swarm", 1000), 16384);
    let dead = format!("udp://127.0.0.1:{}", free_port());
    for (trackers, message) in [
        (vec![], "brooklet: swarm: it names no tracker\n"),
        (
            vec!["ftp://x/", "junk"],
            "brooklet: swarm: no tracker answered\n",
        ),
        (
            vec!["http://127.0.0.1:1/announce"],
            "brooklet: swarm: no tracker answered\n",
        ),
    ] {
        let path = dir.file("t.torrent", metainfo(&torrent.info, &trackers));
        let (out, err, code) = scrape(&[path.to_str().unwrap()]);
        assert_eq!((err.as_str(), code), (message, 1), "{out}");
        assert_eq!(
            out.lines().count(),
            if trackers.is_empty() {
                0
            } else {
                trackers.len() + 1
            }
        );
    }
    let path = torrent.write(&dir.join("t.torrent"), &[&dead]);
    let began = Instant::now();
    let (out, _, code) = scrape(&["--json", path.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(
        Json::parse(out.trim()).unwrap().get("error").text(),
        "nothing listens on its port"
    );
    let (_, err, code) = scrape(&["magnet:?xt=urn:btih:0123456789012345678901234567890123456789"]);
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    let (_, err, code) = scrape(&["--bind", "none0", path.to_str().unwrap()]);
    let expected = "brooklet: --bind none0: expected an IP address or an interface of this machine";
    assert!(code == 2 && err.starts_with(expected), "{code}: {err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    let (_, err, code) = scrape(&["--bind", "192.0.2.1", path.to_str().unwrap()]);
    assert_eq!(
        (code, err.as_str()),
        (
            1,
            "brooklet: 192.0.2.1: this machine does not have that address\n"
        )
    );
}

/// The torrent that an earlier run has fetched by a link names more trackers than the link does.
#[test]
fn a_torrent_that_was_fetched_by_its_link_is_scraped_by_its_hash() {
    let dir = Dir::new();
    let torrent = Torrent::new(Content::file(1, "swarm", 1000), 16384);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    announce_by_hand(&tracker.http_url, &torrent);
    let hash = torrent.hex();
    let kept = dir.folder("state").join(format!("{hash}.torrent"));
    torrent.write(&kept, &[&tracker.http_url]);
    let state = dir.join("state");
    let state = state.to_str().unwrap();
    let (out, err, code) = scrape(&["--state", state, &hash]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let line = format!("       0         1          0  {}", tracker.http_url);
    assert_eq!(out.lines().nth(1), Some(line.as_str()), "{out}");
    let link = format!("magnet:?xt=urn:btih:{hash}&tr={}", tracker.udp_url);
    let (out, _, code) = scrape(&["--state", state, &link]);
    assert_eq!((code, out.lines().count()), (0, 3), "{out}");
}

/// Nothing of an earlier run can be known then, and nothing of it is needed.
#[test]
fn a_link_is_scraped_without_a_state_folder() {
    let link = format!(
        "magnet:?xt=urn:btih:{}&tr=http://127.0.0.1:1/announce",
        "0".repeat(40)
    );
    let mut command = brooklet(None);
    command.args(["scrape", &link]);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("it refused the connection"), "{said}");
}
