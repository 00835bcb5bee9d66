//! The progress line on a terminal, which `script` (bsdutils) makes.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::support::bench::{Bench, SOON};
use crate::support::child::{Child, Stream, command};
use crate::support::installed;
use crate::support::json::Json;
use crate::support::peer::{Manners, Peer};

const MIB: usize = 1024 * 1024;

/// Runs a shell's script on a terminal of its own; all that is shown there comes out of the child's
/// standard output.
fn on_terminal(dir: &Path, text: &str) -> Option<Child> {
    if !installed(&["script", "stty", "mkfifo"]) {
        return None;
    }
    let program = env!("CARGO_BIN_EXE_brooklet");
    let path = dir.join("script.sh");
    fs::write(&path, text.replace("BROOKLET", program)).unwrap();
    let mut script = command(None, "script");
    let line = format!("sh {}", path.display());
    script.args(["-qefc", &line, "/dev/null"]).current_dir(dir);
    script.env("TERM", "xterm").env("XDG_STATE_HOME", dir);
    Some(Child::spawn("script", &mut script))
}

#[test]
fn a_window_that_is_made_narrower_keeps_no_remains() {
    let bench = Bench::new(1, 8 * MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let fifo = bench.dir.join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()));
    // Open for both, it takes a line though the script should be gone, and keeps what is not read.
    let both = fs::File::options().read(true).write(true).open(&fifo);
    let mut told = both.unwrap();
    let script = format!(
        "stty cols 100 rows 24\n\
         BROOKLET get torrent -d content -p 0 --bind 127.0.0.1 --down 64K --peer {} &\n\
         read line < fifo\n\
         stty cols 24\n\
         read line < fifo\n\
         kill $!\n\
         wait\n",
        seed.addr()
    );
    let Some(mut child) = on_terminal(&bench.dir, &script) else {
        return;
    };
    // Cut off where the terminal is told not to wrap, and where it may again.
    let drawn = |line: &str| {
        let (_, rest) = line.split_once("\x1b[?7l")?;
        rest.split_once("\x1b[?7h")
            .map(|(text, _)| text.to_string())
    };
    child.find("a wide line", SOON, |_, line| {
        drawn(line).filter(|text| text.contains("peer") && text.len() > 24)
    });
    told.write_all(b"narrower\n").unwrap();
    let mut seen = 0;
    child.find("narrow lines", SOON, |_, line| {
        // The first one may have been on its way.
        seen += usize::from(drawn(line).is_some_and(|text| text.len() <= 23));
        (seen > 2).then_some(())
    });
    told.write_all(b"end\n").unwrap();
    child.exit(SOON);
    let all = child.text(Stream::Out);
    let first = all
        .lines()
        .position(|line| drawn(line).is_some_and(|text| text.len() <= 23));
    let until = |line: &&str| !line.contains("stopped");
    for line in all.lines().skip(first.unwrap()).take_while(until) {
        let text = drawn(line).unwrap_or_default();
        assert!(text.len() <= 23, "{text}");
        // Each line takes away the last one and the rows that it may have been folded into.
        assert!(text.is_empty() || line.starts_with("\x1b[J"), "{line:?}");
    }
}

#[test]
fn events_on_a_terminal_are_not_mixed_with_progress() {
    let bench = Bench::new(2, MIB);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let script = format!(
        "stty cols 100 rows 24\n\
         BROOKLET get torrent -d content -p 0 --bind 127.0.0.1 --down 512K --json --peer {}\n",
        seed.addr()
    );
    let Some(mut child) = on_terminal(&bench.dir, &script) else {
        return;
    };
    assert_eq!(child.code(SOON), 0);
    let all = child.text(Stream::Out);
    assert!(all.lines().count() > 10, "{all}");
    for line in all.lines() {
        assert!(Json::parse(line).is_ok(), "{line:?}");
    }
}
