//! A `brooklet run` in a folder of its own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use super::support::child::{Child, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::json::Json;
use super::support::torrent::Torrent;

pub const SOON: Duration = Duration::from_secs(30);

/// A `brooklet run` in a folder of its own.
pub struct Run {
    pub dir: Dir,
    pub child: Child,
}

impl Run {
    pub fn start() -> Run {
        let dir = Dir::new();
        let child = Run::begin(&dir.join("run"), &[]);
        Run { dir, child }
    }

    pub fn begin(folder: &Path, options: &[&str]) -> Child {
        let mut command = brooklet(None);
        command.arg("run").arg(folder);
        command
            .args(["--port", "0", "--bind", "127.0.0.1", "-v"])
            .args(options);
        let child = Child::spawn("run", &mut command);
        let deadline = Instant::now() + SOON;
        while UnixStream::connect(folder.join("control")).is_err() {
            assert!(Instant::now() < deadline, "nobody listens");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.join("run")
    }

    pub fn output(&self, args: &[&str]) -> Output {
        let mut command = brooklet(None);
        command.args(args).env("BROOKLET_DIR", self.folder());
        command.output().unwrap()
    }

    /// What a command prints, which must end with 0.
    pub fn says(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The line of a command that must end with this code.
    pub fn refused(&self, args: &[&str], code: i32) -> String {
        let output = self.output(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text.trim_end()
            .strip_prefix("brooklet: ")
            .unwrap()
            .to_string()
    }

    /// The torrents as `status --json` shows them.
    pub fn torrents(&self) -> Vec<Json> {
        let text = self.says(&["status", "--json"]);
        Json::parse(&text).unwrap().get("torrents").list().to_vec()
    }

    /// Waits until each torrent is in one of these states.
    pub fn until(&self, states: &[&str]) -> Vec<Json> {
        let deadline = Instant::now() + SOON;
        loop {
            let torrents = self.torrents();
            if torrents
                .iter()
                .all(|it| states.contains(&it.get("state").text()))
            {
                return torrents;
            }
            assert!(Instant::now() < deadline, "{torrents:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn add(&self, torrent: &Torrent, trackers: &[&str]) -> String {
        let path = self.dir.join(format!("{}.torrent", torrent.content.name));
        torrent.write(&path, trackers);
        self.says(&["add", path.to_str().unwrap()])
    }

    pub fn client(&self) -> UnixStream {
        let stream = UnixStream::connect(self.folder().join("control")).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    }
}

pub fn one(name: &str, size: usize, seed: u64) -> Torrent {
    Torrent::new(Content::file(seed, name, size), 1 << 14)
}

/// Waits until this holds.
pub fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
