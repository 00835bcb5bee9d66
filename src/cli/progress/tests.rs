//! What each kind of terminal shows.

use super::*;
use crate::base::InfoHash;

const HALF: Progress = Progress {
    done: 999_999,
    size: 1_000_000,
    down_rate: 1,
    up_rate: 2_048,
    peers: 1,
    web_seeds: 0,
    checking: None,
};

#[test]
fn the_line_says_all_and_gives_up_the_last_first() {
    let all = "99.9%  977 of 977 KiB  down 1 B/s  up 2.00 KiB/s  1 peer  1s left";
    let tight = all.replace("  ", " ");
    assert_eq!(describe(&HALF, all.len()), all);
    for (web_seeds, words) in [
        (1, "1 peer  1 web seed  1s"),
        (3, "1 peer  3 web seeds  1s"),
    ] {
        let line = describe(&Progress { web_seeds, ..HALF }, 200);
        assert!(line.contains(words), "{line}");
    }
    for columns in 0..all.len() {
        let line = describe(&HALF, columns);
        assert!(line.len() <= columns && tight.starts_with(&line));
    }
    assert_eq!(describe(&HALF, tight.len()), tight);
    assert!(describe(&HALF, tight.len() - 1).ends_with("1 peer"));
}

#[test]
fn only_what_is_whole_is_a_hundred_percent() {
    assert_eq!(percent(u64::MAX - 1, u64::MAX), "99.9%");
    assert_eq!(percent(5, 5), "100.0%");
    assert_eq!(percent(0, 0), "100.0%");
    assert_eq!(percent(0, 9), "0.0%");
}

#[test]
fn no_time_is_named_that_nobody_knows() {
    let stalled = Progress {
        down_rate: 0,
        ..HALF
    };
    let endless = Progress {
        done: 0,
        size: u64::MAX,
        ..HALF
    };
    let whole = Progress {
        done: 1_000_000,
        ..HALF
    };
    assert_eq!(
        [stalled, endless, whole].map(|progress| left(&progress)),
        [None, None, None]
    );
}

/// What is known while peers are asked for the torrent itself, and that nothing of it is there.
#[test]
fn a_torrent_that_peers_are_asked_for_has_a_line_of_its_own() {
    let now = Instant::now();
    let mut board = Board::new(Style::Plain);
    let start = Report::Start {
        name: String::from("n"),
        info_hash: InfoHash([0; 20]),
        content: None,
        port: 6881,
    };
    let line = |show: Option<Show>| match show {
        Some(Show::Line(line)) => line,
        other => panic!("{other:?}"),
    };
    let first = line(board.note(0, &start, now));
    assert_eq!(first, "n: asking peers for the torrent, port: 6881");
    let mut reached = Reached::default();
    let mut waiting = |nodes, found, seconds: u64| {
        let report = Report::Waiting {
            nodes,
            found,
            reached,
        };
        reached.peers += 1;
        board.note(0, &report, now);
        let progress = Progress {
            peers: 1,
            ..Progress::default()
        };
        let at = now + Duration::from_secs(seconds);
        line(board.note(0, &Report::Progress(progress), at))
    };
    assert_eq!(
        waiting(None, 0, 10),
        "n: asking for the torrent  0 peers found  1 connected  0 with it"
    );
    assert_eq!(
        waiting(Some(9), 1, 20),
        "n: asking for the torrent  9 nodes  1 peer found  1 connected  1 with it"
    );
    let reason = String::from("SIGINT");
    let stopped = line(board.note(0, &Report::Stopped { reason }, now));
    assert_eq!(
        stopped,
        "n: stopped (SIGINT) before peers have sent the torrent"
    );
}

/// A terminal of eighty columns shows all of it to its end.
#[test]
fn the_line_of_a_torrent_that_peers_are_asked_for_fits() {
    let mut meter = Meter::new();
    let mut line = |found, blocks, columns| {
        let (peers, refusing) = (12, 0);
        let reached = Reached {
            peers,
            refusing,
            blocks,
        };
        meter.waiting = Some((Some(48), found, reached));
        meter.last.peers = 25;
        meter.words(columns)
    };
    let start = "asking for the torrent  48 nodes  9 peers found  25 connected  12 with it";
    assert_eq!(line(9, (0, 0), 80), start);
    assert_eq!(
        line(1_234, (100, 1_999), 80),
        "asking  48 nodes  1234 peers found  25 connected  12 with it  100 of 1999 blocks"
    );
    for columns in 0..120 {
        assert!(line(9, (3, 8), columns).len() <= columns);
    }
    let tight = line(9, (3, 8), 60);
    assert_eq!(
        tight,
        "asking  48 nodes  9 peers found  25 connected  12 with it  3"
    );
}

