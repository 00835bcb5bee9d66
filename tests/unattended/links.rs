//! Links and info hashes: torrents whose metadata are fetched from their peers.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use super::run::{Run, SOON, one, wait};
use super::support::bench::{Bench, checked, listening};
use super::support::child::Child;
use super::support::json::Json;
use super::support::torrent::{Torrent, metainfo};
use super::support::web::{Web, answer, redirect};

/// A link to a torrent, with these peers.
pub fn link(torrent: &Torrent, peers: &[&str]) -> String {
    let peers = peers.iter().map(|peer| format!("&x.pe={peer}"));
    let peers: Vec<String> = peers.collect();
    format!("magnet:?xt=urn:btih:{}{}", torrent.hex(), peers.concat())
}

/// A seed of a torrent, and its address.
pub fn seed(torrent: Torrent, options: &[&str]) -> (Bench, Child, String) {
    let bench = Bench::of(torrent);
    bench.fill();
    let mut child = bench.run("seed", options);
    let addr = listening(&mut child).to_string();
    checked(&mut child);
    (bench, child, addr)
}

/// An address of a peer that does not answer.
fn nobody() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    (listener, addr)
}

impl Run {
    pub fn kept_file(&self, torrent: &Torrent, ending: &str) -> PathBuf {
        let name = format!("torrents/{}.{ending}", torrent.hex());
        self.folder().join(name)
    }

    fn state(&self, place: usize) -> String {
        self.torrents()[place].get("state").text().to_string()
    }

    /// Waits until a torrent is there, and whole on disk.
    pub fn until_whole(&self, torrent: &Torrent) {
        wait("it is not there", || {
            let mut all = self.torrents().into_iter();
            all.any(|it| {
                it.get("info_hash").text() == torrent.hex() && it.get("state").text() == "seeding"
            })
        });
        torrent.content.assert_in(&self.folder().join("downloads"));
        wait("its link is kept yet", || {
            !self.kept_file(torrent, "magnet").exists()
        });
        let text = fs::read(self.kept_file(torrent, "torrent")).unwrap();
        assert_eq!(text, metainfo(&torrent.info, &[]));
    }
}

#[test]
fn a_link_is_steered_as_a_torrent_and_becomes_one() {
    let run = Run::start();
    let (_bench, _seed, addr) = seed(one("a", 300_000, 1), &[]);
    let torrent = one("a", 300_000, 1);
    let (_held, silent) = nobody();
    assert_eq!(
        run.says(&["add", "--paused", &link(&torrent, &[&addr, &silent])]),
        format!("1 {}\n", torrent.hex())
    );
    run.until(&["paused"]);
    let kept = fs::read_to_string(run.kept_file(&torrent, "magnet")).unwrap();
    assert!(
        kept.contains(&torrent.hex()) && kept.contains("x.pe="),
        "{kept}"
    );
    run.says(&["limit", "--down", "1M", "1"]);
    run.says(&["resume", "1"]);
    run.until_whole(&torrent);
    let words = run.says(&["status", "1"]);
    assert!(words.contains("name         a\n"), "{words}");
    assert!(words.contains("(at most 1.00 MiB/s)"), "{words}");
    // It is one of them from now on: a start needs nobody.
    drop(_seed);
    let mut run = run;
    run.restart(&[]);
    run.until_whole(&torrent);
    run.says(&["remove", "1", "--data"]);
    wait("it is there yet", || {
        !run.kept_file(&torrent, "torrent").exists() && !run.folder().join("downloads/a").exists()
    });
}

#[test]
fn what_is_known_is_shown_while_nobody_has_it() {
    let run = Run::start();
    let torrent = one("a", 100_000, 1);
    let (_held, silent) = nobody();
    let line = format!("{}&dn=What%20it%20is", link(&torrent, &[&silent]));
    assert_eq!(run.says(&["add", &line]), "1 What it is\n");
    // By its hash in another form: it is there already.
    let there = "1 What it is (it was there already)\n";
    assert_eq!(run.says(&["add", &torrent.hex().to_uppercase()]), there);
    let shown = &run.torrents()[0];
    assert_eq!(shown.get("state").text(), "fetching metadata");
    assert_eq!(shown.get("metadata").get("found").count(), 1);
    assert_eq!(shown.get("metadata").get("with_it").count(), 0);
    let table = run.says(&["status"]);
    let row = table.lines().nth(1).unwrap();
    assert!(row.starts_with("1  0.0%"), "{table}");
    assert!(row.ends_with("fetching metadata  What it is"), "{table}");
    let words = run.says(&["status", "1"]);
    let expected = "metadata     1 peer found, 0 with it, 0 of 0 blocks\n";
    assert!(words.contains(expected), "{words}");
    for (command, state) in [("pause", "paused"), ("resume", "fetching metadata")] {
        run.says(&[command, "1"]);
        run.until(&[state]);
    }
    run.says(&["remove", "1"]);
    wait("it is kept yet", || {
        !run.kept_file(&torrent, "magnet").exists()
    });
    assert_eq!(run.torrents(), []);
    // A bare hash.
    assert_eq!(
        run.says(&["add", &torrent.hex()]),
        format!("2 {}\n", torrent.hex())
    );
}

