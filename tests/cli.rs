//! The command line from outside: what the program prints, on which stream, and with which code it
//! ends.

use std::fs::File;
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 7] = [
    "get", "seed", "create", "show", "check", "scrape", "explain",
];
/// Those about a process that serves many torrents.
const UNATTENDED: [&str; 7] = ["run", "status", "add", "pause", "resume", "remove", "limit"];

/// The options that `get` and `seed` share, each with a value that is taken, if it takes one.
const SHARED: [(&str, &str); 34] = [
    ("-d", "x"),
    ("--dir", "x"),
    ("-p", "0"),
    ("--port", "65535"),
    ("--bind", "::1"),
    ("--proxy", "socks5://127.0.0.1:1080"),
    ("--peer", "[::1]:6881"),
    ("--max-peers", "10"),
    ("--memory", "8M"),
    ("--down", "1.5M"),
    ("--up", "500k"),
    ("--files", "1,3-4"),
    ("--sequential", ""),
    ("--no-dht", ""),
    ("--dht-node", "dht.example:6881"),
    ("--no-pex", ""),
    ("--no-lsd", ""),
    ("--no-web-seeds", ""),
    ("--encryption", "require"),
    ("--no-utp", ""),
    ("--no-trackers", ""),
    ("--allow-local", ""),
    ("--timeout", "0.5"),
    ("--state", "x"),
    ("--recheck", ""),
    ("--overwrite", ""),
    ("--trace", "x"),
    ("--json", ""),
    ("-q", ""),
    ("-v", ""),
    ("-vv", ""),
    ("--quiet", ""),
    ("--verbose", ""),
    ("-h", ""),
];

/// The options of the other commands, and those that `get` alone has.
const OWN: [(&str, &[(&str, &str)]); 7] = [
    (
        "get",
        &[
            ("--seed", ""),
            ("--ratio", "1.5"),
            ("--seed-time", "30"),
            ("--metadata-only", ""),
            ("-o", "x"),
        ],
    ),
    ("seed", &[("--ratio", "1.5"), ("--seed-time", "30")]),
    (
        "create",
        &[
            ("-o", "x"),
            ("--tracker", "http://tracker.example/announce"),
            ("--piece-length", "16384"),
            ("--private", ""),
            ("--web-seed", "http://mirror.example/x"),
            ("--comment", "--x"),
            ("--no-date", ""),
            ("--exclude", "*.tmp"),
            ("--force", ""),
            ("--json", ""),
            ("-q", ""),
            ("--quiet", ""),
            ("-h", ""),
        ],
    ),
    (
        "show",
        &[
            ("-d", "x"),
            ("--dir", "x"),
            ("--json", ""),
            ("--fetch", ""),
            ("--no-trackers", ""),
            ("--timeout", "0.5"),
            ("--state", "x"),
            ("-h", ""),
        ],
    ),
    (
        "check",
        &[
            ("-d", "x"),
            ("--dir", "x"),
            ("--files", "1-"),
            ("--state", "x"),
            ("--json", ""),
            ("-q", ""),
            ("--quiet", ""),
            ("-h", ""),
        ],
    ),
    (
        "scrape",
        &[
            ("--json", ""),
            ("--state", "x"),
            ("--bind", "127.0.0.1"),
            ("--proxy", "socks5://127.0.0.1:1080"),
            ("--allow-local", ""),
            ("-h", ""),
        ],
    ),
    ("explain", &[]),
];

fn brooklet(args: &[&str]) -> Output {
    command(args).output().expect("the program runs")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brooklet"));
    command.args(args).stdin(Stdio::null());
    command.env_remove("RUST_BACKTRACE");
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("what is printed is UTF-8")
}

/// Asserts that a run failed with one line on standard error, nothing on standard output, and this
/// code; hands back the line.
fn refused(args: &[&str], code: i32) -> String {
    let output = brooklet(args);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {line}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    let body = line.strip_prefix("brooklet: ").expect(line);
    let one = body.find('\n') == Some(body.len() - 1);
    assert!(one && body.contains(": "), "{args:?}: {line:?}");
    body.trim_end().to_string()
}

