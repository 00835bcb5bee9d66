//! `started`, `completed`, `stopped`: each to whom it concerns, once.

use super::*;

const A: &str = "http://10.0.0.1/announce";
const B: &str = "http://10.0.0.2/announce";

/// BEP 3: "An announcement using started is sent when a download first begins, and one using
/// completed is sent when the download is complete. […] Downloaders send an announcement using
/// stopped when they cease downloading."
#[test]
fn events_come_once_each() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    assert_eq!(get.event(), "started");
    bench.answer(&get, FINE);
    bench.pass(600);
    bench.trackers.set_totals(0, 1000, 0);
    bench.trackers.completed(&mut bench.shared, bench.now);
    bench.trackers.completed(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!((get.event(), get.param("left")), ("completed", Some("0")));
    bench.answer(&get, FINE);
    bench.trackers.completed(&mut bench.shared, bench.now);
    bench.quiet();
    bench.pass(1800);
    let get = bench.get();
    assert_eq!(get.event(), "");
    bench.answer(&get, FINE);
    bench.said();
    bench.trackers.stop(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!((get.event(), get.param("numwant")), ("stopped", Some("0")));
    assert!(!bench.trackers.is_idle());
    bench.answer(&get, PEER);
    bench.quiet();
    assert!(bench.trackers.is_idle());
    assert!(
        bench.said().is_empty(),
        "nobody asks who is there on the way out"
    );
    bench.trackers.stop(&mut bench.shared, bench.now);
    bench.trackers.start(&mut bench.shared, bench.now);
    bench.trackers.want_peers(&mut bench.shared, bench.now);
    bench.pass(10_000);
    bench.quiet();
    assert_eq!(bench.idle_for(), None);
}

/// BEP 3: "No completed is sent if the file was complete when started."
#[test]
fn a_seed_does_not_complete() {
    let mut bench = Bench::new(&[&[A]]);
    bench.trackers.set_totals(0, 0, 0);
    bench.trackers.start(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(get.event(), "started");
    bench.answer(&get, FINE);
    bench.trackers.completed(&mut bench.shared, bench.now);
    bench.quiet();
    assert_eq!(bench.idle_for(), Some(1800));
}

#[test]
fn events_are_told_until_they_are_heard() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.refuse(&get);
    bench.pass(15);
    let get = bench.get();
    assert_eq!(get.event(), "started");
    bench.answer(&get, FINE);
    bench.trackers.completed(&mut bench.shared, bench.now);
    for wait in [30, 30] {
        let get = bench.get();
        assert_eq!(get.event(), "completed");
        bench.answer(&get, "d14:failure reason4:busye");
        bench.pass(wait);
    }
    let get = bench.get();
    assert_eq!(get.event(), "completed");
    bench.answer(&get, FINE);
    assert_eq!(bench.idle_for(), Some(1800));
}

#[test]
fn a_download_that_completes_while_no_tracker_answers_is_told_in_order() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.trackers.completed(&mut bench.shared, bench.now);
    bench.quiet();
    bench.answer(&get, FINE);
    bench.pass(0);
    let get = bench.get();
    assert_eq!(get.event(), "completed", "at once behind started");
    bench.answer(&get, FINE);
    bench.quiet();
}

/// A family that answered once and fails since is not a reason to announce again and again.
#[test]
fn an_event_that_one_family_missed_waits_for_the_next_announce() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    let both = ["10.0.0.1", "::1"];
    let (id, _) = bench.lookup();
    bench.found(id, &both);
    for _ in 0..2 {
        let get = bench.get();
        bench.answer(&get, FINE);
    }
    bench.trackers.completed(&mut bench.shared, bench.now);
    let (id, _) = bench.lookup();
    bench.found(id, &both);
    let (v4, v6) = (bench.get(), bench.get());
    assert_eq!((v4.event(), v6.event()), ("completed", "completed"));
    bench.answer(&v4, FINE);
    bench.refuse(&v6);
    assert_eq!(bench.idle_for(), Some(1800));
    bench.pass(1800);
    let (id, _) = bench.lookup();
    bench.found(id, &both);
    assert_eq!(
        (bench.get().event(), bench.get().event()),
        ("", "completed")
    );
}

