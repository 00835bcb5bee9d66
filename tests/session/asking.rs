//! What we ask for: interest follows what peers have and what is missing, and no block waits for
//! ever for somebody who forgot it.

use brooklet::base::{Duration, limits};
use brooklet::peer::Peer;

use crate::session::Bench;
use crate::transcript::words::encode;
use crate::{requests, seconds_pass};

fn is_interested(bench: &Bench, key: usize) -> bool {
    let peer = bench.session.peer(key).expect("it is there");
    peer.choke_state().am_interested
}

#[test]
fn a_bitfield_may_come_at_any_time_and_replaces_what_was_known() {
    for fast in [false, true] {
        let mut bench = Bench::getter(8, &[]);
        let peer = bench.join(1, fast);
        for words in ["have 0", "have 1", "have 2", "bitfield e0", "bitfield e0"] {
            bench.says(peer, words);
            assert!(is_interested(&bench, peer), "{words}");
        }
        // Three pieces are to be had of it and no more, however often it said so.
        let giver = bench.join(2, fast);
        bench.says(giver, "bitfield e0");
        bench.says(giver, "unchoke");
        bench.everything_comes();
        assert_eq!(bench.verified().len(), 3);
        // What follows from several pieces at a time is found out in one round.
        bench.wait(2 * limits::TELL_GAP);
        assert!(!is_interested(&bench, peer));

        for (words, useful) in [
            ("bitfield 10", true),
            ("bitfield 00", false),
            ("have 7", true),
        ] {
            bench.says(peer, words);
            assert_eq!(is_interested(&bench, peer), useful, "{words}");
        }
        if fast {
            for (words, useful) in [("have none", false), ("have all", true)] {
                bench.says(peer, words);
                assert_eq!(is_interested(&bench, peer), useful, "{words}");
            }
        }
        assert!(!bench.is_gone(peer));
    }
}

#[test]
fn a_piece_is_no_less_rare_for_being_named_again() {
    // One has a piece, two have another: whoever has both is asked for the first.
    for (rare, rare_bits, common_bits) in [(4, "08", "04"), (5, "04", "08")] {
        for fast in [false, true] {
            let mut bench = Bench::getter(6, &[0, 1, 2, 3]);
            let one = bench.join(1, fast);
            bench.says(one, &format!("have {rare}"));
            for words in ["have all", "have none", "have all"] {
                if fast {
                    bench.says(one, words);
                }
            }
            for _ in 0..3 {
                bench.says(one, &format!("bitfield {rare_bits}"));
            }
            for number in [2, 3] {
                let key = bench.join(number, fast);
                bench.says(key, &format!("bitfield {common_bits}"));
            }
            let both = bench.join(4, fast);
            bench.says(both, "bitfield 0c");
            bench.says(both, "unchoke");
            let asked = requests(&mut bench, both);
            let first = format!("request {rare} at 0, 16384 bytes");
            assert_eq!(asked.first(), Some(&first), "{asked:?}");
        }
    }
}

#[test]
fn a_piece_that_is_named_while_it_is_being_verified_does_not_end_our_interest() {
    for named in ["have 0", "bitfield c0"] {
        let mut bench = Bench::getter(2, &[]);
        let (one, other) = (bench.join(1, false), bench.join(2, false));
        bench.says(one, "have 0");
        bench.says(other, "have 1");
        bench.says(one, "unchoke");
        let asked = requests(&mut bench, one);
        assert_eq!(asked.len(), 2);
        bench.sends_blocks(one, &asked[..1]);
        bench.hears(other);
        // In one turn the piece becomes whole and the other names it.
        let last = asked[1].replace("request ", "piece ");
        bench.hands(one, &encode(&last, &bench.setting));
        bench.hands(other, &encode(named, &bench.setting));
        bench.turn();
        assert_eq!(bench.verified(), [0]);
        assert!(is_interested(&bench, other), "{named}");
        bench.says(other, "unchoke");
        let asked = requests(&mut bench, other);
        bench.sends_blocks(other, &asked);
        assert_eq!(bench.verified(), [0, 1]);
    }
}

#[test]
fn a_request_that_was_dropped_without_a_word_is_made_again_within_a_minute_or_so() {
    for fast in [false, true] {
        let mut bench = Bench::getter(2, &[]);
        let peer = bench.join(1, fast);
        bench.says(peer, "bitfield c0");
        bench.says(peer, "unchoke");
        let asked = requests(&mut bench, peer);
        let (dropped, others) = asked.split_first().expect("it is asked");
        bench.sends_blocks(peer, others);
        let again = requests(&mut bench, peer);
        bench.sends_blocks(peer, &again);
        assert_eq!(bench.verified().len(), 1);
        seconds_pass(&mut bench, &[peer], 70);
        let again = requests(&mut bench, peer);
        assert_eq!(again, std::slice::from_ref(dropped));
        bench.sends_blocks(peer, &again);
        assert_eq!(bench.verified().len(), 2);
    }
}

