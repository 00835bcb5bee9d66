//! The manuals say what is so. A part of PROTOCOL.md or README.md between `<!-- begin NAME -->` and
//! `<!-- end -->` is made here: a NAME that is a path quotes that file, any other is printed from
//! the code. `make golden` rewrites these parts. What README.md shows of the program behind `<!--
//! run -->` is run and compared.

#[path = "support/calls.rs"]
mod calls;
#[path = "support/lookup.rs"]
mod lookup;
#[path = "support/manual.rs"]
mod manual;
#[path = "support/proxied.rs"]
mod proxied;
mod support;
#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;
#[path = "support/veiled.rs"]
mod veiled;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use support::bench::SOON;
use support::dir::Dir;
use support::net::free_port;
use support::repository;

const MANUALS: [&str; 2] = ["PROTOCOL.md", "README.md"];
const BEGIN: &str = "<!-- begin ";
const END: &str = "<!-- end -->";

fn read(name: &str) -> String {
    fs::read_to_string(repository(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The text with every part as it should be, and the names of the parts.
fn made(text: &str) -> (String, Vec<String>) {
    let (mut whole, mut names, mut skipping) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        skipping &= line != END;
        if !skipping {
            whole += line;
            whole += "\n";
        }
        if let Some(name) = line
            .strip_prefix(BEGIN)
            .and_then(|rest| rest.strip_suffix(" -->"))
        {
            whole += &manual::part(name);
            names.push(name.to_string());
            skipping = true;
        }
    }
    assert!(!skipping, "a part without an end");
    (whole, names)
}

#[test]
fn what_is_quoted_and_printed_is_true() {
    let write = std::env::var_os("GOLDEN").is_some_and(|value| value == "write");
    let mut parts = 0;
    for name in MANUALS {
        let text = read(name);
        let (made, names) = made(&text);
        parts += names.len();
        if write {
            // In one step, since the other tests read it meanwhile.
            let new = repository(&format!("{name}.new"));
            fs::write(&new, made).unwrap();
            fs::rename(new, repository(name)).unwrap();
            continue;
        }
        for (line, (is, should)) in text.lines().zip(made.lines()).enumerate() {
            assert_eq!(is, should, "{name}:{}: see `make golden`", line + 1);
        }
        assert_eq!(text, made, "{name}");
    }
    assert!(parts > 10, "only {parts} parts are checked");
}

#[test]
fn every_story_is_in_the_manual() {
    let manual = read("PROTOCOL.md");
    for (name, _) in transcript::stories() {
        let path = format!("testdata/transcripts/{name}.txt");
        assert!(manual.contains(&path), "{path} is not mentioned");
    }
}

#[test]
fn a_part_that_is_wrong_is_noticed() {
    let text = "<!-- begin legal -->\nhearsay\n<!-- end -->\nmore\n";
    let (made, names) = made(text);
    assert_eq!(names, ["legal"]);
    assert!(made.ends_with("<!-- end -->\nmore\n") && !made.contains("hearsay"));
    assert!(
        made.contains("| handshake | hang up | taken → Opening |"),
        "{made}"
    );
}

/// The commands of README.md that are run, each with what is shown below it, and whether the
/// numbers in that may differ.
fn shown(text: &str) -> Vec<(String, String, bool)> {
    let (mut commands, mut run, mut inside, mut loose) = (Vec::new(), false, false, false);
    for line in text.lines() {
        match line {
            "<!-- run -->" => (run, loose) = (true, false),
            "<!-- run, numbers differ -->" => (run, loose) = (true, true),
            "```console" => inside = run,
            "```" => (run, inside) = (false, false),
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_string(), String::new(), loose)),
                (None, Some((_, output, _))) => *output += &format!("{line}\n"),
                (None, None) => panic!("output of nothing: {line}"),
            },
        }
    }
    commands
}

