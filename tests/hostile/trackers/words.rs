//! Words of strangers on their way to a terminal, a pipe and the events: names in a torrent, a
//! tracker's refusal, a peer's id.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::{Tracker, answer};
use crate::support::bench::{Bench, SOON};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::content::Content;
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::support::peer::{Server, handshake};
use crate::support::torrent::{Torrent, metainfo};
use crate::support::{installed, repository};

/// Everything that moves a cursor, breaks a line, hides, or turns the direction of writing.
const EVIL: &str = "a\u{1b}[2J\u{1b}]0;owned\u{7}\r\nbrooklet: forged\u{8}\u{7f}\u{9b}31m\u{85}\u{202e}\u{2066}\u{200b}\u{200f}\u{2028}\u{feff}\u{ad}\u{3164}\u{e0041}z";

/// What [`EVIL`] is made of, and would do harm.
fn is_evil(letter: char) -> bool {
    letter.is_control() || (EVIL.contains(letter) && !letter.is_ascii())
}

/// A torrent whose name, files and tracker answer with such words, and a peer whose id has them.
struct Stage {
    bench: Bench,
    // They end with this.
    _tracker: Tracker,
    peer: Server,
}

impl Stage {
    fn new() -> Stage {
        let mut content = Content::folder(71, EVIL, &[("x", 70_000), ("y", 1)]);
        for (path, _) in &mut content.files {
            *path = format!("{EVIL}{path}");
        }
        let torrent = Torrent::new(content, 16 * 1024);
        let bench = Bench::of(torrent);
        let words = format!("d14:failure reason{}:{EVIL}e", EVIL.len());
        let tracker = Tracker::saying(answer(words.as_bytes()));
        let urls = [
            tracker.url(),
            String::from("http://h\u{202e}\u{200b}x/announce"),
        ];
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let file = metainfo(&bench.torrent.info, &urls);
        std::fs::write(bench.dir.join("torrent"), file).unwrap();
        let torrent = Arc::clone(&bench.torrent);
        // It greets with an id like that, serves nothing, and is a poor peer otherwise.
        let peer = Server::start(move |mut stream: TcpStream| {
            let mut hello = handshake(&torrent.info_hash, 1);
            hello[48..68].copy_from_slice(b"\x1b[2J\r\n\x07\x9b\xe2\x80\xae\xff\x00-evil\x1b[");
            stream.write_all(&hello)?;
            stream.read_exact(&mut [0; 68])?;
            stream.write_all(&[0, 0, 0, 1, 99, 0, 0, 0, 2, 5, 0xff])?;
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        });
        Stage {
            bench,
            _tracker: tracker,
            peer,
        }
    }

    /// A command line of brooklet with this torrent; `content` is not there, or cannot be written.
    fn command(&self, verb: &str, options: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--signal", "INT", "6", env!("CARGO_BIN_EXE_brooklet"), verb]);
        command.arg(self.bench.dir.join("torrent"));
        command.args(options).stdin(Stdio::null());
        command
    }

    fn download(&self, options: &[&str]) -> Command {
        let (content, state) = (self.bench.content(), self.bench.dir.join("state"));
        let peer = self.peer.addr.to_string();
        let mut all = vec!["--dir", content.to_str().unwrap()];
        all.extend(["--state", state.to_str().unwrap()]);
        all.extend(["--port", "0", "--bind", "127.0.0.1", "--peer", &peer]);
        all.extend(options);
        self.command("get", &all)
    }
}

/// Panics if a stream has anything but plain lines.
fn assert_plain(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what}: not UTF-8"));
    for line in text.lines() {
        assert!(!line.chars().any(is_evil), "{what}: {line:?}");
        assert!(!line.starts_with("brooklet: forged"), "{what}: {line:?}");
    }
}

