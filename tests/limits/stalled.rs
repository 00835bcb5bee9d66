//! Downloads that get nothing do not keep others waiting.

use brooklet::base::{Duration, limits};
use brooklet::session::{State, extending, view};
use brooklet::torrent::Order;

use crate::session::Bench;

const INSTANT: Duration = Duration::from_micros(1);

fn queued(bench: &Bench) -> Vec<u32> {
    let view = view::snapshot(&bench.session, bench.now);
    let queued = view.torrents.iter();
    let queued = queued.filter(|torrent| torrent.state == State::Queued);
    queued.map(|torrent| torrent.number).collect()
}

/// Downloads of which so many may be active; the first is the bench's torrent.
fn downloads(count: usize, active: usize) -> Bench {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|config, _| config.active = Some(active));
    for number in 1..count {
        bench.adds(&number.to_string(), |_| ());
    }
    bench.turn();
    bench
}

/// A peer comes and sends the first torrent a block.
fn gets_a_block(bench: &mut Bench, number: u8) {
    let peer = bench.join(number, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let asked = bench.hears(peer).into_iter();
    let first = asked.filter(|said| said.starts_with("request ")).take(1);
    let first: Vec<String> = first.collect();
    assert_eq!(first.len(), 1);
    bench.sends_blocks(peer, &first);
}

#[test]
fn time_after_which_a_download_that_gets_nothing_does_not_count() {
    let mut bench = downloads(3, 1);
    let half = limits::STALLED / 2;
    bench.wait(half);
    gets_a_block(&mut bench, 1);
    bench.wait(limits::STALLED - INSTANT);
    assert_eq!(queued(&bench), [2, 3]);
    bench.wait(INSTANT);
    assert_eq!(queued(&bench), [3], "the first does not count any more");
    // It goes on all the same. What it gets has it count again, so the third waits, though the
    // second gets nothing either.
    bench.wait(half);
    gets_a_block(&mut bench, 2);
    bench.wait(limits::STALLED - INSTANT);
    assert_eq!(queued(&bench), [3]);
    bench.wait(INSTANT);
    assert_eq!(queued(&bench), []);
}

#[test]
fn downloads_at_one_time_that_get_nothing_and_do_not_count() {
    let most = limits::STALLED_MOST;
    let mut bench = downloads(2 * most + 3, most + 1);
    assert_eq!(queued(&bench).len(), most + 2);
    bench.wait(limits::STALLED);
    assert_eq!(queued(&bench).len(), 2, "all but one make room");
    bench.wait(limits::STALLED * 3);
    assert_eq!(queued(&bench).len(), 2);
}

/// What was added first downloads first, whether its metadata are known or have to be fetched; those
/// whose metadata do not come make room as others do that get nothing.
#[test]
fn a_link_keeps_its_place_among_downloads() {
    let mut bench = Bench::getter(2, &[]);
    let mut whole = bench.order();
    let info_hash = whole.info_hash;
    bench.begins(|config, order| {
        config.active = Some(2);
        *order = Order::of_link(info_hash, "x".into(), Vec::new());
    });
    for number in 1..4 {
        bench.adds(&number.to_string(), |_| ());
    }
    bench.turn();
    assert_eq!(queued(&bench), [3, 4]);
    bench.wait(limits::STALLED - INSTANT);
    assert_eq!(queued(&bench), [3, 4]);
    let describes = |bench: &mut Bench, whole: Order| {
        let (torrent, now) = (bench.torrent, bench.now);
        extending::learn(&mut bench.session, torrent, whole, now);
        bench.turn();
        bench.turn();
    };
    whole.name = String::from("known");
    describes(&mut bench, whole);
    assert_eq!(queued(&bench), [3, 4], "the first has its place");
}

#[test]
fn time_after_which_a_link_whose_metadata_do_not_come_does_not_count() {
    let mut bench = Bench::getter(2, &[]);
    let info_hash = bench.order().info_hash;
    bench.begins(|config, order| {
        config.active = Some(1);
        *order = Order::of_link(info_hash, "x".into(), Vec::new());
    });
    bench.adds("other", |_| ());
    bench.turn();
    assert_eq!(queued(&bench), [2]);
    bench.wait(limits::STALLED - INSTANT);
    assert_eq!(queued(&bench), [2]);
    bench.wait(INSTANT);
    assert_eq!(queued(&bench), []);
}