/// A text without its numbers.
fn without_numbers(text: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let words = text.split(' ').map(|word| {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            word.trim_start_matches(number)
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A shell that is given one line after the other, as a reader of the manual types them.
struct Shell {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    // Last: it ends when its input does, and what it has started in the background with it.
    process: std::process::Child,
}

impl Shell {
    const DONE: &str = "-- done --";

    fn start(folder: &Path) -> Shell {
        let mut process = Command::new("bash")
            .current_dir(folder)
            .env("XDG_STATE_HOME", folder.join("state"))
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = process.stdin.take().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut shell = Shell {
            stdin,
            stdout,
            process,
        };
        shell.run("exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null' EXIT");
        shell
    }

    /// What a line prints.
    fn run(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}\necho '{}'", Shell::DONE).unwrap();
        let mut output = String::new();
        loop {
            let before = output.len();
            let read = self.stdout.read_line(&mut output).unwrap();
            assert_ne!(read, 0, "the shell has ended: {output}");
            if output[before..].trim_end() == Shell::DONE {
                output.truncate(before);
                return output;
            }
        }
    }

    /// Ends it as Ctrl-D does, and waits for it.
    fn end(mut self) {
        drop(self.stdin);
        self.process.wait().unwrap();
    }
}

/// Waits until somebody listens there.
fn wait_for_listener(addr: &str) {
    let deadline = Instant::now() + SOON;
    while TcpStream::connect(addr).is_err() {
        assert!(Instant::now() < deadline, "nobody listens on {addr}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_the_readme_shows_happens() {
    // A clone in which the program is built.
    let dir = Dir::new();
    symlink(repository("testdata"), dir.join("testdata")).unwrap();
    let built = dir.folder("target/release").join("brooklet");
    symlink(env!("CARGO_BIN_EXE_brooklet"), built).unwrap();
    let mut shell = Shell::start(&dir);

    let commands = shown(&read("README.md"));
    assert!(commands.len() >= 12, "{commands:?}");
    let port = free_port().to_string();
    for (command, expected, loose) in commands {
        // As it stands there, but with a port that is free, and nobody from outside.
        let real = command
            .replace("6881", &port)
            .replace("brooklet get", "brooklet get --port 0 --bind 127.0.0.1")
            .replace("brooklet seed", "brooklet seed --bind 127.0.0.1");
        let output = shell.run(&real);
        if real.ends_with('&') && real.contains(&port) {
            wait_for_listener(&format!("127.0.0.1:{port}"));
        }
        let (is, should) = if loose {
            (without_numbers(&output), without_numbers(&expected))
        } else {
            (output, expected)
        };
        assert_eq!(is, should, "$ {command}");
    }
    shell.end();
    // Nothing outside the folder that the manual names, and what it downloads is right.
    let book = "Leaves of Grass by Walt Whitman.epub";
    let original = repository("testdata/torrents/content").join(book);
    let got = dir.join("target/try/books").join(book);
    assert_eq!(fs::read(got).unwrap(), fs::read(original).unwrap());
    let mut left: Vec<String> = fs::read_dir(&*dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["state", "target", "testdata"]);
}

/// What a reader can type has to work: commands are shown in parts that are run, or need a tracker.
#[test]
fn every_command_that_the_readme_shows_is_run() {
    let text = read("README.md");
    let (mut run, mut console) = (false, 0);
    for line in text.lines() {
        match line {
            "<!-- run -->" | "<!-- run, numbers differ -->" => run = true,
            "```console" => {
                assert!(run, "a part of README.md that shows commands is not run");
                console += 1;
            }
            "```" => run = false,
            _ => {}
        }
    }
    assert!(console >= 6, "{console}");
    let mut fence = "";
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            fence = kind;
        }
        assert!(
            fence != "sh" || !line.starts_with("brooklet "),
            "not run: {line}"
        );
    }
    assert!(!text.contains("192.0.2."), "an address that nobody has");
}
