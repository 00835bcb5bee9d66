//! Fetching from peers that are honest, silent, mistaken and lying.

use sha1::{Digest as _, Sha1};

use super::*;
use crate::base::Duration;
use crate::wire::extended::metadata::BLOCK;

fn at(seconds: u64) -> Time {
    Time::default() + Duration::from_secs(seconds)
}

/// A peer on a host of its own.
fn of(key: PeerKey) -> (PeerKey, IpAddr) {
    (key, IpAddr::from([192, 0, 2, key as u8]))
}

/// A dictionary of so many bytes.
fn info(size: u32) -> Vec<u8> {
    (0..size).map(|at| (at ^ (at >> 8)) as u8).collect()
}

fn search(info: &[u8]) -> MetadataFetch {
    MetadataFetch::new(InfoHash(Sha1::digest(info).into()))
}

fn block(info: &[u8], piece: u32) -> &[u8] {
    let start = (piece * BLOCK) as usize;
    &info[start..info.len().min(start + BLOCK as usize)]
}

/// Has these requests answered from what each peer has.
fn answer(fetch: &mut MetadataFetch, asks: &[(PeerKey, u32)], has: &[&[u8]], now: Time) {
    for &(key, piece) in asks {
        let total = Some(has[key].len() as u32);
        fetch.on_data(key, (piece, total), block(has[key], piece), now);
    }
}

#[test]
fn blocks_come_from_several_peers_and_make_the_whole() {
    let right = info(5 * BLOCK + 7);
    let mut fetch = search(&right);
    for key in 0..3 {
        fetch.on_peer(of(key), Some(right.len() as u32), false, at(0));
    }
    let asks = fetch.plan(at(0));
    let asked = |key| asks.iter().filter(|(peer, _)| *peer == key).count();
    assert!(asked(0) > 0 && asked(1) > 0, "{asks:?}");
    for piece in 0..6 {
        let askers = asks.iter().filter(|(_, other)| *other == piece).count();
        assert_eq!(askers, limits::METADATA_TWICE);
    }
    assert_eq!(fetch.plan(at(1)), [], "all is asked for");
    answer(&mut fetch, &asks, &[&right[..]; 3], at(1));
    assert_eq!(fetch.take_whole(), Some(right));
    assert_eq!(fetch.take_liars(), Vec::<PeerKey>::new());
}

#[test]
fn requests_in_flight_to_one_peer_are_bounded() {
    let size = BLOCK * 100;
    let mut fetch = search(&info(size));
    fetch.on_peer(of(0), Some(size), false, at(0));
    fetch.on_peer(of(1), Some(size), true, at(0));
    let asks = fetch.plan(at(0));
    let asked = |key| asks.iter().filter(|(peer, _)| *peer == key).count();
    assert_eq!((asked(0), asked(1)), (limits::METADATA_DEPTH, 1));
}

#[test]
fn what_does_not_come_is_asked_for_again_and_of_others() {
    let right = info(BLOCK);
    let mut fetch = search(&right);
    fetch.on_peer(of(0), Some(BLOCK), false, at(0));
    assert_eq!(fetch.plan(at(0)), [(0, 0)]);
    assert_eq!(fetch.next_deadline(), Some(at(0) + limits::METADATA_LATE));
    assert_eq!(fetch.plan(at(2)), []);
    fetch.on_peer(of(1), Some(BLOCK), false, at(2));
    assert_eq!(fetch.plan(at(2)), [(1, 0)], "a second one at once");
    assert_eq!(fetch.plan(at(3)), [(0, 0)], "after so long again");
    assert!(fetch.on_data(1, (0, None), &right, at(3)));
    assert_eq!(fetch.take_whole(), Some(right));
}