#[test]
fn links_that_are_dropped_into_the_folder_are_taken_when_they_are_whole() {
    let run = Run::start();
    let (_bench, _seed, addr) = seed(one("a", 100_000, 1), &[]);
    let (torrent, other) = (one("a", 100_000, 1), one("b", 100_000, 2));
    let line = link(&torrent, &[&addr]);
    let path = run.watch().join("a.magnet");
    let mut file = fs::File::create(&path).unwrap();
    // What has come is a link, and not all of it.
    file.write_all(&line.as_bytes()[..70]).unwrap();
    file.sync_all().unwrap();
    assert!(run.torrents().is_empty());
    assert!(path.exists());
    file.write_all(&line.as_bytes()[70..]).unwrap();
    file.write_all(b"\r\n").unwrap();
    drop(file);
    run.until_whole(&torrent);
    wait("it is there yet", || !path.exists());
    // Without the end of a line, it is whole when it stays as it is.
    fs::write(run.watch().join("b.MAGNET"), other.hex()).unwrap();
    wait("it is not taken", || run.torrents().len() == 2);
    fs::write(run.watch().join("again.magnet"), format!("{line}\n")).unwrap();
    let reason = run.reason("again.magnet");
    assert_eq!(reason, "a: it is there already, as number 1");
    fs::write(
        run.watch().join("v2.magnet"),
        format!("{}\n", "ab".repeat(32)),
    )
    .unwrap();
    let reason = run.reason("v2.magnet");
    assert!(reason.contains("v2-only torrent (BEP 52)"), "{reason}");
    let two = format!("{line}\n\n{}\n", other.hex());
    fs::write(run.watch().join("two.magnet"), two).unwrap();
    let reason = run.reason("two.magnet");
    assert!(reason.ends_with("it holds more than one link"), "{reason}");
}

#[test]
fn the_second_of_two_with_the_same_files_is_refused_and_named() {
    let mut run = Run::start();
    let (_first, _seed, first_addr) = seed(one("same", 100_000, 1), &[]);
    let (_other, _second, other_addr) = seed(one("same", 100_000, 2), &[]);
    let (first, other) = (one("same", 100_000, 1), one("same", 100_000, 2));
    run.says(&["add", &link(&first, &[&first_addr])]);
    run.until_whole(&first);
    run.says(&["add", &link(&other, &[&other_addr])]);
    let why = "same: number 1, same, has the same files: remove that first";
    wait("it is not refused", || run.state(1) == "failed");
    let words = run.says(&["status", "2"]);
    assert!(words.contains(&format!("error        {why}\n")), "{words}");
    run.child.line(why, SOON);
    first.content.assert_in(&run.folder().join("downloads"));
    assert!(!run.kept_file(&other, "torrent").exists());
    // Its link is kept, so once the first is gone the next start gets it.
    run.says(&["remove", "1", "--data"]);
    wait("it is there yet", || {
        !run.kept_file(&first, "torrent").exists()
    });
    run.restart(&[]);
    run.until_whole(&other);
}

#[test]
fn no_kill_loses_a_link() {
    let mut run = Run::start();
    let mut seed_of = 11_u64;
    let mut random = move || {
        seed_of = seed_of
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (seed_of >> 33) as usize
    };
    let mut seeds = Vec::new();
    for round in 0..8 {
        let torrent = one(&format!("t{round}"), 60_000, round);
        let (bench, child, addr) = seed(one(&format!("t{round}"), 60_000, round), &[]);
        seeds.push((bench, child));
        let line = link(&torrent, &[&addr]);
        if round % 2 == 0 {
            run.says(&["add", &line]);
        } else {
            fs::write(
                run.watch().join(format!("{round}.magnet")),
                format!("{line}\n"),
            )
            .unwrap();
        }
        let wait_for = std::time::Duration::from_micros(random() as u64 % 40_000);
        let until = std::time::Instant::now() + wait_for;
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        run.restart(&[]);
        run.until_whole(&torrent);
        wait("a torrent is lost", || {
            run.torrents().len() == round as usize + 1
        });
    }
    assert_eq!(fs::read_dir(run.watch().join("failed")).unwrap().count(), 0);
}

