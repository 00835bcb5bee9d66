//! Seeds that nobody talks to sleep: whoever comes finds them awake, as far as can be told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, Stream, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::json::Json;
use super::support::peer::handshake;
use super::support::torrent::Torrent;

impl Run {
    /// The port that peers dial.
    fn port(&self) -> u16 {
        let mut client = self.client();
        let ask = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session_get\"}\n";
        client.write_all(ask).unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(&client), &mut line).unwrap();
        let port = Json::parse(&line)
            .unwrap()
            .get("result")
            .get("peer_port")
            .count();
        u16::try_from(port).unwrap()
    }

    /// Adds a torrent all of which is there, and waits until it sleeps.
    fn sleeps(&mut self, torrent: &Torrent) {
        torrent.content.write(&self.folder().join("downloads"));
        self.add(torrent, &[]);
        self.child
            .line(&format!("{}: it sleeps", torrent.content.name), SOON);
    }

    fn metainfo(&self, torrent: &Torrent) -> PathBuf {
        self.folder()
            .join(format!("torrents/{}.torrent", torrent.hex()))
    }

    /// A peer dials us for this torrent; whether its handshake is answered.
    fn answers(&self, torrent: &Torrent) -> bool {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(&handshake(&torrent.info_hash, 7)).unwrap();
        stream.read_exact(&mut [0; 68]).is_ok()
    }

    /// Begins to download a torrent from here into a folder of this name.
    fn get(&self, torrent: &Torrent, name: &str) -> Child {
        let path = self.dir.join(format!("{name}.torrent"));
        torrent.write(&path, &[]);
        let mut get = brooklet(None);
        get.arg("get")
            .arg(path)
            .args(["-q", "--port", "0", "--bind", "127.0.0.1"])
            // What is sent shows whether it woke up: they do not get it of each other.
            .args(["--no-dht", "--no-lsd", "--no-pex"]);
        get.arg("-d")
            .arg(self.dir.folder(name))
            .arg("--state")
            .arg(self.dir.join("state"));
        get.args(["--peer", &format!("127.0.0.1:{}", self.port())]);
        Child::spawn(name, &mut get)
    }
}

fn folder(name: &str, seed: u64) -> Torrent {
    let files = [("a", 400_000), ("b/c", 400_000), ("d", 300_000)];
    Torrent::new(Content::folder(seed, name, &files), 1 << 14)
}

#[test]
fn two_at_the_same_time_download_one_that_sleeps() {
    let mut run = Run::start();
    let (torrent, other) = (folder("some", 1), one("other", 100_000, 2));
    run.sleeps(&torrent);
    run.sleeps(&other);
    let mut both = ["first", "second"].map(|name| run.get(&torrent, name));
    let at_once = Duration::from_secs(10);
    both.iter_mut().for_each(|get| get.success(at_once));
    for name in ["first", "second"] {
        torrent.content.assert_in(&run.dir.join(name));
    }
    run.child.line("some: it is awake", SOON);
    let shown = run.until(&["seeding"]);
    assert!(shown[0].get("uploaded").count() >= 2 * torrent.content.len() as u64);
    assert_eq!(shown[1].get("uploaded").count(), 0);
    assert!(!run.child.text(Stream::Err).contains("other: it is awake"));
}

/// The metainfo went away, became another torrent's, or was damaged while it slept: that one fails,
/// with one line that names the file, and no other.
#[test]
fn one_that_cannot_wake_up_fails_alone() {
    let mut run = Run::start();
    let torrents = [1, 2, 3, 4].map(|seed| one(&format!("t{seed}"), 100_000, seed));
    torrents.iter().for_each(|torrent| run.sleeps(torrent));
    let [gone, changed, damaged, fine] = &torrents;
    fs::remove_file(run.metainfo(gone)).unwrap();
    fs::copy(run.metainfo(fine), run.metainfo(changed)).unwrap();
    fs::write(run.metainfo(damaged), "d4:info").unwrap();
    for (torrent, why) in [
        (gone, "no such file, and its torrent is to wake up"),
        (
            changed,
            "it is another torrent than when this one fell asleep",
        ),
        (damaged, ""),
    ] {
        assert!(!run.answers(torrent), "{why}");
        let path = run.metainfo(torrent);
        run.child.line(&format!("{}: {why}", path.display()), SOON);
    }
    let shown = run.until(&["failed", "seeding"]);
    let states: Vec<&str> = shown.iter().map(|it| it.get("state").text()).collect();
    assert_eq!(states, ["failed", "failed", "failed", "seeding"]);
    assert!(run.answers(fine));
}