/// Transmission 3.00 gathers what it sends for two to four seconds.
#[test]
fn blocks_that_come_late_count() {
    let right = info(12 * BLOCK);
    let mut fetch = search(&right);
    fetch.on_peer(of(0), Some(right.len() as u32), false, at(0));
    let asks = fetch.plan(at(0));
    assert_eq!(asks.len(), limits::METADATA_DEPTH);
    let late = at(0) + limits::METADATA_LATE;
    assert_eq!(fetch.plan(late), [(0, 0)], "some answer one at a time");
    answer(&mut fetch, &asks, &[&right], at(4));
    assert_eq!(fetch.reached().blocks, (limits::METADATA_DEPTH as u32, 12));
    // It is slow, and answers all: so it is asked for as many as before.
    let rest = fetch.plan(at(4));
    assert_eq!(rest.len(), 12 - limits::METADATA_DEPTH);
    answer(&mut fetch, &rest, &[&right], at(6));
    assert_eq!(fetch.take_whole(), Some(right.clone()));
    // What was asked for twice and comes twice is no lie.
    assert!(!fetch.on_data(0, (0, None), block(&right, 0), at(7)));
    assert_eq!(fetch.take_liars(), Vec::<PeerKey>::new());
}

#[test]
fn a_peer_that_rejects_is_left_alone_for_a_while() {
    let right = info(BLOCK);
    let mut fetch = search(&right);
    fetch.on_peer(of(0), Some(BLOCK), false, at(0));
    assert_eq!(fetch.plan(at(0)), [(0, 0)]);
    fetch.on_reject(0, 0, at(0));
    let again = at(0) + limits::METADATA_BACKOFF;
    assert_eq!(fetch.plan(at(59)), []);
    assert_eq!(fetch.next_deadline(), Some(again));
    assert_eq!(fetch.plan(again), [(0, 0)]);
}

#[test]
fn a_peer_without_metadata_is_asked_later_whether_it_has_them_now() {
    let right = info(10);
    let mut fetch = search(&right);
    fetch.on_peer(of(0), None, false, at(0));
    assert_eq!(fetch.plan(at(1)), []);
    assert_eq!(fetch.next_deadline(), Some(at(0) + limits::METADATA_POLL));
    let mut asked = Vec::new();
    for second in 0..200 {
        for (key, piece) in fetch.plan(at(second)) {
            asked.push(second);
            fetch.on_reject(key, piece, at(second));
        }
    }
    assert_eq!(asked, [2, 6, 14, 30, 62, 122, 182]);
    let later = at(300);
    assert_eq!(fetch.plan(later), [(0, 0)]);
    assert!(fetch.on_data(0, (0, Some(10)), &right, later));
    assert_eq!(fetch.plan(later), [(0, 0)], "now its size is known");
    fetch.on_data(0, (0, Some(10)), &right, later);
    assert_eq!(fetch.take_whole(), Some(right));
}

#[test]
fn absurd_sizes_are_no_sizes() {
    let mut fetch = search(&info(1));
    for (key, size) in [0, limits::METADATA_BYTES as u32 + 1, 2 << 30, u32::MAX]
        .into_iter()
        .enumerate()
    {
        fetch.on_peer(of(key), Some(size), false, at(0));
    }
    assert_eq!(fetch.plan(at(1)), []);
    assert_eq!(fetch.reached(), Reached::default());
    fetch.on_peer(of(9), Some(limits::METADATA_BYTES as u32), false, at(1));
    assert_eq!(fetch.plan(at(1)).len(), limits::METADATA_DEPTH);
}

#[test]
fn lies_about_the_size_cost_the_others_nothing() {
    let right = info(2 * BLOCK);
    let mut fetch = search(&right);
    let longer = info(3 * BLOCK);
    let has: [&[u8]; 4] = [&longer, &longer, &longer, &right];
    for (key, info) in has.iter().enumerate() {
        fetch.on_peer(of(key), Some(info.len() as u32), false, at(0));
    }
    let asks = fetch.plan(at(0));
    answer(&mut fetch, &asks, &has, at(0));
    assert_eq!(fetch.take_whole(), Some(right));
}

