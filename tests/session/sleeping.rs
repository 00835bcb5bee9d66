//! Torrents that sleep: complete, without peers, they keep nothing that only peers need, and are
//! awake again when somebody comes.

use std::net::SocketAddr;

use brooklet::base::{Bits, Duration, Geometry, TorrentKey, limits};
use brooklet::peer::EndReason;
use brooklet::session::{Appetite, Change, Command, DiskLoad, State, command, sleep, view};
use brooklet::torrent::{Order, Report, Source, Stage, Torrent};

use crate::session::{Bench, PIECE};
use crate::transcript::words::encode;

const PIECES: u32 = 4;
const HANDSHAKE: &str = "handshake fast -TR3000-abcdefghi001";

/// A seed that sleeps.
fn sleeper() -> Bench {
    let mut bench = Bench::seeder(PIECES);
    assert_eq!(
        bench.drowsy,
        [bench.torrent],
        "it may sleep, and is told once"
    );
    assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
    bench
}

/// The outside has found what a torrent needs, and those who waited are read from again.
fn wakes(bench: &mut Bench, change: impl FnOnce(&mut Order)) {
    let mut order = bench.order();
    change(&mut order);
    let torrent = bench.torrent;
    sleep::wake_up(&mut bench.session, torrent, order, bench.now);
    bench.turn();
}

/// What a peer has sent before its torrent was awake is handed in again.
fn goes_on(bench: &mut Bench, key: usize) {
    let kept = bench.session.unparsed(key).map(<[u8]>::to_vec);
    bench.sends(key, &kept.expect("it is there"));
}

fn stranger(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 50_001))
}

/// Two peers come at the same moment, with all they have to say; each is answered once the torrent
/// is awake, and gets what it asks for.
#[test]
fn strangers_wait_and_are_served() {
    let mut bench = sleeper();
    let keys = [1, 2].map(|number| bench.accepts(stranger(number)));
    for (key, number) in keys.into_iter().zip(1..) {
        let name = format!("handshake fast -TR3000-abcdefghi{number:03}");
        let words = [&name[..], "have none", "interested"];
        let bytes = words.map(|words| encode(words, &bench.setting)).concat();
        bench.sends(key, &bytes);
        assert!(sleep::waits(&bench.session, key));
        assert_eq!(bench.hears(key), [""; 0]);
    }
    assert_eq!(
        bench.waking,
        [bench.torrent],
        "it is to wake up, which is asked once"
    );
    wakes(&mut bench, |_| ());
    for key in keys {
        assert!(!sleep::waits(&bench.session, key));
        goes_on(&mut bench, key);
    }
    for key in keys {
        let said = bench.hears(key);
        assert_eq!(said[..2], ["handshake", "have all"]);
        assert!(said.contains(&"unchoke".to_string()), "{said:?}");
        bench.says(key, "request 3 at 0, 16384 bytes");
        assert_eq!(bench.hears(key), ["piece 3 at 0, 16384 bytes"]);
    }
    assert!(
        !sleep::fall_asleep(&mut bench.session, bench.torrent),
        "it has peers"
    );
}

/// What has been sent is on record before it sleeps, which costs one save, some time after the last
/// peer has gone.
#[test]
fn a_seed_that_has_sent_something_sleeps_later() {
    let mut bench = Bench::seeder(PIECES);
    bench.saves.clear();
    let key = bench.join(1, true);
    bench.says(key, "interested");
    bench.says(key, "request 0 at 0, 16384 bytes");
    bench.drowsy.clear();
    bench
        .session
        .handle_closed(key, EndReason::Closed, bench.now);
    bench.wait(limits::DROWSY - Duration::from_secs(1));
    assert!(bench.drowsy.is_empty() && bench.saves.is_empty());
    assert!(!sleep::fall_asleep(&mut bench.session, bench.torrent));
    bench.wait(Duration::from_secs(2));
    assert_eq!(bench.drowsy, [bench.torrent]);
    let [saved] = &bench.saves[..] else {
        panic!("{} saves", bench.saves.len());
    };
    assert!(saved.clean && saved.totals.up == 16384 && saved.verified.all());
    assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
    bench.session.stop(bench.torrent, "SIGINT", bench.now);
    bench.wait(limits::FAREWELL);
    assert_eq!(bench.saves.len(), 1, "nothing has changed since");
    assert!(bench.session.is_over());
}

#[test]
fn a_stranger_does_not_wait_for_ever() {
    let mut bench = sleeper();
    let key = bench.accepts(stranger(1));
    // What has to be kept of it meanwhile is bounded by what is read at a time.
    let appetite = |bench: &Bench| bench.session.appetite(key, DiskLoad::default());
    assert_eq!(
        appetite(&bench),
        Some(Appetite::Read(limits::GREETING_READ))
    );
    bench.says(key, HANDSHAKE);
    bench.wait(limits::HANDSHAKE_TIME - Duration::from_secs(1));
    assert!(!bench.is_gone(key));
    bench.wait(Duration::from_secs(2));
    assert!(bench.is_gone(key));
    // Nobody is there when it is awake, so that it may sleep again.
    bench.drowsy.clear();
    wakes(&mut bench, |_| ());
    assert_eq!(bench.drowsy, [bench.torrent]);
}