#[test]
fn the_socket_takes_links_as_transmission_does() {
    let run = Run::start();
    let torrent = one("a", 100_000, 1);
    let ask = |name: &str| -> Json {
        let mut client = run.client();
        let request = format!(
            r#"{{"method":"torrent-add","arguments":{{"filename":"{name}","paused":true}},"tag":7}}"#
        );
        writeln!(client, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        Json::parse(&line).unwrap()
    };
    let answer = ask(&format!("{}&dn=n", link(&torrent, &[])));
    let added = answer.get("arguments").get("torrent-added").clone();
    assert_eq!(added.get("hashString").text(), torrent.hex());
    assert_eq!(
        (added.get("name").text(), added.get("id").count()),
        ("n", 1)
    );
    let answer = ask(&torrent.hex());
    let there = answer.get("arguments").get("torrent-duplicate").clone();
    assert_eq!(there.get("id").count(), 1);
    for (name, words) in [
        ("magnet:?xt=urn:btih:00", "neither 40 hexadecimal digits"),
        ("a.torrent", "expected a magnet link, an info hash, a URL"),
    ] {
        let answer = ask(name);
        assert!(answer.get("result").text().contains(words), "{answer:?}");
    }
}

#[test]
fn the_files_that_a_link_names_are_got_alone_and_after_a_restart_too() {
    use super::support::content::Content;
    let book = || Content::folder(1, "book", &[("a", 70_000), ("b", 70_000), ("c", 70_000)]);
    let torrent = Torrent::aligned(book(), 1 << 14);
    let (_bench, _seed, addr) = seed(Torrent::aligned(book(), 1 << 14), &[]);
    let mut run = Run::start();
    // Places 0, 2 and 4 are the files; between them lies padding.
    run.says(&["add", &format!("{}&so=2", link(&torrent, &[&addr]))]);
    wait("it is not there", || run.state(0) == "seeding");
    let lies = |name: &str| {
        let path = run.folder().join("downloads/book").join(name);
        fs::read(path).is_ok_and(|found| found.len() == 70_000)
    };
    assert!(!lies("a") && lies("b") && !lies("c"));
    run.restart(&[]);
    wait("it is not there", || run.state(0) == "seeding");
    assert_eq!(run.torrents()[0].get("size").count(), 70_000);
}

#[test]
fn nodes_that_an_added_torrent_names_are_asked() {
    // A node that seeds something else, and a seed that it knows.
    let (_other, _node, node) = seed(one("other", 50_000, 9), &[]);
    let (_bench, mut seed, _) = seed(one("a", 100_000, 1), &["--dht-node", &node]);
    seed.event_where("dht", SOON, |event| event.get("nodes").count() == 1);
    let torrent = one("a", 100_000, 1);
    let port = node.rsplit_once(':').unwrap().1;
    let mut text = b"d4:info".to_vec();
    text.extend(&torrent.info);
    text.extend(format!("5:nodesll9:127.0.0.1i{port}eeee").as_bytes());
    let run = Run::start();
    let path = run.dir.file("nodes.torrent", text);
    run.says(&["add", path.to_str().unwrap()]);
    wait("it is not there", || run.state(0) == "seeding");
}

#[test]
fn urls_are_fetched_by_the_command_and_by_the_process() {
    let (by_command, by_socket) = (one("a", 100_000, 1), one("b", 100_000, 2));
    let magnet = link(&one("c", 100_000, 3), &[]);
    let texts = [&by_command, &by_socket].map(|torrent| metainfo(&torrent.info, &[]));
    let web = Web::start(move |path, _| match path {
        "/a" => answer("200 OK", "", &texts[0]),
        "/b" => answer("200 OK", "", &texts[1]),
        "/c" => redirect(&magnet),
        _ => answer("404 Not Found", "", b""),
    });
    let run = Run::start();
    assert_eq!(run.says(&["add", &web.url("/a")]), "1 a\n");
    let line = run.refused(&["add", &web.url("/none")], 1);
    assert_eq!(
        line,
        format!("{}: HTTP 404: there is no such file", web.url("/none"))
    );
    let ask = |path: &str| -> Json {
        let mut client = run.client();
        let request = format!(
            r#"{{"jsonrpc":"2.0","method":"torrent_add","params":{{"filename":"{}"}},"id":1}}"#,
            web.url(path)
        );
        writeln!(client, "{request}").unwrap();
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        Json::parse(&line).unwrap()
    };
    for (path, name) in [("/b", "b"), ("/c", &one("c", 100_000, 3).hex())] {
        let answer = ask(path);
        let added = answer.get("result").get("torrent_added").clone();
        assert_eq!(added.get("name").text(), name);
    }
    let answer = ask("/none");
    let error = answer.get("error");
    assert_eq!(error.get("code").number(), 8.0);
    assert_eq!(
        error.get("message").text(),
        "HTTP error from backend service"
    );
    assert_eq!(run.torrents().len(), 3);
}