#[test]
fn lengths_fetched_side_by_side_are_bounded_in_number_and_bytes() {
    let mut fetch = search(&info(1));
    for key in 0..20 {
        fetch.on_peer(of(key), Some(100 + key as u32), false, at(0));
    }
    assert_eq!(fetch.plan(at(0)).len(), limits::METADATA_SIZES);
    let mut fetch = search(&info(1));
    let most = limits::METADATA_BYTES as u32;
    let sizes: Vec<u32> = (0..3).map(|key| most - key * BLOCK).collect();
    for (key, &size) in sizes.iter().enumerate() {
        fetch.on_peer(of(key), Some(size), false, at(0));
    }
    let block = [0; BLOCK as usize];
    let mut came = 0;
    for _ in 0..800 {
        // All but the last block, so that nothing is whole.
        for (key, piece) in fetch.plan(at(0)) {
            if piece + 1 < blocks(sizes[key]) {
                came += usize::from(fetch.on_data(key, (piece, None), &block, at(0)));
            }
        }
        let kept = fetch.attempts.values().map(|it| it.blocks.len());
        assert!(kept.sum::<usize>() * block.len() <= limits::METADATA_BYTES);
    }
    assert!(came * block.len() > limits::METADATA_BYTES, "{came}");
}

/// The seconds until the dictionary is there where only the peers that `has` names answer, each
/// within a second; `None`: two minutes were not enough.
fn seconds(fetch: &mut MetadataFetch, right: &[u8], has: &[PeerKey]) -> Option<u64> {
    (0..120).find(|&second| {
        for (key, piece) in fetch.plan(at(second)) {
            if has.contains(&key) {
                let total = Some(right.len() as u32);
                fetch.on_data(key, (piece, total), block(right, piece), at(second));
            }
        }
        fetch.take_whole().is_some()
    })
}

#[test]
fn silent_peers_with_other_lengths_cost_a_few_seconds() {
    let right = info(BLOCK + 9);
    // Three lengths that rank before the right one, of one host and of several.
    for hosts in [[1; 3], [1, 2, 3]] {
        let mut fetch = search(&right);
        for (key, host) in hosts.into_iter().enumerate() {
            fetch.on_peer((key, of(host).1), Some(1 + key as u32), false, at(0));
        }
        fetch.on_peer(of(9), Some(right.len() as u32), false, at(0));
        let took = seconds(&mut fetch, &right, &[9]);
        assert!(took.is_some_and(|it| it <= 5), "{took:?} {hosts:?}");
    }
    // The largest length that there may be, named by more peers than the right one.
    let mut fetch = search(&right);
    let most = limits::METADATA_BYTES as u32;
    (0..5).for_each(|key| fetch.on_peer(of(key), Some(most), false, at(0)));
    fetch.plan(at(0));
    fetch.on_peer(of(9), Some(right.len() as u32), false, at(1));
    assert_eq!(seconds(&mut fetch, &right, &[9]), Some(0));
}

#[test]
fn a_length_has_its_turn_for_so_long_beside_others() {
    let mut fetch = search(&info(9));
    let long = 100 * BLOCK;
    (0..4).for_each(|key| fetch.on_peer(of(key), Some(long + key as u32), false, at(0)));
    for second in 0..limits::METADATA_TURN.as_secs() {
        for (key, piece) in fetch.plan(at(second)) {
            assert!(key < limits::METADATA_SIZES, "after {second} s");
            fetch.on_data(key, (piece, None), &[0; BLOCK as usize], at(second));
        }
    }
    let asks = fetch.plan(at(0) + limits::METADATA_TURN);
    assert!(asks.iter().any(|(key, _)| *key == limits::METADATA_SIZES));
}

#[test]
fn strikes_of_so_many_hosts_are_remembered() {
    let mut fetch = search(&info(9));
    for number in 1..=limits::METADATA_HOSTS + 1 {
        let host = IpAddr::from((number as u32).to_be_bytes());
        fetch.on_peer((0, host), Some(9), false, at(0));
        fetch.ranks.strike(&mut fetch.peers, vec![0]);
        // With one more only those that are connected are left.
        let left = if number > limits::METADATA_HOSTS {
            1
        } else {
            number
        };
        assert_eq!(fetch.ranks.hosts(), left);
        fetch.on_gone(0);
    }
}

