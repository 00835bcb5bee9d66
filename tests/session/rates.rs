//! Limits on rates hold, and what they leave is used.

use brooklet::base::{BLOCK, Duration};
use brooklet::peer::EndReason;

use crate::requests;
use crate::session::Bench;
use crate::transcript::words::encode;

const RATE: u64 = 100_000;

#[test]
fn a_limit_on_what_comes_is_kept_by_asking_no_faster() {
    let mut bench = Bench::getter(100, &[]);
    bench.begins(|config, _| config.down = Some(RATE));
    bench.turn();
    let givers = [bench.join(1, true), bench.join(2, true)];
    for giver in givers {
        bench.says(giver, "have all");
        bench.says(giver, "unchoke");
    }
    // Twenty seconds in which whatever is asked for comes within a tenth of a second.
    let (tenths, mut blocks) = (200, 0);
    for _ in 0..tenths {
        bench.wait(Duration::from_millis(100));
        for giver in givers {
            let asked = requests(&mut bench, giver);
            blocks += asked.len() as u64;
            bench.sends_blocks(giver, &asked);
        }
    }
    let (came, allowed) = (blocks * u64::from(BLOCK), RATE * tenths / 10);
    assert!(came <= allowed + allowed / 10, "{came} of {allowed}");
    assert!(came >= allowed * 9 / 10, "{came} of {allowed}");
}

#[test]
fn what_a_choke_leaves_unsent_is_asked_for_elsewhere_within_the_limit() {
    let mut bench = Bench::getter(100, &[]);
    bench.begins(|config, _| config.down = Some(RATE));
    bench.wait(Duration::from_secs(1));
    let (fickle, steady) = (bench.join(1, true), bench.join(2, true));
    bench.says(fickle, "have all");
    bench.says(fickle, "unchoke");
    let asked = requests(&mut bench, fickle);
    assert!(!asked.is_empty());
    bench.says(fickle, "choke");
    for request in &asked {
        bench.says(fickle, &format!("reject {request}"));
    }
    bench.says(steady, "have all");
    bench.says(steady, "unchoke");
    // Nothing has come: what was allowed at first is allowed still.
    assert_eq!(requests(&mut bench, steady).len(), asked.len());
}

#[test]
fn what_is_sent_counts_against_the_limit_and_time_makes_up_for_it() {
    let mut bench = Bench::seeder(4);
    let free = bench.join(1, true);
    assert_eq!(bench.session.upload_allowance(free), u64::MAX);
    bench.begins(|config, _| config.up = Some(RATE));
    bench.turn();
    bench.wait(Duration::from_secs(10));
    let taker = bench.join(1, true);
    assert_eq!(bench.session.upload_allowance(taker), 0);
    bench.says(taker, "interested");
    // This network takes whatever there is, so that the limit is passed.
    for piece in 0..4 {
        for begin in [0, BLOCK] {
            bench.says(taker, &format!("request {piece} at {begin}, 16384 bytes"));
        }
    }
    assert_eq!(
        bench.session.next_upload_at(bench.now),
        None,
        "nobody waits"
    );
    bench.stops_reading(taker);
    bench.hands(
        taker,
        &encode("request 0 at 0, 16384 bytes", &bench.setting),
    );
    bench.session.plan(bench.now);
    bench.session.await_upload(taker);
    assert_eq!(bench.session.next_upload(bench.now), None);
    let at = bench
        .session
        .next_upload_at(bench.now)
        .expect("a peer waits");
    let sent = 8 * u64::from(BLOCK);
    let most = Duration::from_secs_f64((sent + u64::from(BLOCK)) as f64 / RATE as f64);
    assert!(at > bench.now && at.since(bench.now) <= most);
    bench.wait(at.since(bench.now) + Duration::from_millis(1));
    assert_eq!(bench.session.next_upload(bench.now), Some(taker));
    assert_eq!(
        bench.session.next_upload(bench.now),
        None,
        "it had its turn"
    );
}

#[test]
fn a_peer_that_is_sent_nothing_or_is_gone_does_not_wait_for_the_limit() {
    let mut bench = Bench::seeder(4);
    bench.begins(|config, _| config.up = Some(RATE));
    bench.wait(Duration::from_secs(10));
    let takers = [bench.join(1, true), bench.join(2, true)];
    for taker in takers {
        bench.says(taker, "interested");
        bench.session.await_upload(taker);
    }
    assert_eq!(bench.session.next_upload_at(bench.now), None);
    let [stays, goes] = takers;
    for taker in takers {
        bench.hands(
            taker,
            &encode("request 0 at 0, 16384 bytes", &bench.setting),
        );
        bench.session.await_upload(taker);
    }
    bench
        .session
        .handle_closed(goes, EndReason::Closed, bench.now);
    assert_eq!(bench.session.next_upload(bench.now), Some(stays));
    assert_eq!(bench.session.next_upload(bench.now), None);
}

#[test]
fn a_download_limit_is_shared_by_equally_fast_peers() {
    let mut bench = Bench::getter(1000, &[]);
    bench.begins(|config, _| config.down = Some(RATE));
    bench.turn();
    let givers = [1, 2, 3, 4].map(|number| bench.join(number, true));
    for giver in givers {
        bench.says(giver, "have all");
        bench.says(giver, "unchoke");
    }
    // Half a minute in which whatever is asked for comes within a tenth of a second.
    let mut asked = [0; 4];
    for _ in 0..300 {
        bench.wait(Duration::from_millis(100));
        for (giver, asked) in givers.into_iter().zip(&mut asked) {
            let blocks = requests(&mut bench, giver);
            *asked += blocks.len();
            bench.sends_blocks(giver, &blocks);
        }
    }
    let equal = asked.iter().sum::<usize>() / 4;
    assert!(asked.iter().all(|&asked| 2 * asked >= equal), "{asked:?}");
}