/// Asserts that a run printed a text and nothing else, and hands the text back.
fn printed(args: &[&str]) -> String {
    let output = brooklet(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    assert_eq!(text(&output.stderr), "", "{args:?}");
    text(&output.stdout).to_string()
}

/// Whether a manual names an option, as a word of its own.
fn names(manual: &str, option: &str) -> bool {
    let breaks = |letter: char| letter.is_whitespace() || ",[]()=".contains(letter);
    manual.split(breaks).any(|word| word == option)
}

#[test]
fn wrong_usage_is_said_in_one_line() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["--frobnicate"],
        &["-x"],
        &["help", "frobnicate"],
        &["create", "a", "b"],
        &["show", "a", "b"],
        &["scrape", "a", "b"],
        &["check", "a", "b"],
        &["seed", "--seed", "t"],
        &["show", "-p", "x", "t"],
        &["check", "--ratio", "1", "t"],
    ] {
        refused(args, 2);
    }
    for command in COMMANDS {
        refused(&[command], 2);
        refused(&[command, ""], 2);
        refused(&[command, "--frobnicate", "t"], 2);
        refused(&[command, "t", "-x"], 2);
    }
    for command in UNATTENDED {
        refused(&[command, "--frobnicate", "1"], 2);
        refused(&[command, "", "-x"], 2);
    }
    let line = refused(&["frobnicate"], 2);
    assert_eq!(line, "frobnicate: no such command: see brooklet --help");
    for (args, meant) in [
        (&["sede", "t"][..], "did you mean seed?"),
        (&["download", "t"], "did you mean get?"),
        (&["help", "verify"], "did you mean check?"),
        (&["a.torrent"], "did you mean brooklet get a.torrent?"),
        (&["get", "--sequental", "t"], "did you mean --sequential?"),
        (&["get", "--output", "x", "t"], "did you mean --dir?"),
        (&["check", "--fils", "1", "t"], "did you mean --files?"),
        (&["-v"], "did you mean -V?"),
        (&["get", "--up", "2Mb", "t"], "did you mean 2M (bytes)?"),
        (
            &["check", "a.torrent", "b.torrent"],
            "one torrent at a time",
        ),
    ] {
        assert!(refused(args, 2).contains(meant), "{args:?}");
    }
}

#[test]
fn what_does_not_exist_yet_says_so() {
    for args in [&["explain", "file"][..], &["seed", "--trace", "file", "t"]] {
        assert!(refused(args, 2).contains("not there yet"), "{args:?}");
    }
}

