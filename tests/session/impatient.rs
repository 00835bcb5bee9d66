//! Keep-alives: few to most peers, more to those that hang up when they hear nothing.

use brooklet::base::{Duration, limits};
use brooklet::peer::EndReason;

use crate::session::Bench;

/// At which seconds of an idle connection we say something, in its first two minutes.
fn said_at(bench: &mut Bench, key: usize) -> Vec<u64> {
    bench.hears(key);
    let mut said = Vec::new();
    for second in 1..=120 {
        bench.wait(Duration::from_secs(1));
        let heard = bench.hears(key);
        if !heard.is_empty() {
            assert_eq!(heard, ["keep-alive"]);
            said.push(second);
        }
    }
    said
}

fn joins(bench: &mut Bench, port: u16, id: &str) -> usize {
    let key = bench.accepts(([192, 0, 2, 1], port).into());
    bench.says(key, &format!("handshake fast {id}"));
    bench.says(key, "have none");
    key
}

/// rqbit hangs up after ten seconds of silence, aria2 when two keep-alives come within five.
#[test]
fn rqbit_never_waits_ten_seconds_and_nobody_gets_two_keep_alives_in_five() {
    let mut bench = Bench::seeder(4);
    let rqbit = joins(&mut bench, 1, "-rQ8100-abcdefghijkl");
    let said = said_at(&mut bench, rqbit);
    let gaps: Vec<u64> = said.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(
        said[0] < 10 && gaps.iter().all(|gap| (6..10).contains(gap)),
        "{said:?}"
    );
    assert!(*said.last().unwrap() > 110);
    let aria2 = joins(&mut bench, 2, "A2-1-37-0-abcdefghij");
    assert_eq!(said_at(&mut bench, aria2), [limits::KEEP_ALIVE.as_secs()]);
}

/// Any client may be like that. One that hangs up has no second reason to.
#[test]
fn a_peer_that_hung_up_after_a_silence_is_spoken_to_more_often_from_then_on() {
    let id = "-XX0001-abcdefghijkl";
    for (wait, reason, learned) in [
        (10, EndReason::Closed, true),
        (
            60,
            EndReason::Network("it reset the connection".to_string()),
            true,
        ),
        (5, EndReason::Closed, false),
        (10, EndReason::BadRequest, false),
    ] {
        let mut bench = Bench::seeder(4);
        let first = joins(&mut bench, 1, id);
        bench.wait(Duration::from_secs(wait));
        bench
            .session
            .handle_closed(first, reason.clone(), bench.now);
        bench.turn();
        let again = joins(&mut bench, 2, id);
        let every = said_at(&mut bench, again)[0];
        let short = limits::KEEP_ALIVE_SHORT.as_secs();
        let expected = if learned {
            short
        } else {
            limits::KEEP_ALIVE.as_secs()
        };
        assert_eq!(every, expected, "{wait} s, {reason}");
    }
}
