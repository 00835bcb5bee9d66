//! Many peers: a turn costs what happened in it, and where nothing happens there are few turns.

use brooklet::base::{Duration, Rng, Time, limits};
use brooklet::peer::EndReason;

use crate::session::Bench;
use crate::transcript::words::encode;

const PEERS: u16 = 500;

/// How often the session wants to be woken within this time, in which every peer says a keep-alive
/// every two minutes.
fn wakes(bench: &mut Bench, keys: &[usize], time: Duration) -> usize {
    let (until, mut wakes) = (bench.now + time, 0);
    let mut spoken = bench.now;
    while bench.now < until {
        let next = spoken + Duration::from_secs(120);
        match bench.session.next_deadline() {
            Some(due) if due < next => {
                wakes += 1;
                bench.now = due;
                bench.turn();
            }
            _ => {
                (bench.now, spoken) = (next, next);
                let bytes = encode("keep-alive", &bench.setting);
                keys.iter().for_each(|&key| bench.hands(key, &bytes));
                bench.turn();
            }
        }
    }
    wakes
}

#[test]
fn an_idle_crowd_wakes_us_for_keep_alives_only() {
    let mut bench = Bench::seeder(4);
    let keys = bench.crowd(PEERS);
    // The last progress is reported, and the reminders of the time for greetings come up.
    bench.wait(Duration::from_secs(30));
    let due = Time::default() + limits::KEEP_ALIVE;
    assert_eq!(bench.session.next_deadline(), Some(due));
    // All have come at once, so their deadlines fall together: those for keep-alives, and those of
    // their silence that move away.
    let minutes = 20;
    let wakes = wakes(&mut bench, &keys, Duration::from_secs(minutes * 60));
    assert!(wakes <= 2 * minutes as usize, "{wakes} wakes");
    assert!(keys.iter().all(|&key| !bench.is_gone(key)));
}

#[test]
fn interest_in_us_brings_the_rounds_of_choking_and_its_end_ends_them() {
    let mut bench = Bench::seeder(4);
    let keys = bench.crowd(PEERS);
    bench.says(keys[7], "interested");
    bench.wait(Duration::from_secs(20));
    let next = bench.session.next_deadline().expect("a round is to come");
    assert!(next <= bench.now + limits::CHOKE_ROUND);
    bench.says(keys[7], "not interested");
    bench.wait(Duration::from_secs(2));
    let next = bench
        .session
        .next_deadline()
        .expect("keep-alives are to come");
    assert!(next > bench.now + limits::CHOKE_ROUND);
}

/// The numbers of the pieces that a peer was told of, by bitfield or haves.
fn told(said: &[String], pieces: u32) -> Vec<u32> {
    let mut told = Vec::new();
    for words in said {
        if let Some(piece) = words
            .strip_prefix("have ")
            .and_then(|rest| rest.parse().ok())
        {
            told.push(piece);
        }
        if let Some(bits) = words.strip_prefix("bitfield ") {
            let bits = u64::from_str_radix(bits, 16).expect("hexadecimal") << (64 - bits.len() * 4);
            told.extend((0..pieces).filter(|piece| bits << piece >> 63 == 1));
        }
    }
    told.sort_unstable();
    told
}

#[test]
fn pieces_that_come_together_are_told_together_and_once() {
    let mut bench = Bench::getter(16, &[]);
    let keys = bench.crowd(100);
    keys.iter().for_each(|&key| {
        bench.hears(key);
    });
    bench.says(keys[0], "have all");
    bench.says(keys[0], "unchoke");
    let (mut writes, mut heard, mut late) = (0, Vec::new(), None);
    for round in 0.. {
        let asked = bench.hears(keys[0]);
        if !asked.iter().any(|said| said.starts_with("request ")) {
            break;
        }
        bench.sends_blocks(keys[0], &asked);
        if round == 1 {
            // Somebody goes, and another comes before the others are told.
            let gone = keys[99];
            bench
                .session
                .handle_closed(gone, EndReason::Closed, bench.now);
            bench.turn();
            late = Some(bench.join(200, true));
        }
        let said = bench.hears(keys[1]);
        writes += usize::from(!said.is_empty());
        heard.extend(said);
    }
    bench.wait(limits::TELL_GAP * 200);
    assert_eq!(bench.verified().len(), 16);
    assert!(writes < 16, "{writes} writes");
    let all: Vec<u32> = (0..16).collect();
    heard.extend(bench.hears(keys[1]));
    assert_eq!(told(&heard, 16), all, "{heard:?}");
    for key in keys[2..99].iter().copied().chain(late) {
        let said = bench.hears(key);
        assert_eq!(told(&said, 16), all, "{said:?}");
    }
}

#[test]
fn what_peers_say_before_they_are_told_is_counted_once() {
    let mut bench = Bench::getter(8, &[]);
    let keys = bench.crowd(50);
    bench.says(keys[0], "bitfield c0");
    bench.says(keys[0], "unchoke");
    bench.everything_comes();
    // Piece 0 or 1 has come and been told of; of the other, which came at the same moment, nobody
    // knows yet.
    for words in [
        "have 0",
        "have 1",
        "bitfield c0",
        "have none",
        "have 1",
        "have 0",
    ] {
        bench.says(keys[1], words);
    }
    let interested = |bench: &Bench, key| {
        let peer = bench.session.peer(key).expect("it is there");
        peer.choke_state().am_interested
    };
    assert!(interested(&bench, keys[1]));
    bench.wait(limits::TELL_GAP * 50);
    assert!(!interested(&bench, keys[1]));
    bench.says(keys[1], "have 5");
    assert!(interested(&bench, keys[1]));
}

/// In debug builds each turn asserts that what is counted as it changes is what a look at all
/// connections gives.
#[test]
fn any_course_of_events_keeps_the_counts_right() {
    for seed in 0..30 {
        let mut rng = Rng::from_seed(seed);
        let mut bench = Bench::getter(12, &[]);
        let mut keys = bench.crowd(20);
        for _ in 0..600 {
            let place = rng.below(keys.len() as u64) as usize;
            let (key, piece) = (keys[place], rng.below(12));
            if bench.is_gone(key) {
                keys.swap_remove(place);
                if keys.is_empty() {
                    break;
                }
                continue;
            }
            match rng.below(16) {
                0 => bench.says(key, "choke"),
                1 | 2 => bench.says(key, "unchoke"),
                3 => bench.says(key, "interested"),
                4 => bench.says(key, "not interested"),
                5 => bench.says(key, "bitfield 5a50"),
                6 => bench.says(key, &format!("allowed fast {piece}")),
                7 => bench.says(key, &format!("request {piece} at 0, 16384 bytes")),
                8 => bench.wait(Duration::from_micros(rng.below(5_000))),
                9 => bench.wait(Duration::from_millis(rng.below(5_000))),
                10 if rng.below(8) == 0 => bench.wait(Duration::from_secs(100)),
                11 => {
                    let asked = bench.hears(key);
                    let some = rng.below(asked.len() as u64 + 1) as usize;
                    bench.sends_blocks(key, &asked[..some]);
                }
                12 => {
                    let asked = bench.hears(key);
                    for words in asked.iter().filter(|said| said.starts_with("request ")) {
                        bench.says(key, &format!("reject {words}"));
                    }
                }
                _ => bench.says(key, &format!("have {piece}")),
            }
        }
    }
}
