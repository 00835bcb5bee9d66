//! A `brooklet run` in a folder of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::support::child::{Child, brooklet};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::json::Json;
use super::support::torrent::Torrent;
use super::support::trackers::OpenTracker;

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

    /// One whose folder holds these files already.
    pub fn start_with(folder_has: &[(&str, &str)], options: &[&str]) -> Run {
        let dir = Dir::new();
        dir.folder("run");
        for (name, content) in folder_has {
            dir.file(format!("run/{name}"), content);
        }
        let child = Run::begin(&dir.join("run"), options);
        Run { dir, child }
    }

    /// One whose folder holds these torrents already.
    pub fn with_torrents(torrents: impl Iterator<Item = Torrent>, options: &[&str]) -> Run {
        let dir = Dir::new();
        let state = dir.folder("run/torrents");
        for torrent in torrents {
            torrent.write(&state.join(format!("{}.torrent", torrent.hex())), &[]);
        }
        let child = Run::begin(&dir.join("run"), options);
        Run { dir, child }
    }

    /// Begins another process, now that the last one has ended.
    pub fn start_again(&mut self, options: &[&str]) {
        self.child = Run::begin(&self.folder(), options);
    }

    /// Kills the process and begins another one.
    pub fn restart(&mut self, options: &[&str]) {
        self.child.kill();
        self.start_again(options);
    }

    /// Has the process end as its user does.
    pub fn stop(&mut self) {
        self.child.signal("TERM");
        assert_eq!(self.child.code(SOON), 143);
    }

    pub fn begin(folder: &Path, options: &[&str]) -> Child {
        Run::begin_by(brooklet(None), folder, options)
    }

    /// The same by a command that runs brooklet.
    pub fn begin_by(mut command: Command, folder: &Path, options: &[&str]) -> Child {
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

    /// A command that steers the process.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = brooklet(None);
        command.args(args).env("BROOKLET_DIR", self.folder());
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Begins such a command, which may take its time.
    pub fn asks(&self, args: &[&str]) -> Child {
        Child::spawn(args[0], &mut self.command(args))
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

    /// Waits until there are torrents, and each is in one of these states.
    pub fn until(&self, states: &[&str]) -> Vec<Json> {
        let deadline = Instant::now() + SOON;
        loop {
            let torrents = self.torrents();
            let is_so = |it: &Json| states.contains(&it.get("state").text());
            if !torrents.is_empty() && torrents.iter().all(is_so) {
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

    /// A seed of this torrent, which the tracker names.
    pub fn seed(&self, torrent: &Torrent, tracker: &OpenTracker) -> Child {
        let name = &torrent.content.name;
        let seeded = self.dir.folder(format!("seeded-{name}"));
        torrent.content.write(&seeded);
        let path = self.dir.join(format!("seeded-{name}.torrent"));
        torrent.write(&path, &[&tracker.http_url]);
        let mut seed = brooklet(None);
        seed.arg("seed").arg(path).arg("-d").arg(&seeded);
        seed.args(["--port", "0", "--bind", "127.0.0.1", "--allow-local"]);
        seed.arg("--json")
            .arg("--state")
            .arg(self.dir.join("state"));
        let mut seed = Child::spawn("seed", &mut seed);
        seed.event_where("tracker", SOON, |event| event.get("ok").is_true());
        seed
    }

    /// The limits over all torrents, in and out, in thousands of bytes a second.
    pub fn limits(&self) -> [Option<u64>; 2] {
        let mut client = self.client();
        let ask = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session_get\"}\n";
        client.write_all(ask).unwrap();
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        let answer = Json::parse(&line).unwrap();
        let settings = answer.get("result");
        ["down", "up"].map(|way| {
            let name = format!("speed_limit_{way}");
            let counts = settings.get(&format!("{name}_enabled")).is_true();
            counts.then(|| settings.get(&name).count())
        })
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