#[test]
fn all_trackers_that_know_us_are_told_that_we_leave() {
    let mut bench = Bench::started(&[&[A], &[B], &["http://10.0.0.3/announce"]]);
    let get = bench.get();
    bench.answer(&get, FINE);
    bench.pass(1800);
    let get = bench.get();
    bench.refuse(&get);
    let get = bench.get();
    assert_eq!(
        (get.addr.ip().to_string().as_str(), get.event()),
        ("10.0.0.2", "started")
    );
    bench.answer(&get, FINE);
    bench.trackers.stop(&mut bench.shared, bench.now);
    let (a, b) = (bench.get(), bench.get());
    let told = [&a, &b].map(|get| (get.addr.ip().to_string(), get.event().to_owned()));
    let stopped = String::from("stopped");
    assert_eq!(
        told,
        [
            (String::from("10.0.0.1"), stopped.clone()),
            (String::from("10.0.0.2"), stopped)
        ]
    );
    bench.quiet();
    bench.answer(&a, FINE);
    assert!(!bench.trackers.is_idle());
    bench.refuse(&b);
    bench.quiet();
    assert!(bench.trackers.is_idle(), "said once, heard or not");
}

#[test]
fn leaving_looks_up_no_names_and_takes_two_seconds_at_most() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1"]);
    let get = bench.get();
    bench.answer(&get, FINE);
    bench.trackers.stop(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(get.addr.to_string(), "10.0.0.1:80");
    bench.pass(1);
    assert!(!bench.trackers.is_idle(), "there is time for an answer");
    bench.pass(1);
    assert!(matches!(bench.next(), Some(Action::Abort { id }) if id == get.id));
    bench.quiet();
    assert!(bench.trackers.is_idle());
}

#[test]
fn completing_and_leaving_at_once_tells_both() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.answer(&get, FINE);
    bench.trackers.set_totals(0, 1000, 0);
    bench.trackers.completed(&mut bench.shared, bench.now);
    let aborted = bench.get();
    bench.trackers.stop(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_ne!(aborted.id, get.id, "that one was not connected yet");
    assert_eq!(get.event(), "completed");
    bench.answer(&get, FINE);
    let get = bench.get();
    assert_eq!((get.event(), get.param("left")), ("stopped", Some("0")));
    bench.answer(&get, FINE);
    bench.quiet();
    assert!(bench.trackers.is_idle());
}

#[test]
fn a_question_that_the_tracker_has_read_is_ended_in_order() {
    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.hear_connected(get.id);
    bench.trackers.set_totals(0, 1000, 0);
    bench.trackers.completed(&mut bench.shared, bench.now);
    bench.trackers.stop(&mut bench.shared, bench.now);
    bench.quiet();
    assert!(!bench.trackers.is_idle());
    bench.answer(&get, PEER);
    for event in ["completed", "stopped"] {
        let get = bench.get();
        assert_eq!(get.event(), event);
        bench.answer(&get, FINE);
    }
    bench.quiet();
    assert!(bench.trackers.is_idle());
}

#[test]
fn each_family_is_left_as_soon_as_it_can_be() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1", "::1"]);
    let (v4, v6) = (bench.get(), bench.get());
    bench.answer(&v4, FINE);
    bench.hear_connected(v6.id);
    bench.trackers.stop(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!((get.addr, get.event()), (v4.addr, "stopped"));
    bench.answer(&get, FINE);
    bench.quiet();
    bench.answer(&v6, FINE);
    let get = bench.get();
    assert_eq!((get.addr, get.event()), (v6.addr, "stopped"));
    bench.answer(&get, FINE);
    assert!(bench.trackers.is_idle());
}

#[test]
fn a_tracker_that_never_heard_of_us_is_told_nothing() {
    let mut bench = Bench::started(&[&["http://t/announce"]]);
    bench.lookup();
    bench.trackers.stop(&mut bench.shared, bench.now);
    bench.quiet();
    assert!(bench.trackers.is_idle());

    let mut bench = Bench::started(&[&[A]]);
    let get = bench.get();
    bench.trackers.stop(&mut bench.shared, bench.now);
    assert!(matches!(bench.next(), Some(Action::Abort { id }) if id == get.id));
    bench.quiet();
    assert!(bench.trackers.is_idle());

    let mut bench = Bench::new(&[&[A]]);
    bench.trackers.stop(&mut bench.shared, bench.now);
    bench.quiet();
    assert!(bench.trackers.is_idle());
}
