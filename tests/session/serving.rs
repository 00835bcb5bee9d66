//! What others get of us: only what can still be read, in bounds, and to those who read it.

use brooklet::base::{BLOCK, limits};
use brooklet::peer::{EndReason, Segment};

use crate::session::{BLOCKS, Bench, PIECE};
use crate::transcript::words::encode;
use crate::{ended_since, requests, seconds_pass};

/// A peer that has nothing, wants something, and is served.
fn taker(bench: &mut Bench, fast: bool) -> usize {
    let key = bench.join(1, fast);
    bench.says(key, "interested");
    let said = bench.hears(key);
    assert_eq!(said.last().map(String::as_str), Some("unchoke"));
    key
}

/// Bytes of messages that wait for a peer.
fn unsent(bench: &Bench, key: usize) -> usize {
    let peer = bench.session.peer(key);
    let segments = peer.into_iter().flat_map(|peer| peer.transmit());
    let bytes = segments.map(|segment| match segment {
        Segment::Bytes(bytes) => bytes.len(),
        Segment::Block { .. } => 0,
    });
    bytes.sum()
}

/// Says these words a hundred thousand times and reads nothing. The most that waited at one time.
fn never_reads(bench: &mut Bench, key: usize, words: &[&str]) -> usize {
    let once = words.iter().map(|words| encode(words, &bench.setting));
    let many = once.collect::<Vec<_>>().concat().repeat(100);
    let mut most = 0;
    for _ in 0..1_000 {
        bench.hands(key, &many);
        bench.session.plan(bench.now);
        most = most.max(unsent(bench, key));
    }
    most
}

#[test]
fn a_peer_that_requests_cancels_and_never_reads_is_hung_up_on_before_much_waits() {
    let mut bench = Bench::seeder(4);
    let key = taker(&mut bench, true);
    let again = ["request 0 at 0, 16384 bytes", "cancel 0 at 0, 16384 bytes"];
    let most = never_reads(&mut bench, key, &again);
    assert!(most <= limits::UNSENT + 4096, "{most} bytes waited");
    bench.turn();
    assert!(bench.is_gone(key));
    assert!(ended_since(&bench, &EndReason::NotReading.to_string()));
}

#[test]
fn a_rejected_peer_that_never_reads_is_hung_up_on_before_much_waits() {
    let mut bench = Bench::getter(4, &[0]);
    let key = taker(&mut bench, true);
    // The good request between the bad ones excuses none of them.
    let again = [
        "request 0 at 0, 16384 bytes",
        "request 1 at 0, 16384 bytes",
        "cancel 0 at 0, 16384 bytes",
    ];
    let most = never_reads(&mut bench, key, &again);
    assert!(most <= limits::UNSENT + 4096, "{most} bytes waited");
    bench.turn();
    assert!(bench.is_gone(key));
}

#[test]
fn what_waits_of_a_piece_that_cannot_be_read_is_rejected_at_once() {
    let mut bench = Bench::seeder(4);
    let key = taker(&mut bench, true);
    // Its socket is full: the answers wait.
    for words in [
        "request 1 at 0, 16384 bytes",
        "request 2 at 0, 16384 bytes",
        "request 1 at 16384, 16384 bytes",
    ] {
        bench.hands(key, &encode(words, &bench.setting));
    }
    bench.session.plan(bench.now);
    assert_eq!(bench.session.take_unflushed(), [key]);
    bench
        .session
        .handle_unsendable(bench.torrent, &[1], "content: gone".to_string());
    bench.turn();
    let answers = [
        "reject request 1 at 0, 16384 bytes",
        "reject request 1 at 16384, 16384 bytes",
        "piece 2 at 0, 16384 bytes",
    ];
    assert_eq!(bench.hears(key), answers);
}

#[test]
fn a_piece_that_cannot_be_read_is_not_named_to_newcomers() {
    for fast in [true, false] {
        let mut bench = Bench::seeder(4);
        bench
            .session
            .handle_unsendable(bench.torrent, &[1], "content: gone".to_string());
        let newcomer = bench.join(1, fast);
        let said = bench.hears(newcomer);
        assert_eq!(said[..2], ["handshake", "bitfield b0"]);
        assert!(!said.contains(&"allowed fast 1".to_string()));
    }
}