/// Its files were changed while it slept: they are hashed before anybody is served, and what is
/// wrong is missing.
#[test]
fn content_that_was_changed_is_checked() {
    let mut run = Run::start();
    let (changed, shorter) = (one("changed", 100_000, 1), folder("shorter", 2));
    run.sleeps(&changed);
    run.sleeps(&shorter);
    let downloads = run.folder().join("downloads");
    let mut bytes = fs::read(downloads.join("changed")).unwrap();
    bytes[40_000] ^= 1;
    fs::write(downloads.join("changed"), bytes).unwrap();
    fs::remove_file(downloads.join("shorter/d")).unwrap();
    for torrent in [&changed, &shorter] {
        let _ = run.answers(torrent);
    }
    let shown = run.until(&["downloading"]);
    let done = shown.iter().map(|it| it.get("done").count());
    let whole = [&changed, &shorter].map(|torrent| torrent.content.len() as u64);
    assert!(
        done.zip(whole)
            .all(|(done, whole)| 0 < done && done < whole),
        "{shown:?}"
    );
}

/// Many are to be checked: most of them sleep until it is their turn. Each is found as it is on
/// disk, and what is wrong with its resume data is said once.
#[test]
fn many_wait_for_their_check() {
    let dir = Dir::new();
    let folder = dir.join("run");
    let torrents: Vec<Torrent> = (0..30)
        .map(|it| one(&format!("t{it}"), 2_000_000, it))
        .collect();
    fs::create_dir_all(folder.join("torrents")).unwrap();
    for torrent in &torrents {
        torrent.content.write(&folder.join("downloads"));
        let file = folder.join(format!("torrents/{}", torrent.hex()));
        torrent.write(&file.with_extension("torrent"), &[]);
        fs::write(file.with_extension("resume"), "torn").unwrap();
    }
    let changed = folder.join("downloads/t29");
    let mut bytes = fs::read(&changed).unwrap();
    bytes[1_000_000] ^= 1;
    fs::write(&changed, bytes).unwrap();
    let child = Run::begin(&folder, &[]);
    let mut run = Run { dir, child };
    run.child.line("it is checked once others are", SOON);
    let shown = run.until(&["seeding", "downloading"]);
    assert_eq!(shown.len(), torrents.len());
    for it in shown {
        let (done, size) = (it.get("done").count(), it.get("size").count());
        assert_eq!(done < size, it.get("name").text() == "t29", "{it:?}");
    }
    let text = run.child.text(Stream::Err);
    for torrent in &torrents {
        let file = format!("{}.resume: damaged", torrent.hex());
        assert_eq!(text.matches(&file).count(), 1, "{text}");
    }
}

#[test]
fn it_is_steered_while_it_sleeps() {
    let mut run = Run::start();
    let (torrent, other) = (folder("some", 1), one("other", 100_000, 2));
    run.sleeps(&torrent);
    run.sleeps(&other);
    assert!(run.says(&["status"]).contains("seeding"));
    assert!(run.says(&["status", "1"]).contains("some"));
    run.says(&["limit", "--up", "1M", "1"]);
    run.says(&["pause", "1"]);
    run.until(&["paused", "seeding"]);
    wait("it is not paused", || {
        run.torrents()[0].get("state").text() == "paused"
    });
    assert!(!run.answers(&torrent));
    run.says(&["resume", "1"]);
    run.until(&["seeding"]);
    assert!(run.answers(&torrent));
    run.says(&["remove", "2", "--data"]);
    wait("it is not removed", || {
        !run.metainfo(&other).exists() && !run.folder().join("downloads/other").exists()
    });
    assert_eq!(run.torrents().len(), 1);
    // A start finds everything as it was left: nothing is hashed again.
    run.stop();
    run.start_again(&[]);
    run.child.line("some: it sleeps", SOON);
    assert!(run.answers(&torrent));
}

/// A folder whose disk is not mounted looks empty: a download would fill the disk below it.
#[test]
fn what_is_gone_of_a_whole_torrent_is_said_and_all_of_it_downloaded_only_when_asked_for() {
    let mut run = Run::start();
    let torrent = Torrent::new(
        Content::folder(1, "t", &[("a", 30_000), ("b", 20_000)]),
        1 << 14,
    );
    run.sleeps(&torrent);
    let (content, away) = (run.folder().join("downloads/t"), run.dir.join("away"));
    let fails = |run: &Run| {
        let torrents = run.until(&["failed"]);
        let why = torrents[0].get("error").text();
        let words = format!("{}: nothing of it is there any more", content.display());
        assert!(why.starts_with(&words), "{why}");
        assert!(!content.exists());
    };
    // When a peer wakes it up.
    fs::rename(&content, &away).unwrap();
    run.answers(&torrent);
    fails(&run);
    // At a start.
    run.restart(&[]);
    fails(&run);
    run.says(&["resume", "1"]);
    run.until(&["downloading"]);
    // Its disk is there again.
    run.child.kill();
    fs::rename(&away, &content).unwrap();
    run.start_again(&[]);
    run.until(&["seeding"]);
    run.child.line("t: it sleeps", SOON);
    // A single file is not worth a user's time.
    run.child.kill();
    fs::remove_file(content.join("b")).unwrap();
    run.start_again(&[]);
    let line = format!(
        "{}: it is gone, and downloaded again",
        content.join("b").display()
    );
    run.child.line(&line, SOON);
    run.until(&["downloading"]);
}
