//! Limits on rates hold, and what they leave is used.

use brooklet::base::geometry::BLOCK;
use brooklet::base::time::Duration;

use crate::requests;
use crate::session::Bench;

const RATE: u64 = 100_000;

#[test]
fn a_limit_on_what_comes_is_kept_by_asking_no_faster() {
    let mut bench = Bench::getter(100, &[]);
    bench.begins(|config| config.down = Some(RATE));
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
    bench.begins(|config| config.down = Some(RATE));
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
    assert_eq!(bench.session.may_send(bench.now), u64::MAX);
    assert_eq!(bench.session.send_at(bench.now), None);
    bench.begins(|config| config.up = Some(RATE));
    bench.turn();
    bench.wait(Duration::from_secs(10));
    assert_eq!(bench.session.send_at(bench.now), None);
    let taker = bench.join(1, true);
    bench.says(taker, "interested");
    // This network takes whatever there is, so that the limit is passed.
    for piece in 0..4 {
        for begin in [0, BLOCK] {
            bench.says(taker, &format!("request {piece} at {begin}, 16384 bytes"));
        }
    }
    assert_eq!(bench.session.may_send(bench.now), 0);
    let at = bench.session.send_at(bench.now).expect("there is a debt");
    let sent = 8 * u64::from(BLOCK);
    let most = Duration::from_secs_f64((sent + u64::from(BLOCK)) as f64 / RATE as f64);
    assert!(at > bench.now && at.since(bench.now) <= most);
    bench.wait(at.since(bench.now) + Duration::from_millis(1));
    assert_eq!(bench.session.send_at(bench.now), None);
    assert!(bench.session.may_send(bench.now) >= u64::from(BLOCK));
}
