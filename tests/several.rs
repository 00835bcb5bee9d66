//! Several torrents in one process: one port, a line and events for each, and one that fails leaves
//! the others running.

mod support;

use std::fs;
use std::path::PathBuf;

use support::bench::{Bench, SOON, listening};
use support::child::{Child, Stream, brooklet};
use support::content::Content;
use support::dir::Dir;
use support::torrent::Torrent;

const KIB: usize = 1024;

/// Three torrents, their content in one folder, and a folder to download to.
struct Shelf {
    dir: Dir,
    torrents: Vec<(Torrent, PathBuf)>,
}

impl Shelf {
    fn new() -> Shelf {
        let dir = Dir::new();
        let contents = [
            Content::file(1, "one.bin", 300 * KIB),
            Content::folder(2, "two", &[("a", 200 * KIB), ("b/c", 77 * KIB)]),
            Content::file(3, "three.bin", 40 * KIB),
        ];
        let place = dir.folder("seeded");
        let torrents = contents.map(|content| {
            content.write(&place);
            let name = format!("{}.torrent", content.name);
            let torrent = Torrent::new(content, 16 * KIB);
            let path = torrent.write(&dir.join(name), &[]);
            (torrent, path)
        });
        let torrents = torrents.into();
        Shelf { dir, torrents }
    }

    fn paths(&self) -> Vec<&PathBuf> {
        self.torrents.iter().map(|(_, path)| path).collect()
    }

    /// One process that seeds all.
    fn seed(&self) -> (Child, u64) {
        let mut command = brooklet(None);
        command
            .arg("seed")
            .args(self.paths())
            .arg("-d")
            .arg(self.dir.join("seeded"));
        command.arg("--state").arg(self.dir.join("seed-state"));
        command.args(["--json", "-p", "0", "--bind", "127.0.0.1"]);
        let mut child = Child::spawn("seed", &mut command);
        let port = child.event("start", SOON).get("port").count();
        for _ in 0..self.torrents.len() {
            child.event("checked", SOON);
        }
        (child, port)
    }

    /// A download of these paths from that process.
    fn get(&self, paths: &[&PathBuf], port: u64, options: &[&str]) -> Child {
        let mut command = brooklet(None);
        command
            .arg("get")
            .args(paths)
            .arg("-d")
            .arg(self.dir.join("got"));
        command.arg("--state").arg(self.dir.join("state"));
        let peer = format!("127.0.0.1:{port}");
        command
            .args(["-p", "0", "--bind", "127.0.0.1", "--peer", &peer])
            .args(options);
        Child::spawn("get", &mut command)
    }

    fn assert_got(&self, which: &[usize]) {
        for &number in which {
            self.torrents[number]
                .0
                .content
                .assert_in(&self.dir.join("got"));
        }
    }
}

#[test]
fn all_are_downloaded_by_one_process_from_one_process() {
    let shelf = Shelf::new();
    let (mut seed, port) = shelf.seed();
    let mut get = shelf.get(&shelf.paths(), port, &["--json"]);
    get.success(SOON);
    shelf.assert_got(&[0, 1, 2]);
    for (torrent, _) in &shelf.torrents {
        for event in [
            "start", "checked", "piece", "progress", "complete", "stopped",
        ] {
            let about = get.events(event);
            let hash = torrent.hex();
            let ours = about
                .iter()
                .filter(|event| event.get("info_hash").text() == hash);
            assert!(ours.count() > 0, "{event} of {hash}");
        }
    }
    let ports: Vec<u64> = get
        .events("start")
        .iter()
        .map(|event| event.get("port").count())
        .collect();
    assert!(
        ports.windows(2).all(|pair| pair[0] == pair[1]),
        "one port: {ports:?}"
    );
    seed.signal("TERM");
    assert_eq!(seed.code(SOON), 143);
    assert_eq!(seed.events("stopped").len(), 3);
}