/// What it needs cannot be found: it fails alone, with one line.
#[test]
fn one_that_cannot_wake_up_fails_alone() {
    let mut bench = sleeper();
    let other = bench.adds("other", |_| ());
    bench.turn();
    let key = bench.accepts(stranger(1));
    bench.says(key, HANDSHAKE);
    let why = String::from("its metainfo is gone");
    bench.session.fail(bench.torrent, why.clone(), bench.now);
    bench.turn();
    assert!(bench.is_gone(key));
    let errors = bench
        .reports
        .iter()
        .filter(|it| matches!(it, Report::Error(_)));
    assert_eq!(errors.collect::<Vec<_>>(), [&Report::Error(why)]);
    bench.wait(limits::FAREWELL);
    let stage = |key| bench.session.torrent(key).unwrap().life.stage;
    assert_eq!(
        (stage(bench.torrent), stage(other)),
        (Stage::Over, Stage::Running)
    );
}

/// Its files were changed while it slept: they are hashed again, and what is wrong is downloaded.
#[test]
fn changed_files_are_checked_before_anybody_is_served() {
    for damaged in [false, true] {
        let mut bench = Bench::getter(PIECES, &[0, 1, 2, 3]);
        assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
        let key = bench.accepts(stranger(1));
        bench.says(key, HANDSHAKE);
        if damaged {
            bench.disk[(2 * PIECE) as usize] ^= 1;
        }
        let mut order = bench.order();
        (order.trusted, order.to_hash) = (Bits::new(PIECES), Bits::full(PIECES));
        let torrent = bench.torrent;
        sleep::wake_up(&mut bench.session, torrent, order, bench.now);
        goes_on(&mut bench, key);
        assert!(bench.is_gone(key), "it is early");
        bench.turn();
        let held = bench.session.pieces(torrent).verified().count();
        assert_eq!(held, PIECES - u32::from(damaged));
        let view = view::snapshot(&bench.session, bench.now);
        let expected = if damaged {
            State::Downloading
        } else {
            State::Seeding
        };
        assert_eq!(view.torrents[0].state, expected);
        let again = bench.join(2, true);
        bench.says(again, "have all");
        let asks = bench.hears(again).contains(&"interested".to_string());
        assert_eq!(asks, damaged);
    }
}

/// A peer that is to be dialed wakes it up, and is dialed then.
#[test]
fn a_peer_to_dial_wakes_it_up() {
    let mut bench = sleeper();
    let addr = SocketAddr::from(([192, 0, 2, 7], 6881));
    let torrent = bench.torrent;
    bench
        .session
        .add_peers(torrent, &[addr], Source::Tracker, bench.now);
    bench.turn();
    assert_eq!(bench.waking, [torrent]);
    assert_eq!(bench.dialled(addr), None);
    bench.wait(Duration::from_secs(5));
    assert_eq!(bench.waking, [torrent], "it is asked once");
    wakes(&mut bench, |_| ());
    assert!(bench.dialled(addr).is_some());
}

/// It is shown, paused, resumed, limited and removed as it is.
#[test]
fn it_is_steered_while_it_sleeps() {
    let mut bench = sleeper();
    let (torrent, size) = (bench.torrent, u64::from(PIECES * PIECE));
    let shown = |bench: &Bench| view::snapshot(&bench.session, bench.now).torrents.remove(0);
    let view = shown(&bench);
    assert_eq!((view.state, view.size), (State::Seeding, size));
    assert_eq!((view.progress.done, view.progress.size), (size, size));
    assert!(view::peers(&bench.session, torrent, bench.now).is_empty());
    let does = |bench: &mut Bench, command| {
        assert_eq!(
            command::perform(&mut bench.session, command, bench.now),
            Ok(())
        );
        bench.turn();
        bench.session.assert_invariants();
    };
    let limits = Change {
        up: Some(Some(5)),
        ..Default::default()
    };
    let limit = Command::Limit {
        torrent: Some(torrent),
        limits,
    };
    does(&mut bench, limit);
    does(&mut bench, Command::Pause(torrent));
    bench.wait(limits::FAREWELL);
    assert_eq!(shown(&bench).state, State::Paused);
    assert_eq!(bench.session.handle_accepted(stranger(1), bench.now), None);
    does(&mut bench, Command::Resume(torrent));
    let view = shown(&bench);
    assert_eq!((view.state, view.rates.up_limit), (State::Seeding, Some(5)));
    assert!(sleep::is_asleep(&bench.session, torrent) && bench.waking.is_empty());
    // It is removed just when it is about to wake up.
    let key = bench.accepts(stranger(2));
    bench.says(key, HANDSHAKE);
    assert_eq!(bench.waking, [torrent]);
    does(
        &mut bench,
        Command::Remove {
            torrent,
            data: false,
        },
    );
    bench.wait(limits::FAREWELL);
    assert!(bench.is_gone(key));
    assert_eq!(bench.closed, [(torrent, false)]);
    assert!(bench.session.torrent(torrent).is_none() && bench.saves.is_empty());
}