#[test]
fn many_lengths_have_their_turn_one_after_the_other() {
    let right = info(BLOCK + 9);
    let mut fetch = search(&right);
    (0..30).for_each(|key| fetch.on_peer(of(key), Some(1 + key as u32), false, at(0)));
    fetch.on_peer(of(99), Some(right.len() as u32), false, at(0));
    let took = seconds(&mut fetch, &right, &[99]);
    assert!(took.is_some_and(|it| it <= 45), "{took:?}");
}

#[test]
fn a_peer_that_names_ever_new_lengths_gains_nothing() {
    let right = info(BLOCK + 9);
    let mut fetch = search(&right);
    fetch.on_peer(of(9), Some(right.len() as u32), false, at(0));
    let found = (0..60).find(|&second| {
        for key in 0..6 {
            // It connects anew each time.
            fetch.on_gone(key);
            let size = 1 + (second as u32) * 6 + key as u32;
            fetch.on_peer(of(key), Some(size), false, at(second));
        }
        let asks = fetch.plan(at(second));
        asks.iter().any(|(key, _)| *key == 9)
    });
    assert!(found.is_some_and(|it| it <= 10), "{found:?}");
}

#[test]
fn silent_peers_with_the_right_length_do_not_keep_others_from_being_asked() {
    let right = info(BLOCK);
    let mut fetch = search(&right);
    (0..8).for_each(|key| fetch.on_peer(of(key), Some(BLOCK), false, at(0)));
    fetch.on_peer(of(9), Some(BLOCK), false, at(0));
    let took = seconds(&mut fetch, &right, &[9]);
    assert!(took.is_some_and(|it| it <= 15), "{took:?}");
}

#[test]
fn a_lone_liar_is_known_at_once() {
    let right = info(2 * BLOCK);
    let mut wrong = right.clone();
    wrong[20_000] ^= 1;
    let mut fetch = search(&right);
    fetch.on_peer(of(0), Some(2 * BLOCK), false, at(0));
    let asks = fetch.plan(at(0));
    answer(&mut fetch, &asks, &[&wrong[..]], at(0));
    assert_eq!((fetch.take_liars(), fetch.take_whole()), (vec![0], None));
}

#[test]
fn among_several_the_liar_is_found_out() {
    let right = info(4 * BLOCK);
    let mut wrong = right.clone();
    wrong.iter_mut().for_each(|byte| *byte ^= 0x55);
    let mut found = 0;
    for liar in 0..3 {
        let mut fetch = search(&right);
        let has: Vec<&[u8]> = (0..3)
            .map(|key| if key == liar { &wrong[..] } else { &right[..] })
            .collect();
        (0..3).for_each(|key| fetch.on_peer(of(key), Some(4 * BLOCK), false, at(0)));
        let (mut rounds, mut liars) = (0, Vec::new());
        let whole = loop {
            rounds += 1;
            assert!(rounds < 10, "it never ends");
            let mut asks = fetch.plan(at(rounds));
            // Each block from the peer that was asked first or last, so that all have a part in it.
            if rounds == 1 {
                asks.sort_by_key(|&(key, piece)| (key + piece as usize) % 3);
            }
            answer(&mut fetch, &asks, &has, at(rounds));
            for liar in fetch.take_liars() {
                fetch.on_gone(liar);
                liars.push(liar);
            }
            if let Some(whole) = fetch.take_whole() {
                break whole;
            }
        };
        assert!(whole == right, "{liar}");
        // What the others sent first is right without him.
        assert!(
            liars == [liar] || (liars.is_empty() && rounds == 1),
            "{liars:?}"
        );
        found += liars.len();
    }
    assert!(found > 0);
}