#[test]
fn the_version_is_printed() {
    let expected = format!("brooklet {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&["--version"]), expected);
    assert_eq!(printed(&["-V"]), expected);
}

#[test]
fn help_is_everywhere_and_fits_a_terminal() {
    let program = printed(&["--help"]);
    assert_eq!(printed(&["-h"]), program);
    assert_eq!(printed(&["help"]), program);
    for command in COMMANDS.into_iter().chain(UNATTENDED) {
        assert!(names(&program, command), "{command}");
        let manual = printed(&["help", command]);
        assert_ne!(manual, program, "{command}");
        assert_eq!(printed(&[command, "--help"]), manual);
        assert_eq!(printed(&[command, "-h"]), manual);
        for line in manual.lines().chain(program.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    for command in ["get", "seed"] {
        let manual = printed(&["help", command]);
        assert_eq!(printed(&[command, "-q", "t", "-h"]), manual);
    }
}

/// Each option with its value: of `get` and `seed` what they share too.
fn options(command: &str) -> Vec<(&'static str, &'static str)> {
    let own = OWN.iter().filter(|(name, _)| *name == command);
    let own = own.flat_map(|(_, options)| options.iter().copied());
    let shared = SHARED.iter().copied();
    let shared = shared.filter(|_| ["get", "seed"].contains(&command));
    own.chain(shared).collect()
}

#[test]
fn help_names_every_option() {
    for (command, _) in OWN {
        let manual = printed(&["help", command]);
        for (option, _) in options(command) {
            assert!(names(&manual, option), "{command} {option}");
        }
    }
}

/// Options are read in order, so that help behind an option is printed only if the option was
/// taken.
#[test]
fn every_option_that_help_names_is_taken() {
    for (command, _) in OWN {
        let manual = printed(&["help", command]);
        let lines = manual.lines().map(str::trim_start);
        let words = lines
            .filter(|line| line.starts_with('-'))
            .flat_map(|line| line.split([' ', ',']));
        let mut named: Vec<&str> = words
            .filter(|word| word.starts_with('-') && word.len() > 1)
            .collect();
        named.retain(|option| !["--help", "--trace"].contains(option));
        assert!(
            named.len() + 2 > options(command).len(),
            "{command}: {named:?}"
        );
        for option in named {
            let known = options(command)
                .into_iter()
                .find(|(name, _)| *name == option);
            let (_, value) = known.unwrap_or_else(|| panic!("{command} {option}: unheard of"));
            let args = [command, option, value, "--help"];
            let args = args.iter().copied().filter(|arg| !arg.is_empty());
            assert_eq!(printed(&args.collect::<Vec<_>>()), manual, "{option}");
        }
    }
}

/// Those that say how others are reached are taken wherever others are reached, and those of all
/// torrents by `run`.
#[test]
fn options_about_the_network_are_taken_by_all_commands_that_reach_others() {
    const ABOUT_TORRENTS: [&str; 8] = [
        "-d",
        "--dir",
        "--files",
        "--sequential",
        "--recheck",
        "--overwrite",
        "--trace",
        "-h",
    ];
    let is_shared = |name: &str| !ABOUT_TORRENTS.contains(&name) && !name.starts_with("-v");
    for (command, about_torrents) in [
        ("run", true),
        ("show", false),
        ("scrape", false),
        ("peers", false),
    ] {
        let manual = printed(&["help", command]);
        for (option, value) in SHARED {
            if option == "--trace" || !(about_torrents || is_shared(option)) {
                continue;
            }
            let args = [command, option, value, "--help"];
            let args = args.iter().copied().filter(|arg| !arg.is_empty());
            assert_eq!(printed(&args.collect::<Vec<_>>()), manual, "{option}");
        }
    }
}

#[test]
fn an_option_without_its_value_is_wrong_usage() {
    for (command, _) in OWN {
        let options = options(command).into_iter();
        for (option, _) in options.filter(|(name, value)| !value.is_empty() && *name != "--trace") {
            let line = refused(&[command, "x", option], 2);
            assert!(line.starts_with(option), "{line}");
        }
    }
}

#[test]
fn a_value_that_is_none_is_wrong_usage() {
    for (option, value) in [
        ("--port", "65536"),
        ("--port", "-1"),
        ("--bind", "localhost"),
        ("--proxy", "http://127.0.0.1:1080"),
        ("--proxy", "socks5://127.0.0.1"),
        ("--peer", "host"),
        ("--peer", "::1:6881"),
        ("--max-peers", "0"),
        ("--max-peers", "many"),
        ("--memory", "0"),
        ("--memory", "16 Mb"),
        ("--down", "0"),
        ("--up", "-1"),
        ("--up", "1Kbit"),
        ("--ratio", "-1"),
        ("--ratio", "NaN"),
        ("--seed-time", "1w"),
        ("--dir", ""),
        ("--state", ""),
    ] {
        let line = refused(&["get", &format!("{option}={value}"), "t"], 2);
        assert!(line.starts_with(option), "{line}");
    }
    for (option, value) in [
        ("--piece-length", "0"),
        ("--piece-length", "20000"),
        ("--piece-length", "8K"),
        ("--piece-length", "32M"),
        ("--tracker", "tracker.example"),
        ("--web-seed", "http://"),
    ] {
        let line = refused(&["create", &format!("{option}={value}"), "x"], 2);
        assert!(line.starts_with(option), "{line}");
    }
    for command in ["get", "seed", "show"] {
        refused(&[command, "--json=yes", "t"], 2);
    }
}

#[test]
fn nothing_from_outside_moves_the_cursor() {
    for args in [
        &["\x1b[2J\nbrooklet: forged"][..],
        &["get", "\x1b]0;t\x07"],
        &["get", "--\u{9b}x", "t"],
    ] {
        let output = brooklet(args);
        let line = text(&output.stderr);
        let end = line.strip_suffix('\n').expect("a whole line");
        assert!(!end.chars().any(char::is_control), "{line:?}");
    }
}

#[test]
fn a_torrent_that_is_not_there_or_none_is_named() {
    for command in ["get", "seed", "show", "check", "scrape"] {
        let line = refused(&[command, "/nonexistent/a.torrent"], 1);
        assert!(line.starts_with("/nonexistent/a.torrent: "), "{line}");
        let line = refused(&[command, "/dev"], 1);
        assert!(line.starts_with("/dev: "), "{line}");
        let line = refused(&[command, "/dev/null"], 3);
        assert!(line.starts_with("/dev/null: "), "{line}");
        let line = refused(&[command, "-"], 3);
        assert!(line.starts_with("standard input: "), "{line}");
    }
    let line = refused(&["create", "/nonexistent/a"], 1);
    assert!(line.starts_with("/nonexistent/a: "), "{line}");
}

#[test]
fn a_folder_in_the_place_of_a_new_torrent_is_named() {
    let why = refused(&["create", "Cargo.toml", "-o", "src"], 1);
    assert!(why.contains("src: this is a folder"), "{why}");
}

#[test]
fn events_tell_of_an_early_error_too() {
    let output = brooklet(&["get", "--json", "/dev/null"]);
    assert_eq!(output.status.code(), Some(3));
    let event = text(&output.stdout);
    assert!(event.starts_with(r#"{"event":"error","time":"#), "{event}");
    assert!(event.contains(r#""message":"/dev/null: "#), "{event}");
    assert_eq!(event.lines().count(), 1, "{event}");
    assert_eq!(text(&output.stderr).lines().count(), 1);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = command(&["--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // Closed before anything is read. If the text was faster it lies in the pipe, and all is well
    // anyway.
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn an_output_that_is_full_is_an_error() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let output = command(&["--help"])
        .stdout(full)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    let line = text(&output.stderr);
    assert!(line.starts_with("brooklet: standard output: "), "{line}");
}

/// `script` (bsdutils) runs a command on a terminal of its own.
#[test]
fn colour_is_for_terminals_and_can_be_declined() {
    let shown = |decline: &str| {
        let line = format!("{} frobnicate", env!("CARGO_BIN_EXE_brooklet"));
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]);
        script.env("TERM", "xterm").env("NO_COLOR", decline);
        let output = script.stdin(Stdio::null()).output().expect("script runs");
        assert_eq!(output.status.code(), Some(2));
        text(&output.stdout).to_string()
    };
    assert!(shown("").contains("\x1b["), "{:?}", shown(""));
    assert!(!shown("1").contains('\x1b'), "{:?}", shown("1"));
}