#[test]
fn one_that_fails_leaves_the_others_running_and_is_named() {
    let shelf = Shelf::new();
    let (_seed, port) = shelf.seed();
    // What stands where the folder of the second torrent belongs is a file.
    shelf.dir.file("got/two", "not a folder");
    let mut get = shelf.get(&shelf.paths(), port, &[]);
    assert_eq!(get.code(SOON), 1);
    shelf.assert_got(&[0, 2]);
    let said = get.text(Stream::Err);
    assert!(said.contains("brooklet: two: "), "{said}");
    assert!(
        said.ends_with("brooklet: 1 of 3 torrents failed\n"),
        "{said}"
    );
    // Its event says which torrent it is, and the last one how the whole ends.
    let missing = shelf.dir.join("none.torrent");
    let mut paths = shelf.paths();
    paths.push(&missing);
    let mut again = shelf.get(&paths, port, &["--json"]);
    assert_eq!(again.code(SOON), 1);
    let errors = again.events("error");
    let messages: Vec<&str> = errors.iter().map(|it| it.get("message").text()).collect();
    assert_eq!(errors.len(), 3, "{messages:?}");
    assert!(messages[0].contains("none.torrent: "), "{messages:?}");
    assert!(messages[1].starts_with("two: "), "{messages:?}");
    let about = errors[1].get("info_hash").text();
    assert_eq!(about, shelf.torrents[1].0.hex());
    assert_eq!(messages[2], "2 of 4 torrents failed");
    assert_eq!(
        fs::read(shelf.dir.join("got/two")).unwrap(),
        b"not a folder"
    );
}

#[test]
fn one_that_cannot_be_read_leaves_the_others_running_and_is_named() {
    let shelf = Shelf::new();
    let (_seed, port) = shelf.seed();
    let missing = shelf.dir.join("missing.torrent");
    let broken = shelf.dir.file("broken.torrent", "d4:infod");
    let mut paths = shelf.paths();
    paths.insert(1, &missing);
    paths.push(&broken);
    let mut get = shelf.get(&paths, port, &[]);
    assert_eq!(get.code(SOON), 1);
    shelf.assert_got(&[0, 1, 2]);
    let said = get.text(Stream::Err);
    for path in [&missing, &broken] {
        let line = format!("brooklet: {}: ", path.display());
        assert_eq!(said.matches(&line).count(), 1, "{line}: {said}");
    }
}

#[test]
fn what_is_named_twice_is_run_once() {
    let shelf = Shelf::new();
    let (_seed, port) = shelf.seed();
    let again = shelf.dir.join("again.torrent");
    fs::copy(&shelf.torrents[0].1, &again).unwrap();
    let mut paths = shelf.paths();
    paths.push(&again);
    let mut get = shelf.get(&paths, port, &[]);
    get.success(SOON);
    shelf.assert_got(&[0, 1, 2]);
    let said = get.text(Stream::Err);
    let line = "brooklet: warning: one.bin: the same torrent is named twice\n";
    assert_eq!(said.matches(line).count(), 1, "{said}");
}

#[test]
fn of_two_that_write_to_the_same_files_the_first_is_run() {
    let shelf = Shelf::new();
    let (_seed, port) = shelf.seed();
    let other = Torrent::new(Content::file(4, "one.bin", 99 * KIB), 16 * KIB);
    let other = other.write(&shelf.dir.join("other.torrent"), &[]);
    let mut paths = shelf.paths();
    paths.push(&other);
    let mut get = shelf.get(&paths, port, &[]);
    assert_eq!(get.code(SOON), 1);
    shelf.assert_got(&[0, 1, 2]);
    let said = get.text(Stream::Err);
    let line = format!(
        "brooklet: one.bin ({}): its files are those of one.bin ({}), which is named first\n",
        other.display(),
        shelf.paths()[0].display()
    );
    assert_eq!(said.matches(&line).count(), 1, "{said}");
    assert!(
        said.ends_with("brooklet: 1 of 4 torrents failed\n"),
        "{said}"
    );
}

#[test]
fn files_are_chosen_of_one_torrent_alone() {
    let shelf = Shelf::new();
    let mut get = shelf.get(&shelf.paths(), 1, &["--files", "1"]);
    assert_eq!(get.code(SOON), 2);
    let said = get.text(Stream::Err);
    assert!(said.contains("--files is for one torrent"), "{said}");
}

