//! A session and its trackers: what they say reaches the user and the peers that they name, and
//! what they do not say keeps nobody up.

use std::net::SocketAddr;

use brooklet::base::{Duration, limits};
use brooklet::session::{Command, State, command, view};
use brooklet::torrent::Report;
use brooklet::tracker::{Action, Id, Input};

use crate::session::Bench;

const URL: &str = "http://192.0.2.9:6969/announce";

/// A download that asks a tracker.
fn asking() -> Bench {
    let mut bench = Bench::getter(4, &[]);
    bench.begins(|_, order| order.trackers = vec![vec![URL.to_string()]]);
    bench.turn();
    bench
}

/// The connection to the tracker that is being made, and what it is to be asked.
fn connection(bench: &mut Bench) -> Option<(Id, String)> {
    let actions = std::mem::take(&mut bench.announces);
    actions.into_iter().find_map(|action| match action {
        Action::Connect {
            id, addr, request, ..
        } => {
            assert_eq!(addr.to_string(), "192.0.2.9:6969");
            Some((id, String::from_utf8(request).unwrap()))
        }
        _ => None,
    })
}

/// The tracker answers with this body.
fn answers(bench: &mut Bench, id: Id, body: &[u8]) {
    let now = bench.now;
    let bytes = &[b"HTTP/1.1 200 OK\r\n\r\n", body].concat();
    for input in [
        Input::Connected { id },
        Input::Bytes { id, bytes },
        Input::Closed { id, how: &Ok(()) },
    ] {
        bench.session.handle_tracker(input, now);
    }
    bench.turn();
}

/// A download whose tracker knows it.
fn known() -> Bench {
    let mut bench = asking();
    let (id, _) = connection(&mut bench).expect("it is asked");
    answers(&mut bench, id, b"d8:intervali1800e5:peers0:e");
    bench
}

/// One that was told to end, the connection on which it tells its tracker, and how.
fn stopping() -> (Bench, Id, String) {
    let mut bench = known();
    bench.session.stop_all("SIGINT", bench.now);
    bench.turn();
    let (id, request) = connection(&mut bench).expect("it is told");
    (bench, id, request)
}

fn outcomes(bench: &Bench) -> Vec<Result<usize, String>> {
    let outcomes = bench.reports.iter().filter_map(|report| match report {
        Report::Tracker { url, outcome, .. } if url == URL => Some(outcome.clone()),
        _ => None,
    });
    outcomes.collect()
}

#[test]
fn peers_that_a_tracker_names_are_dialed_and_its_warning_is_passed_on() {
    let mut bench = asking();
    let (id, request) = connection(&mut bench).expect("it is asked");
    assert!(request.contains("event=started") && request.contains("left=131072"));
    let body = b"d8:intervali1800e5:peers6:\xc0\x00\x02\x07\x1a\xe115:warning message4:slowe";
    answers(&mut bench, id, body);
    assert_eq!(outcomes(&bench), [Ok(1)]);
    let warning = Report::TrackerWarning {
        url: URL.to_string(),
        message: "slow".to_string(),
    };
    assert!(bench.reports.contains(&warning));
    bench.wait(Duration::from_secs(1));
    let peer = SocketAddr::from(([192, 0, 2, 7], 6881));
    assert!(bench.dialled(peer).is_some());
}

#[test]
fn a_tracker_that_fails_is_asked_again_later() {
    let mut bench = asking();
    let (id, _) = connection(&mut bench).expect("it is asked");
    let now = bench.now;
    let how = &Err("connection refused".to_string());
    bench.session.handle_tracker(Input::Closed { id, how }, now);
    bench.turn();
    let [Err(why)] = &outcomes(&bench)[..] else {
        panic!("it is told once");
    };
    assert!(why.contains("connection refused"), "{why}");
    assert_eq!(connection(&mut bench), None);
    // Within half an hour at most, whatever came before.
    bench.wait(limits::TRACKER_BACKOFF_MOST);
    assert!(connection(&mut bench).is_some());
}

#[test]
fn trackers_are_told_of_the_end_and_name_nobody_any_more() {
    let (mut bench, id, request) = stopping();
    assert!(request.contains("event=stopped"));
    assert!(!bench.session.is_over());
    let body = b"d8:intervali1800e5:peers6:\xc0\x00\x02\x07\x1a\xe1e";
    answers(&mut bench, id, body);
    assert!(bench.session.is_over());
    bench.wait(Duration::from_secs(1));
    let peer = SocketAddr::from(([192, 0, 2, 7], 6881));
    assert_eq!(bench.dialled(peer), None);
}

#[test]
fn a_tracker_that_does_not_answer_at_the_end_is_not_waited_for_long() {
    let (mut bench, id, _) = stopping();
    let connected = Input::Connected { id };
    bench.session.handle_tracker(connected, bench.now);
    let due = bench.session.next_deadline().expect("it is waited for");
    assert!(due <= bench.now + limits::FAREWELL);
    assert!(!bench.session.is_over());
    bench.wait(limits::FAREWELL);
    assert!(bench.session.is_over());
    let aborted = |action: &Action| matches!(action, Action::Abort { id: other } if *other == id);
    assert!(bench.announces.iter().any(aborted), "{:?}", bench.announces);
}

fn does(bench: &mut Bench, command: Command) {
    assert_eq!(
        command::perform(&mut bench.session, command, bench.now),
        Ok(())
    );
    bench.turn();
}

fn states(bench: &Bench) -> Vec<State> {
    let torrents = view::snapshot(&bench.session, bench.now)
        .torrents
        .into_iter();
    torrents.map(|torrent| torrent.state).collect()
}

#[test]
fn a_torrent_that_is_removed_is_out_of_sight_while_its_tracker_is_told() {
    let mut bench = known();
    let (torrent, data) = (bench.torrent, false);
    does(&mut bench, Command::Remove { torrent, data });
    assert!(connection(&mut bench).is_some() && bench.closed.is_empty());
    assert_eq!(states(&bench), []);
    bench.wait(limits::FAREWELL);
    assert_eq!(bench.closed, [(torrent, false)]);
}

#[test]
fn a_torrent_that_has_failed_is_steered_while_its_tracker_is_told() {
    for removes in [false, true] {
        let mut bench = known();
        let torrent = bench.torrent;
        bench.session.fail(torrent, "no room".into(), bench.now);
        bench.turn();
        assert!(connection(&mut bench).is_some());
        for (command, state) in [
            (Command::Pause(torrent), State::Failed),
            (Command::Resume(torrent), State::Checking),
            (Command::Pause(torrent), State::Paused),
            (Command::Resume(torrent), State::Checking),
        ] {
            // In whatever order: it is not opened anew before its tracker knows.
            does(&mut bench, command);
            let view = view::snapshot(&bench.session, bench.now).torrents;
            assert_eq!(view[0].state, state, "{command:?}");
            assert_eq!(bench.reopened, [0; 0]);
        }
        if removes {
            let data = true;
            does(&mut bench, Command::Remove { torrent, data });
            assert_eq!(states(&bench), []);
        }
        bench.wait(limits::FAREWELL);
        assert_eq!(bench.reopened.len(), usize::from(!removes));
        assert_eq!(bench.closed.len(), usize::from(removes));
    }
}
