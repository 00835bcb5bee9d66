//! What a user without peers is told, and when.

use super::*;
use Family::{V4, V6};

const DIALS: Dials = Dials {
    under_way: 1,
    waiting: 3,
};

fn at(secs: u64) -> Time {
    Time::default() + Duration::from_secs(secs)
}

fn search(outcomes: &[Option<Result<usize, &str>>]) -> Explanation {
    let urls = (0..outcomes.len()).map(|n| format!("udp://t{n}"));
    let urls: Vec<String> = urls.collect();
    let mut search = Explanation::new(std::slice::from_ref(&urls), false, at(0));
    for (url, outcome) in urls.iter().zip(outcomes) {
        if let Some(outcome) = outcome {
            search.on_tracker(url, outcome.map_err(str::to_owned));
        }
    }
    search
}

#[test]
fn the_reasons_are_named() {
    let no = Some(Err("no answer"));
    for (outcomes, words) in [
        (
            &[][..],
            "no tracker is asked; name a peer with --peer HOST:PORT",
        ),
        (&[no], "its tracker failed (udp://t0: no answer)"),
        (&[None], "its tracker is silent so far"),
        (&[Some(Ok(0))], "its tracker is without a peer"),
        (&[no, no], "all 2 trackers failed (udp://t0: no answer)"),
        (
            &[Some(Ok(0)), no, None, Some(Ok(2)), no],
            "of 5 trackers 2 failed (udp://t1: no answer), 1 silent so far, \
             1 without a peer, 1 with peers",
        ),
    ] {
        let expected = format!("no peer is connected: {words}");
        assert_eq!(search(outcomes).words(Dials::default()), expected);
    }
    let mut search = search(&[Some(Ok(3))]);
    search.on_failed("it refused the connection");
    search.on_failed("it refused the connection");
    search.dht = true;
    search.on_lookup(V4, (8, 2), false);
    assert_eq!(
        search.words(DIALS),
        "no peer is connected: its tracker is with peers; \
         DHT: nodes: 8, peers: 2; dials of peers: 2 failed (it refused the connection), 1 not answered yet, 3 to come"
    );
    search.on_lookup(V4, (0, 0), false);
    assert!(
        search
            .words(Dials::default())
            .contains("; DHT: no node answers; dials")
    );
    for number in 0..1000 {
        search.on_failed(&number.to_string());
    }
    assert_eq!(search.failed.len(), limits::ALONE_REASONS + 1);
}

#[test]
fn it_is_said_within_seconds_and_then_rarely() {
    let mut search = search(&[None]);
    assert_eq!(search.tell_at(true), None, "not before it is alone");
    search.set_alone(true, at(100));
    assert_eq!(search.tell_at(true), Some(at(100) + limits::TRACKER_HURRY));
    assert_eq!(search.tell_at(false), Some(at(100) + limits::ALONE));
    assert!(limits::ALONE < Duration::from_secs(10));
    let mut told = Vec::new();
    for secs in 100..100 + 3600 {
        // A peer comes and goes, now and then.
        search.set_alone(secs % 100 != 0, at(secs));
        told.extend(search.tells(false, at(secs)).then_some(secs));
    }
    assert_eq!(told.len(), 7, "{told:?}");
    assert!(told[1] - told[0] >= limits::ALONE_SECOND.as_secs());
    let again = limits::ALONE_AGAIN.as_secs();
    let rarely = |told: &[u64]| told.windows(2).all(|two| two[1] - two[0] >= again);
    assert!(rarely(&told[1..]), "{told:?}");
}

/// A link without trackers: nothing was said for ten minutes when no node answered.
#[test]
fn a_search_by_the_dht_alone_is_explained_once_it_has_ended_and_after_a_minute() {
    let mut search = Explanation::new(&[], true, at(0));
    search.set_alone(true, at(0));
    let early = Some(at(0) + limits::ALONE);
    assert_eq!(search.tell_at(true), early, "a lookup goes on");
    assert!(search.tells(true, at(8)));
    let start = "no peer is connected: no tracker is asked; DHT: ";
    let advice = "; name a peer with --peer HOST:PORT";
    let expected = format!("{start}the first lookup goes on{advice}");
    assert_eq!(search.words(Dials::default()), expected);
    search.on_lookup(V4, (0, 0), false);
    assert_eq!(search.tell_at(true), Some(at(68)));
    assert_eq!(
        search.words(Dials::default()),
        format!("{start}no node answers{advice}")
    );
    search.on_lookup(V4, (20, 0), false);
    assert_eq!(
        search.words(Dials::default()),
        format!("{start}nodes: 20, peers: 0")
    );
}

/// The lookup over IPv6 mostly ends last, often without an answer: it hid the one over IPv4.
#[test]
fn the_lookups_of_both_families_count() {
    let mut search = Explanation::new(&[], true, at(0));
    search.on_lookup(V6, (0, 0), true);
    assert_eq!(search.looked(), None, "the other one goes on");
    search.on_lookup(V4, (20, 1), true);
    search.on_lookup(V6, (0, 0), true);
    assert_eq!(search.looked(), Some((20, 1)));
    search.on_lookup(V6, (3, 4), true);
    assert_eq!(search.looked(), Some((23, 5)));
    let none = |search: &mut Explanation| {
        search.on_lookup(V4, (0, 0), true);
        search.on_lookup(V6, (0, 0), true);
    };
    none(&mut search);
    assert_eq!(search.looked(), Some((0, 0)));
    let mut search = Explanation::new(&[], true, at(0));
    none(&mut search);
    assert_eq!(search.looked(), Some((0, 0)));
}

#[test]
fn metadata_that_do_not_come_are_explained_after_a_minute_and_then_rarely() {
    let mut search = search(&[]);
    let stuck = limits::METADATA_STUCK.as_secs();
    let mut told = Vec::new();
    for secs in 0..3600 {
        // A block comes early on, and once more after half an hour.
        let blocks = u32::from(secs >= 30) + u32::from(secs >= 1800);
        search.set_fetched(Some(blocks), at(secs));
        told.extend(search.tells(false, at(secs)).then_some(secs));
    }
    assert_eq!(told.first(), Some(&(30 + stuck)));
    let again = limits::ALONE_AGAIN.as_secs();
    let rarely = |told: &[u64]| told.windows(2).all(|two| two[1] - two[0] >= again);
    assert!(rarely(&told[1..]), "{told:?}");
    search.set_fetched(None, at(5000));
    assert_eq!(search.tell_at(false), None);
    let words = |peers, refusing| {
        let blocks = (1, 6);
        Explanation::fetch_words(
            Reached {
                peers,
                refusing,
                blocks,
            },
            3,
        )
    };
    let start = "the torrent itself does not come: peers connected: 3, ";
    let hint = "; if it is a private torrent, clients do not give it: get its .torrent";
    assert_eq!(words(0, 0), format!("{start}none of them has it yet{hint}"));
    assert_eq!(
        words(2, 2),
        format!("{start}of 2 that have it all refuse to send it{hint}")
    );
    assert_eq!(
        words(2, 1),
        format!("{start}2 have it, 1 refuse, blocks: 1 of 6")
    );
}

#[test]
fn time_without_progress_counts_from_the_last_byte() {
    let mut search = search(&[]);
    search.restart(at(10));
    assert_eq!(search.on_moved(0, at(20)), at(10));
    assert_eq!(search.on_moved(1, at(30)), at(30));
    assert_eq!(search.on_moved(1, at(90)), at(30));
    assert_eq!(search.patient_until(Duration::from_secs(60)), at(90));
}