#[test]
fn limits_are_over_all_torrents() {
    let shelf = Shelf::new();
    let (_seed, port) = shelf.seed();
    // 617 KiB at 200 KiB a second, less a quarter of a second's worth that may come at once.
    let mut get = shelf.get(&shelf.paths(), port, &["--down", "200K", "--json"]);
    get.success(SOON);
    shelf.assert_got(&[0, 1, 2]);
    let seconds = get
        .events("complete")
        .iter()
        .map(|event| event.get("seconds").number())
        .fold(0.0, f64::max);
    assert!(seconds > 2.0, "{seconds}");
}

/// What each of two sources of one torrent says is used: here the first one leads nowhere.
#[test]
fn two_sources_of_one_torrent_are_used_together() {
    let bench = Bench::new(603, 100_000);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let hash = bench.torrent.hex();
    let link = format!("magnet:?xt=urn:btih:{hash}&x.pe={}", listening(&mut seed));
    let dir = Dir::new();
    let file = bench.torrent.write(&dir.join("file.torrent"), &[]);
    let file = file.to_str().unwrap();
    for (place, sources) in [[&hash, &link[..]], [&hash[..], file], [file, &link]]
        .into_iter()
        .enumerate()
    {
        let mut command = brooklet(None);
        command
            .arg("get")
            .args(sources)
            .args(["--no-dht", "--no-lsd"]);
        command.args(["-p", "0", "--bind", "127.0.0.1", "-d"]);
        command.arg(dir.folder(format!("got{place}")));
        command
            .arg("--state")
            .arg(dir.join(format!("state{place}")));
        if sources[1] == file {
            // A torrent without trackers describes the hash, and the user knows a peer.
            command.args(["--peer", &link[link.find("127.").unwrap()..]]);
        }
        let mut get = Child::spawn("get", &mut command);
        get.success(SOON);
        let got = fs::read(dir.join(format!("got{place}/content.bin"))).unwrap();
        assert!(got == bench.torrent.bytes);
        let said = get.text(Stream::Err);
        let line = "the same torrent is named twice: what both say of it is used\n";
        assert_eq!(said.matches(line).count(), 1, "{said}");
    }
}

/// Only their metadata tell that two links lead to the same files.
#[test]
fn the_second_of_two_links_to_the_same_files_is_refused_and_a_link_named_twice_is_one() {
    let benches = [601, 602].map(|seed| {
        let bench = Bench::new(seed, 100_000);
        bench.fill();
        bench
    });
    let mut seeds = benches.each_ref().map(|bench| bench.run("seed", &[]));
    let links: Vec<String> = benches
        .iter()
        .zip(&mut seeds)
        .map(|(bench, seed)| {
            let (hash, addr) = (bench.torrent.hex(), listening(seed));
            format!("magnet:?xt=urn:btih:{hash}&dn={hash}&x.pe={addr}")
        })
        .collect();
    let dir = Dir::new();
    let mut command = brooklet(None);
    command.args(["get", &links[0], &links[1], &links[0], "--no-dht"]);
    command
        .args(["-p", "0", "--bind", "127.0.0.1", "-d"])
        .arg(dir.folder("got"));
    command.arg("--state").arg(dir.join("state"));
    let mut get = Child::spawn("get", &mut command);
    assert_eq!(get.code(SOON), 1);
    let said = get.text(Stream::Err);
    let twice = format!(
        "{}: the same torrent is named twice",
        benches[0].torrent.hex()
    );
    assert!(said.contains(&twice), "{said}");
    let refused = benches.each_ref().map(|first| {
        let first = first.torrent.hex();
        let line = format!("its files are those of content.bin ({first}), which was known first");
        said.matches(&format!("content.bin: {line}")).count()
    });
    assert_eq!(refused.iter().sum::<usize>(), 1, "{said}");
    let got = fs::read(dir.join("got/content.bin")).unwrap();
    assert!(
        benches.iter().any(|bench| bench.torrent.bytes == got),
        "{said}"
    );
}
