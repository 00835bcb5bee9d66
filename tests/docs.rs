//! The manuals say what is so. A part of PROTOCOL.md or README.md between `<!-- begin NAME -->` and `<!-- end -->` is made here: a NAME
//! that is a path quotes that file, any other is printed from the code. `make golden` rewrites these parts. What README.md shows of
//! the program behind `<!-- run -->` is run and compared.

#[path = "support/manual.rs"]
mod manual;
mod support;
#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use std::fs;
use std::process::{Command, Stdio};

use support::bench::listening;
use support::child::{Child, brooklet};
use support::dir::Dir;
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

/// The commands of README.md that are run, each with what is shown below it, and whether the numbers in that may differ.
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

#[test]
fn what_the_readme_shows_happens() {
    let dir = Dir::new();
    let leaves = repository("testdata/torrents/torrents/wt_leaves.torrent");
    fs::copy(&leaves, dir.join("leaves.torrent")).unwrap();
    dir.file("photos/1.jpg", "one\n");
    dir.file("photos/2.jpg", "two\n");
    let mut seeder = brooklet(None);
    seeder.arg("seed").arg(&leaves).arg("--dir");
    seeder.arg(repository("testdata/torrents/content"));
    seeder.arg("--state").arg(dir.folder("seeder"));
    seeder.args(["--json", "--port", "0", "--bind", "127.0.0.1"]);
    let mut seeder = Child::spawn("the seeder", &mut seeder);
    let seeder = listening(&mut seeder).to_string();

    let commands = shown(&read("README.md"));
    assert!(commands.len() >= 6, "{commands:?}");
    for (command, expected, loose) in commands {
        // As it stands there, but with a peer that is there and a port that is free.
        let real = command
            .replace("192.0.2.7:6881", &seeder)
            .replace("brooklet get", "brooklet get --port 0 --bind 127.0.0.1")
            .replace("brooklet ", concat!(env!("CARGO_BIN_EXE_brooklet"), " "));
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {real}; }} 2>&1")])
            .current_dir(&*dir)
            .env("XDG_STATE_HOME", dir.join("state"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        match loose {
            true => assert_eq!(
                without_numbers(&output),
                without_numbers(&expected),
                "$ {command}"
            ),
            false => assert_eq!(output, expected, "$ {command}"),
        }
    }
}