#[test]
fn the_allowed_set_is_for_peers_that_have_nothing_and_ends() {
    for rich in [false, true] {
        let mut bench = Bench::seeder(64);
        // More than are served at a time: some stay choked.
        let keys: Vec<usize> = (1..20).map(|number| bench.join(number, true)).collect();
        for &key in &keys {
            bench.says(key, "interested");
        }
        let choked = |&key: &usize| {
            let peer = bench.session.peer(key).expect("it is there");
            peer.choke_state().am_choking
        };
        let key = keys.into_iter().find(choked).expect("somebody is choked");
        let said = bench.hears(key);
        let allowed = said
            .iter()
            .filter_map(|said| said.strip_prefix("allowed fast "));
        let allowed: Vec<u32> = allowed.map(|piece| piece.parse().unwrap()).collect();
        assert_eq!(allowed.len() as u32, limits::ALLOWED_FAST);
        let has = limits::ALLOWED_FAST - u32::from(!rich);
        for piece in (0..64)
            .filter(|piece| !allowed.contains(piece))
            .take(has as usize)
        {
            bench.says(key, &format!("have {piece}"));
        }
        let set = allowed.len() as u32 * PIECE;
        let mut served = 0;
        for _ in 0..20 {
            for piece in &allowed {
                for number in 0..BLOCKS {
                    bench.says(
                        key,
                        &format!("request {piece} at {}, {BLOCK} bytes", number * BLOCK),
                    );
                    let answer = bench.hears(key);
                    assert_eq!(answer.len(), 1, "{answer:?}");
                    served += u32::from(answer[0].starts_with("piece ")) * BLOCK;
                }
            }
        }
        if rich {
            assert_eq!(served, 0)
        } else {
            assert!((set..=5 * set).contains(&served), "{served} bytes of {set}")
        }
    }
}

#[test]
fn a_silent_peer_that_never_reads_is_hung_up_on_too() {
    let pieces = 20_000;
    let mut bench = Bench::getter(pieces, &[]);
    let (seed, deaf) = (bench.join(1, true), bench.join(2, true));
    bench.says(deaf, "have none");
    bench.says(seed, "have all");
    bench.says(seed, "unchoke");
    // Its socket takes nothing of what it is told of piece after piece.
    bench.stops_reading(deaf);
    let mut most = 0;
    while !bench.is_gone(deaf) {
        let asked = bench.hears(seed);
        assert!(
            asked.iter().any(|said| said.starts_with("request ")),
            "{most} bytes wait"
        );
        bench.sends_blocks(seed, &asked);
        most = most.max(unsent(&bench, deaf));
    }
    assert!(
        most <= limits::UNSENT + pieces as usize / 8 + 4096,
        "{most}"
    );
    assert!(ended_since(&bench, &EndReason::NotReading.to_string()));
}

#[test]
fn a_peer_that_swallowed_requests_is_served_as_others_once_nothing_is_asked_of_it() {
    let mut bench = Bench::getter(2, &[0]);
    let keys = [1, 2, 3, 4].map(|number| bench.join(number, true));
    for key in keys {
        for words in ["bitfield 40", "unchoke", "interested"] {
            bench.says(key, words);
        }
    }
    // Two blocks are not enough for all: who swallows one leaves it to the next.
    seconds_pass(&mut bench, &keys, 600);
    let snubbing = |bench: &Bench, key| {
        let peer = bench.session.peer(key).expect("it is there");
        peer.is_snubbing(bench.now)
    };
    assert!(keys.iter().any(|&key| snubbing(&bench, key)));
    let giver = bench.join(5, true);
    bench.says(giver, "bitfield 40");
    bench.says(giver, "unchoke");
    for _ in 0..4 {
        let asked = requests(&mut bench, giver);
        bench.sends_blocks(giver, &asked);
        seconds_pass(&mut bench, &keys, 30);
    }
    assert_eq!(bench.verified(), [1]);
    let served = |bench: &Bench| {
        let served = keys.iter().filter(|&&key| {
            let peer = bench.session.peer(key).expect("it is there");
            !peer.choke_state().am_choking
        });
        served.count()
    };
    for _ in 0..40 {
        seconds_pass(&mut bench, &keys, 1);
        for key in keys {
            bench.says(key, "request 0 at 0, 16384 bytes");
        }
    }
    assert_eq!(served(&bench), keys.len());
}