/// Nothing of what is on disk is known.
fn unchecked(order: &mut Order) {
    (order.trusted, order.to_hash) = (Bits::new(PIECES), Bits::full(PIECES));
}

/// Of many that are to be checked a few are awake. The others are shown as they are, and wake up in
/// the order in which they were added, unless they are paused.
#[test]
fn torrents_sleep_until_it_is_their_turn_to_be_checked() {
    let mut bench = Bench::seeder(PIECES);
    let waits = |bench: &mut Bench, key| sleep::await_check(&mut bench.session, key, bench.now);
    let added = (0..limits::CHECKS + 4).map(|number| {
        let key = bench.adds(&format!("t{number}"), unchecked);
        (key, waits(&mut bench, key))
    });
    let (keys, waiting): (Vec<TorrentKey>, Vec<bool>) = added.unzip();
    let first: Vec<bool> = (0..keys.len()).map(|it| it >= limits::CHECKS).collect();
    assert_eq!(waiting, first);
    let own = bench.torrent;
    assert!(!waits(&mut bench, own), "it is checked already");
    let late = &keys[limits::CHECKS..];
    let shown = |bench: &Bench, key| {
        let view = view::snapshot(&bench.session, bench.now);
        let mut torrents = view.torrents.into_iter();
        let shown = torrents.find(|it| it.key == key).unwrap();
        (shown.state, shown.progress.done, shown.progress.checking)
    };
    let all = u64::from(PIECES * PIECE);
    let before = (State::Checking, 0, Some((0, all)));
    assert_eq!(shown(&bench, late[3]), before);
    assert_eq!(bench.session.torrent(late[3]).unwrap().left(), all);
    let does = |bench: &mut Bench, it| command::perform(&mut bench.session, it, bench.now).unwrap();
    does(&mut bench, Command::Pause(late[0]));
    let (torrent, data) = (late[1], false);
    does(&mut bench, Command::Remove { torrent, data });
    // The first ones are read to their end.
    bench.turn();
    assert_eq!(bench.waking, late[2..], "it is their turn");
    assert_eq!(shown(&bench, keys[0]).0, State::Seeding);
    bench.wait(limits::FAREWELL);
    assert_eq!(bench.closed, [(late[1], false)]);
    does(&mut bench, Command::Resume(late[0]));
    bench.turn();
    assert_eq!(bench.waking, [late[2], late[3], late[0]]);
    for &key in [&late[..1], &late[2..]].concat().iter() {
        assert_eq!(shown(&bench, key), before);
        let mut order = bench.order();
        unchecked(&mut order);
        sleep::wake_up(&mut bench.session, key, order, bench.now);
        bench.turn();
        assert_eq!(shown(&bench, key), (State::Seeding, all, None));
        bench.session.assert_invariants();
    }
    assert_eq!(bench.waking.len(), 3, "each is asked for once");
}

/// A torrent that waits for its check says nothing of its progress again and again.
#[test]
fn one_that_waits_for_its_check_has_nothing_to_do() {
    let mut bench = Bench::seeder(PIECES);
    for number in 0..limits::CHECKS {
        bench.adds(&format!("t{number}"), unchecked);
    }
    let late = bench.adds("late", unchecked);
    assert!(sleep::await_check(&mut bench.session, late, bench.now));
    let torrent = bench.session.torrent(late).unwrap();
    assert_eq!(torrent.next_deadline(), None);
}

/// Everything that a torrent knows is in its debug output: asleep that is as long whether it has
/// four pieces or a hundred thousand, and it is a small struct.
#[test]
fn what_it_keeps_does_not_depend_on_its_pieces() {
    let kept = |pieces: u32| {
        let mut bench = Bench::seeder(PIECES);
        let other = bench.adds("many pieces", |order| {
            let length = PIECE;
            order.geometry = Geometry::new(u64::from(length) * u64::from(pieces), length).unwrap();
            order.size = order.geometry.size();
            order.hashes = vec![order.hashes[0]; pieces as usize];
            order.wanted = Bits::new(pieces);
            order.trusted = Bits::full(pieces);
            order.to_hash = Bits::new(pieces);
        });
        bench.turn();
        let text = |bench: &Bench| format!("{:?}", bench.session.torrent(other).unwrap()).len();
        let awake = text(&bench);
        assert!(sleep::fall_asleep(&mut bench.session, other));
        (awake, text(&bench))
    };
    let ((_, few), (awake, many)) = (kept(4), kept(100_000));
    assert!(
        many < few + 100 && many < 4_000 && awake > many + 30_000,
        "{few} {awake} {many}"
    );
    assert!(size_of::<Torrent>() <= 1_464, "{}", size_of::<Torrent>());
}