#[test]
fn one_that_is_asked_alone_and_is_silent_makes_room_for_the_next() {
    let right = info(2 * BLOCK);
    let mut wrong = right.clone();
    wrong[0] ^= 1;
    let mut fetch = search(&right);
    (0..2).for_each(|key| fetch.on_peer(of(key), Some(2 * BLOCK), false, at(0)));
    fetch.plan(at(0));
    fetch.on_data(0, (0, None), block(&wrong, 0), at(0));
    fetch.on_data(1, (1, None), block(&right, 1), at(0));
    assert!(fetch.take_whole().is_none(), "nobody knows who lied");
    let asks = fetch.plan(at(1));
    assert!(asks.iter().all(|(key, _)| *key == asks[0].0), "{asks:?}");
    let silent = asks[0].0;
    let next = (1..60).find_map(|second| {
        let asks = fetch.plan(at(1 + second));
        asks.first().filter(|(key, _)| *key != silent).copied()
    });
    assert_eq!(next.map(|(key, _)| key), Some(1 - silent));
}

#[test]
fn one_that_is_asked_alone_has_so_long_for_the_whole() {
    let right = info(2 * BLOCK);
    let wrong = vec![7; right.len()];
    let mut fetch = search(&right);
    (0..2).for_each(|key| fetch.on_peer(of(key), Some(2 * BLOCK), false, at(0)));
    fetch.plan(at(0));
    fetch.on_data(0, (0, None), block(&wrong, 0), at(0));
    fetch.on_data(1, (1, None), block(&right, 1), at(0));
    let alone = fetch.plan(at(1))[0].0;
    // It is not silent, and so only its time for the whole is bounded.
    fetch.on_data(alone, (0, None), block(&wrong, 0), at(3));
    let time = limits::METADATA_LATE * 2 + limits::METADATA_PACE * 2;
    let other = |asks: Vec<(PeerKey, u32)>| asks.iter().any(|(key, _)| *key != alone);
    assert!(!other(
        fetch.plan(at(1) + (time - Duration::from_millis(1)))
    ));
    assert!(other(fetch.plan(at(1) + time)));
}

#[test]
fn blocks_of_another_length_are_lies_and_those_that_nobody_asked_for_nothing() {
    let right = info(BLOCK + 5);
    let mut fetch = search(&right);
    fetch.on_peer(of(0), Some(BLOCK + 5), false, at(0));
    assert!(!fetch.on_data(0, (1, None), &right[..5], at(0)));
    fetch.plan(at(0));
    assert!(!fetch.on_data(7, (0, None), block(&right, 0), at(0)));
    assert!(fetch.on_data(0, (1, None), b"", at(0)));
    assert_eq!(fetch.take_liars(), [0]);
}

/// Five peers spoil what comes from all, and then, asked alone, send a block just in time not to
/// be silent.
#[test]
fn slow_liars_that_are_asked_alone_do_not_hold_up_the_others() {
    let right = info(20 * BLOCK);
    let wrong = vec![7; right.len()];
    let mut fetch = search(&right);
    (0..6).for_each(|key| fetch.on_peer(of(key), Some(20 * BLOCK), false, at(0)));
    let mut queues: Vec<Vec<u32>> = vec![Vec::new(); 6];
    let took = (0..150).find(|&second| {
        for (key, piece) in fetch.plan(at(second)) {
            if key == 5 {
                fetch.on_data(5, (piece, None), block(&right, piece), at(second));
            } else {
                queues[key].push(piece);
            }
        }
        for (key, queue) in queues.iter_mut().enumerate().filter(|_| second % 2 == 0) {
            if !queue.is_empty() {
                let piece = queue.remove(0);
                fetch.on_data(key, (piece, None), block(&wrong, piece), at(second));
            }
        }
        fetch.take_whole().is_some()
    });
    assert!(took.is_some_and(|it| it <= 60), "{took:?}");
    assert!(!fetch.take_liars().contains(&5));
}