#[test]
fn a_peer_that_swallows_requests_is_asked_for_a_block_a_minute_until_it_answers() {
    let mut bench = Bench::getter(8, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    assert!(requests(&mut bench, peer).len() > 1);
    for _ in 0..3 {
        seconds_pass(&mut bench, &[peer], 61);
        assert_eq!(requests(&mut bench, peer).len(), 1);
    }
    seconds_pass(&mut bench, &[peer], 61);
    let asked = requests(&mut bench, peer);
    bench.sends_blocks(peer, &asked);
    assert!(bench.session.peer(peer).map_or(0, Peer::in_flight) > 1);
    bench.everything_comes();
    assert_eq!(bench.verified().len(), 8);
}

#[test]
fn a_request_that_was_passed_over_is_made_again_soon() {
    for fast in [false, true] {
        let mut bench = Bench::getter(64, &[]);
        let peer = bench.join(1, fast);
        bench.says(peer, &format!("bitfield {}", "ff".repeat(8)));
        bench.says(peer, "unchoke");
        let mut asked = requests(&mut bench, peer);
        let dropped = asked.remove(0);
        // It answers ten requests a second, in order, but for the first.
        let mut answered = 0;
        while !asked.contains(&dropped) {
            assert!(answered < 100, "it is not asked again");
            bench.wait(Duration::from_millis(100));
            let next = asked.remove(0);
            bench.sends_blocks(peer, &[next]);
            asked.extend(requests(&mut bench, peer));
            answered += 1;
        }
        assert!(answered > 8, "a little disorder is no loss: {answered}");
    }
}

#[test]
fn requests_that_a_choke_left_unanswered_do_not_fill_the_queue_for_ever() {
    let mut bench = Bench::getter(2, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    assert_eq!(requests(&mut bench, peer).len(), 4);
    // BEP 6 wants four rejects now; this one forgets them.
    bench.says(peer, "choke");
    bench.says(peer, "unchoke");
    seconds_pass(&mut bench, &[peer], 120);
    while bench.verified().len() < 2 {
        let asked = requests(&mut bench, peer);
        assert!(!asked.is_empty(), "it is not asked any more");
        bench.sends_blocks(peer, &asked);
    }
}

#[test]
fn an_allowed_piece_that_is_rejected_is_not_allowed() {
    let mut bench = Bench::getter(8, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "allowed fast 5");
    let mut asked = requests(&mut bench, peer);
    let mut all = asked.clone();
    while let Some(request) = asked.pop() {
        assert!(all.len() < 20, "it is asked again and again");
        bench.says(peer, &format!("reject {request}"));
        let more = requests(&mut bench, peer);
        all.extend(more.iter().cloned());
        asked.extend(more);
    }
    seconds_pass(&mut bench, &[peer], 300);
    all.extend(requests(&mut bench, peer));
    all.sort();
    let blocks = [
        "request 5 at 0, 16384 bytes",
        "request 5 at 16384, 16384 bytes",
    ];
    assert_eq!(all, blocks, "each is asked once");
    // That it is not allowed does not mean that it is not there.
    bench.says(peer, "unchoke");
    bench.everything_comes();
    assert_eq!(bench.verified().len(), 8);
}

#[test]
fn a_piece_that_is_allowed_and_rejected_in_turns_is_not_asked_for_for_ever() {
    let mut bench = Bench::getter(4, &[]);
    let key = bench.join(1, true);
    bench.says(key, "have all");
    let mut asked = 0;
    for _ in 0..1_000 {
        bench.says(key, "allowed fast 2");
        for request in requests(&mut bench, key) {
            asked += 1;
            bench.says(key, &request.replace("request", "reject request"));
        }
    }
    let most = limits::ALLOWED_FAST_KEPT * crate::session::BLOCKS;
    assert!((1..=most).contains(&asked), "{asked} requests");
}

#[test]
fn a_peer_that_unchokes_chokes_and_answers_nothing_is_asked_once_a_second() {
    for fast in [true, false] {
        let mut bench = Bench::getter(64, &[]);
        let key = bench.join(1, fast);
        bench.says(
            key,
            if fast {
                "have all"
            } else {
                "bitfield ffffffffffffffff"
            },
        );
        let mut asked = 0;
        for _ in 0..1_000 {
            bench.says(key, "unchoke");
            let requests = requests(&mut bench, key);
            asked += requests.len();
            bench.says(key, "choke");
            for request in requests.iter().filter(|_| fast) {
                bench.says(key, &request.replace("request", "reject request"));
            }
            bench.wait(Duration::from_millis(10));
        }
        assert!(
            (1..=4 * 11).contains(&asked),
            "{asked} requests in ten seconds"
        );
    }
}

#[test]
fn the_last_block_is_not_asked_for_ever_of_a_peer_that_swallows_requests() {
    let mut bench = Bench::getter(1, &[]);
    let silent = [bench.join(1, true), bench.join(2, true)];
    for key in silent {
        bench.says(key, "have all");
        bench.says(key, "unchoke");
    }
    seconds_pass(&mut bench, &silent, 130);
    // Somebody else sends one of the two blocks, and goes.
    let giver = bench.join(3, false);
    bench.says(giver, "have 0");
    bench.says(giver, "unchoke");
    seconds_pass(&mut bench, &silent, 25);
    let asked = requests(&mut bench, giver);
    bench.sends_blocks(giver, &asked[..1]);
    bench.says(giver, "choke");
    for key in silent {
        bench.hears(key);
    }
    seconds_pass(&mut bench, &silent, 300);
    let asked = silent.map(|key| requests(&mut bench, key).len());
    assert!(asked.iter().all(|&asked| asked > 0), "{asked:?}");
}