/// There is nothing to ask peers for.
#[test]
fn a_torrent_without_content_is_known() {
    let start = Report::Start {
        name: String::from("n"),
        info_hash: InfoHash([0; 20]),
        content: Some((0, 0)),
        port: 6881,
    };
    let line = String::from("n: 0 B, pieces: 0, port: 6881");
    let shown = Board::new(Style::Plain).note(0, &start, Instant::now());
    assert_eq!(shown, Some(Show::Line(line)));
}

#[test]
fn checking_has_a_line_of_its_own() {
    let checking = Progress {
        checking: Some((1_024, 4_096)),
        ..HALF
    };
    assert_eq!(describe(&checking, 80), "checking 25.0%  1.00 of 4.00 KiB");
}

fn start() -> Report {
    Report::Start {
        name: String::from("n\x1b[2J"),
        info_hash: InfoHash([0; 20]),
        content: Some((1_000_000, 62)),
        port: 6881,
    }
}

#[test]
fn plain_lines_come_at_the_start_every_ten_seconds_and_at_the_end() {
    let start_at = Instant::now();
    let mut meter = Board::new(Style::Plain);
    let first = meter.note(0, &start(), start_at);
    let expected = "n\\x1b[2J: 977 KiB, pieces: 62, port: 6881";
    assert_eq!(first, Some(Show::Line(String::from(expected))));
    let mut said = Vec::new();
    for second in 0..60_u64 {
        let done = second.min(30) * 1_000;
        let report = Report::Progress(Progress { done, ..HALF });
        if let Some(show) = meter.note(0, &report, start_at + Duration::from_secs(second)) {
            assert!(matches!(show, Show::Line(_)));
            said.push(second);
        }
    }
    assert_eq!(said, [10, 20, 30], "and none while nothing changes");
    let stopped = Report::Stopped {
        reason: String::from("SIGINT"),
    };
    match meter.note(0, &stopped, start_at + Duration::from_secs(60)) {
        Some(Show::Line(line)) => {
            assert!(
                line.ends_with("stopped (SIGINT) at 3.0%, 29.3 of 977 KiB"),
                "{line}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_share_is_named_of_a_torrent_that_is_not_known() {
    let start = Report::Start {
        name: String::from("n"),
        info_hash: InfoHash([0; 20]),
        content: None,
        port: 6881,
    };
    let (now, mut board) = (Instant::now(), Board::new(Style::Plain));
    board.note(0, &start, now);
    let reason = String::from("SIGINT");
    let line = String::from("n: stopped (SIGINT) before peers have sent the torrent");
    let stopped = Report::Stopped { reason };
    assert_eq!(board.note(0, &stopped, now), Some(Show::Line(line)));
    // What is written is no warning.
    let written = Report::Written(String::from("n.torrent"));
    let line = String::from("n.torrent: written");
    assert_eq!(board.note(0, &written, now), Some(Show::Line(line)));
}

#[test]
fn several_torrents_have_a_line_each_up_to_what_fits() {
    let now = Instant::now();
    let mut board = Board::new(Style::Redrawn(80));
    for torrent in 0..5 {
        board.note(torrent, &start(), now);
        board.note(torrent, &Report::Progress(HALF), now);
    }
    board.note(5, &start(), now);
    let lines = board.lines(40, 24);
    assert!(lines[5].starts_with("n\\x1b[2J  0.0%"), "{}", lines[5]);
    let reason = String::from("complete");
    board.note(5, &Report::Stopped { reason }, now);
    let lines = board.lines(40, 24);
    assert_eq!(lines.len(), 5);
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("n\\x1b[2J  99.9%")),
        "{lines:?}"
    );
    assert!(lines.iter().all(|line| line.len() <= 40), "{lines:?}");
    let lines = board.lines(40, 4);
    assert_eq!((lines.len(), lines[2].as_str()), (3, "and 3 more"));
    let reason = String::from("complete");
    board.note(3, &Report::Stopped { reason }, now);
    assert_eq!(board.lines(40, 24).len(), 4);
}

#[test]
fn a_terminal_has_one_line_and_quiet_has_none() {
    let now = Instant::now();
    let mut meter = Board::new(Style::Redrawn(30));
    meter.note(0, &start(), now);
    for _ in 0..3 {
        let Some(Show::Status(lines)) = meter.note(0, &Report::Progress(HALF), now) else {
            panic!("no status line");
        };
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
    let mut quiet = Board::new(Style::Hidden);
    assert_eq!(quiet.note(0, &start(), now), None);
    assert_eq!(quiet.note(0, &Report::Progress(HALF), now), None);
}