#[test]
fn a_pipe_gets_plain_lines() {
    let stage = Stage::new();
    let output = stage.download(&["-vv", "--json"]).output().unwrap();
    assert_plain("get, standard error", &output.stderr);
    assert_plain("get, events", &output.stdout);
    let said = String::from_utf8(output.stderr).unwrap();
    for part in ["owned", "[2J....", "127.0.0.1:"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    // An escape is the letter for who reads JSON: nothing is lost.
    let events = String::from_utf8(output.stdout).unwrap();
    let start = Json::parse(events.lines().next().unwrap()).unwrap();
    assert_eq!(start.get("name").text(), EVIL);
    for (verb, options) in [
        ("show", &[][..]),
        ("show", &["--json"]),
        ("check", &["--dir", "/nonexistent"]),
        ("scrape", &[]),
        ("scrape", &["--json"]),
        (
            "seed",
            &["--dir", "/dev/null", "--port", "0", "--bind", "127.0.0.1"],
        ),
        ("get", &["--files", EVIL]),
    ] {
        let mut command = stage.command(verb, options);
        command.env("XDG_STATE_HOME", stage.bench.dir.join("other"));
        let output = command.output().unwrap();
        assert_plain(verb, &output.stdout);
        assert_plain(verb, &output.stderr);
        assert!(
            !output.stdout.is_empty() || !output.stderr.is_empty(),
            "{verb}"
        );
    }
}

/// What names a file of ours on disk: a folder lies in the place of the torrent's file.
#[test]
fn a_disk_error_names_the_file_plainly() {
    let stage = Stage::new();
    let place = stage.bench.content().join(EVIL).join(format!("{EVIL}x"));
    std::fs::create_dir_all(place).unwrap();
    for json in [&[][..], &["--json"]] {
        let output = stage.download(json).output().unwrap();
        assert_plain("standard error", &output.stderr);
        assert_plain("standard output", &output.stdout);
        let said = String::from_utf8(output.stderr).unwrap();
        let plain = said.starts_with("brooklet: /") || said.contains("\nbrooklet: /");
        assert!(said.contains("owned") && plain, "{said}");
    }
}

/// On a terminal the program draws its progress itself: these sequences, and no others.
#[test]
fn a_terminal_gets_no_sequence_but_ours() {
    if !installed(&["script"]) {
        return;
    }
    let stage = Stage::new();
    let mut inner = stage.download(&["-vv"]);
    inner.env("TERM", "xterm");
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap());
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(quoted)
        .collect();
    let mut script = Command::new("script");
    script.args([
        "--quiet",
        "--return",
        "--command",
        &words.join(" "),
        "/dev/null",
    ]);
    let output = script
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .current_dir(repository(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("owned") && text.contains("\x1b[J"),
        "{text:?}"
    );
    for ours in [
        "\r\x1b[J", "\x1b[?7l", "\x1b[?7h", "\x1b[33m", "\x1b[31m", "\x1b[0m", "\r\n", "^C",
    ] {
        text = text.replace(ours, "\n");
    }
    assert_plain("a terminal", text.as_bytes());
}

/// A name that could lie outside the download folder makes the torrent invalid, and nothing is
/// written. The rest are names like others.
#[test]
fn names_that_lead_out_end_it_with_one_line() {
    let run = |name: &str, path: &[&str]| {
        let dir = Dir::new();
        let mut info = b"d5:filesld6:lengthi1e4:pathl".to_vec();
        for part in path {
            info.extend(format!("{}:{part}", part.len()).bytes());
        }
        info.extend(
            format!(
                "eee4:name{}:{name}12:piece lengthi16384e6:pieces20:",
                name.len()
            )
            .bytes(),
        );
        info.extend([0; 20]);
        info.push(b'e');
        let torrent = dir.file("a/b/torrent", metainfo(&info, &[]));
        let folder = dir.folder("a/b/content");
        let mut command = brooklet(None);
        command.arg("get").arg(torrent).arg("--dir").arg(&folder);
        command
            .arg("--state")
            .arg(dir.join("state"))
            .args(["--bind", "127.0.0.1", "--port", "0"]);
        let mut get = Child::spawn("brooklet get", &mut command);
        let code = get.code(SOON);
        (code, get.text(Stream::Err), dir)
    };
    for (name, path) in [
        ("..", &["x"][..]),
        (".", &["x"]),
        ("", &["x"]),
        ("/etc", &["x"]),
        ("a/../..", &["x"]),
        ("a\0", &["x"]),
        ("t", &["..", "x"]),
        ("t", &["a", "..", "..", "x"]),
        ("t", &["/x"]),
        ("t", &["../x"]),
        ("t", &["a/../../x"]),
        ("t", &["x\0.txt"]),
        ("t", &["", "x"]),
        ("t", &[]),
    ] {
        let (code, said, dir) = run(name, path);
        assert_eq!(
            (code, said.lines().count()),
            (3, 1),
            "{name:?} {path:?}: {said}"
        );
        assert_plain("standard error", said.as_bytes());
        assert_eq!(
            std::fs::read_dir(dir.join("a/b/content")).unwrap().count(),
            0
        );
        assert_eq!(std::fs::read_dir(dir.join("a")).unwrap().count(), 1);
    }
}
