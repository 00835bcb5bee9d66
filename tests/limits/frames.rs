//! Frames and peers: what one connection may send, keep waiting, and leave unsaid.

use std::net::SocketAddr;

use brooklet::base::{BLOCK, Bits, Block, Duration, Geometry, InfoHash, PeerId, Time, limits};
use brooklet::peer::{EndReason, FrameLimits, Input, Local, Peer};
use brooklet::torrent::{Order, Report};
use brooklet::wire::message::PIECE_HEADER;
use brooklet::wire::{Handshake, Message};

use crate::session::Bench;
use crate::transcript::pair::{Heard, Pair};
use crate::transcript::words::encode;

const PIECES: u32 = 100;
const PIECE: u32 = 64 * BLOCK;

fn local() -> Local {
    Local {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([2; 20]),
        dht: false,
        geometry: Geometry::new(u64::from(PIECES * PIECE), PIECE).unwrap(),
        unsent: limits::UNSENT,
    }
}

fn at(time: Duration) -> Time {
    Time::default() + time
}

/// One microsecond, the finest that time is.
const TICK: Duration = Duration::from_micros(1);

/// A connection on which both have greeted, with the fast extension; we have this many pieces.
fn open(held: u32) -> Peer {
    let addr = SocketAddr::from(([192, 0, 2, 1], 6881));
    let mut pair = Pair::accept(local(), addr, Time::default());
    let mut hello = Vec::new();
    Handshake::with_fast(local().info_hash, PeerId([3; 20])).encode(&mut hello);
    let mut input = Input::new(&hello);
    let greeted = pair.next_event(&mut input, Time::default());
    assert!(matches!(greeted, Ok(Some(Heard::Greeted(_)))));
    let mut peer = pair.into_peer();
    let mut bits = Bits::new(PIECES);
    (0..held).for_each(|piece| {
        bits.set(piece);
    });
    peer.introduce(&bits, Vec::new());
    peer
}

/// It says these messages.
fn hear(peer: &mut Peer, messages: &[Message<'_>]) -> Result<(), EndReason> {
    let mut bytes = Vec::new();
    messages
        .iter()
        .for_each(|message| message.encode(&mut bytes));
    let mut input = Input::new(&bytes);
    while peer.next_event(&mut input, Time::default())?.is_some() {}
    Ok(())
}

fn block(number: u32) -> Block {
    local().geometry.block(number / 64, number % 64)
}

#[test]
fn a_frame() {
    let frame = |length: usize, id: u8| {
        let mut bytes = vec![0; length + 4];
        bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
        bytes[4] = id;
        let frame = Input::new(&bytes).next_frame(FrameLimits::of(PIECES));
        frame.map(|frame| frame.map(<[u8]>::len))
    };
    let most = limits::BLOCK_FRAME;
    assert_eq!(frame(most, 7), Ok(Some(most)));
    assert_eq!(frame(most + 1, 7), Err(EndReason::TooLong(most as u32 + 1)));
    assert_eq!(
        frame(most + 1, 99),
        Err(EndReason::TooLong(most as u32 + 1))
    );
    let most = limits::EXTENDED_FRAME;
    assert_eq!(frame(most, 20), Ok(Some(most)));
    assert_eq!(
        frame(most + 1, 20),
        Err(EndReason::TooLong(most as u32 + 1))
    );
}

#[test]
fn a_block_that_is_asked_of_us() {
    let of = |len: u32| {
        let (piece, begin) = (0, 0);
        hear(
            &mut open(1),
            &[
                Message::Interested,
                Message::Request(Block { piece, begin, len }),
            ],
        )
    };
    assert_eq!(of(limits::SERVED_BLOCK), Ok(()));
    assert_eq!(of(limits::SERVED_BLOCK + 1), Err(EndReason::BadRequest));
}

#[test]
fn requests_that_wait_before_we_stop_reading() {
    let mut peer = open(PIECES);
    for number in 0..limits::UPLOADS_FULL as u32 {
        assert!(!peer.is_upload_queue_full(), "{number} wait");
        assert_eq!(peer.serve(block(number)), Ok(()));
        // One that waits already takes no place.
        assert_eq!(peer.serve(block(number / 2)), Ok(()));
    }
    assert!(peer.is_upload_queue_full());
}

#[test]
fn requests_that_wait_and_more_than_may_wait() {
    let mut peer = open(PIECES);
    let many = limits::QUEUED_UPLOADS;
    for number in 0..many {
        assert_eq!(peer.serve(block(number as u32 % 6_400)), Ok(()));
    }
    assert_eq!(peer.uploads_waiting(), many);
    // Those past it are rejected, so many times.
    for number in 0..limits::EXCESS_UPLOADS {
        assert_eq!(peer.serve(block(number)), Ok(()), "{number}");
        assert_eq!(peer.uploads_waiting(), many);
    }
    assert_eq!(peer.serve(block(0)), Err(EndReason::RequestFlood));
}

#[test]
fn blocks_that_nobody_asked_for() {
    let mut peer = open(0);
    let data = [0; BLOCK as usize];
    let unasked = |n: u32| Message::Piece {
        piece: 1,
        begin: n % 64 * BLOCK,
        data: &data,
    };
    for number in 0..limits::UNASKED {
        assert_eq!(hear(&mut peer, &[unasked(number)]), Ok(()), "{number}");
    }
    assert_eq!(
        hear(&mut peer, &[unasked(0)]),
        Err(EndReason::UnaskedBlocks)
    );
}

/// What is allowed to a newcomer that has nothing: a set of pieces, each for so many times.
#[test]
fn the_allowed_fast_set() {
    let mut bench = Bench::seeder(64);
    let keys: Vec<usize> = (1..20).map(|number| bench.join(number, true)).collect();
    keys.iter().for_each(|&key| bench.says(key, "interested"));
    let choked = |key: &&usize| bench.session.peer(**key).unwrap().choke_state().am_choking;
    let key = *keys.iter().find(choked).expect("more than have a slot");
    let said = bench.hears(key);
    let allowed = said
        .iter()
        .filter_map(|said| said.strip_prefix("allowed fast "));
    let allowed: Vec<String> = allowed.map(str::to_string).collect();
    assert_eq!(allowed.len(), limits::ALLOWED_FAST as usize);
    let mut served = 0;
    for round in 0..2 * limits::ALLOWED_FAST_AGAIN {
        for (piece, begin) in allowed
            .iter()
            .flat_map(|piece| [(piece, 0), (piece, BLOCK)])
        {
            bench.says(key, &format!("request {piece} at {begin}, {BLOCK} bytes"));
            let answer = bench.hears(key);
            let got = answer[0].starts_with("piece ");
            assert_eq!(got, round < limits::ALLOWED_FAST_AGAIN, "round {round}");
            served += u64::from(got);
        }
    }
    let set = 2 * u64::from(limits::ALLOWED_FAST);
    assert_eq!(served, set * limits::ALLOWED_FAST_AGAIN);
    // Who has as many pieces as the set has is no newcomer.
    let piece: u32 = allowed[0].parse().unwrap();
    let rich = *keys
        .iter()
        .filter(|&&other| other != key)
        .find(choked_in(&bench))
        .unwrap();
    for have in 0..limits::ALLOWED_FAST {
        bench.says(rich, &format!("have {have}"));
    }
    bench.hears(rich);
    bench.says(rich, &format!("request {piece} at 0, {BLOCK} bytes"));
    assert!(bench.hears(rich)[0].starts_with("reject "));
}

fn choked_in(bench: &Bench) -> impl Fn(&&usize) -> bool + '_ {
    |key| bench.session.peer(**key).unwrap().choke_state().am_choking
}

#[test]
fn allowed_fast_messages() {
    let mut peer = open(0);
    let messages: Vec<Message<'_>> = (0..PIECES).map(Message::AllowedFast).collect();
    let most = limits::ALLOWED_FAST_KEPT as usize;
    assert_eq!(hear(&mut peer, &messages[..most]), Ok(()));
    assert_eq!(peer.allowed().map(<[u32]>::len), Some(most));
    assert_eq!(
        hear(&mut peer, &messages[most..]),
        Ok(()),
        "more is no fault"
    );
    assert_eq!(peer.allowed().map(<[u32]>::len), Some(most));
}

#[test]
fn bytes_that_wait_for_a_peer_that_does_not_read() {
    let mut bench = Bench::getter_with(4, &[0], |config, _| config.us.share = 4 * limits::UNSENT);
    let key = bench.join(1, true);
    bench.says(key, "interested");
    bench.stops_reading(key);
    // Each pair is answered by a reject.
    let words = ["request 0 at 0, 16384 bytes", "cancel 0 at 0, 16384 bytes"];
    let pair: Vec<u8> = words
        .iter()
        .flat_map(|words| encode(words, &bench.setting))
        .collect();
    let many = pair.repeat(100);
    let mut most = 0;
    while !bench.is_gone(key) {
        bench.sends(key, &many);
        most = most.max(bench.session.peer(key).map_or(0, Peer::unsent));
    }
    assert!(
        (limits::UNSENT - 1700..=limits::UNSENT + 17).contains(&most),
        "{most} bytes"
    );
}

/// Who neither reads nor says a word is told of pieces up to the same bound.
#[test]
fn bytes_that_wait_for_a_peer_that_neither_reads_nor_speaks() {
    let unsent = 4096;
    let mut bench = Bench::getter_with(1_200, &[], |config, _| config.us.share = unsent);
    let (deaf, seed) = (bench.join(1, true), bench.join(2, true));
    bench.stops_reading(deaf);
    bench.says(seed, "have all");
    bench.says(seed, "unchoke");
    let mut most = 0;
    while bench.verified().len() < 1_100 {
        let asked = bench.hears(seed);
        assert!(!asked.is_empty());
        bench.sends_blocks(seed, &asked);
        if let Some(peer) = bench.session.peer(deaf) {
            most = most.max(peer.unsent());
        }
    }
    // A bitfield's room beside it, and what is told at one time.
    let told = unsent + 150 + 9 * limits::TOLD_AT_ONCE;
    let least = unsent - 9 * limits::TOLD_AT_ONCE;
    assert!((least..=told).contains(&most), "{most} bytes waited");
    assert!(bench.is_gone(deaf) && !bench.is_gone(seed));
}

/// The connection ends when this time is over, and not before.
fn assert_gone_after(bench: &mut Bench, key: usize, time: Duration) {
    bench.wait(time - TICK);
    assert!(!bench.is_gone(key));
    bench.wait(TICK);
    assert!(bench.is_gone(key));
}

#[test]
fn time_to_connect() {
    let mut bench = Bench::getter(2, &[]);
    let key = bench.dials(SocketAddr::from(([192, 0, 2, 1], 6881)));
    assert_gone_after(&mut bench, key, limits::CONNECT_TIME);
}

#[test]
fn time_for_the_handshake() {
    let mut bench = Bench::getter(2, &[]);
    let key = bench.accepts(SocketAddr::from(([192, 0, 2, 1], 6881)));
    bench.hands(
        key,
        &encode("handshake fast -XX0000-000000000000", &bench.setting)[..67],
    );
    assert_gone_after(&mut bench, key, limits::HANDSHAKE_TIME);
}

#[test]
fn silence_and_keep_alives() {
    let mut bench = Bench::getter(2, &[]);
    let key = bench.join(1, true);
    bench.hears(key);
    bench.wait(limits::KEEP_ALIVE - TICK);
    assert_eq!(bench.hears(key), [""; 0]);
    bench.wait(TICK);
    assert_eq!(bench.hears(key), ["keep-alive"]);
    assert_gone_after(&mut bench, key, limits::SILENCE - limits::KEEP_ALIVE);
    // A word in time keeps it.
    let mut bench = Bench::getter(2, &[]);
    let key = bench.join(1, true);
    bench.wait(limits::SILENCE - TICK);
    bench.says(key, "keep-alive");
    bench.wait(limits::SILENCE - TICK);
    assert!(!bench.is_gone(key) && at(limits::SILENCE) < bench.now);
}

/// Under a high upload limit there are so many wake-ups a second for the peers that wait, and all
/// that may flow by then flows.
#[test]
fn turns_per_second() {
    let rate = 10 << 20;
    let mut bench = Bench::seeder(400);
    bench.begins(|config, _| config.up = Some(rate));
    bench.turn();
    let key = bench.join(1, true);
    bench.says(key, "interested");
    bench.stops_reading(key);
    for block in 0..700 {
        let (piece, begin) = (block / 2, block % 2 * BLOCK);
        let words = format!("request {piece} at {begin}, {BLOCK} bytes");
        bench.hands(key, &encode(&words, &bench.setting));
    }
    bench.session.await_upload(key);
    let (start, mut now) = (bench.now, bench.now);
    let (mut turns, mut blocks) = (0, 0);
    while now.since(start) < Duration::from_secs(1) {
        while let Some(key) = bench.session.next_upload(now) {
            bench
                .session
                .transmitted(key, PIECE_HEADER + BLOCK as usize, now);
            bench.session.await_upload(key);
            blocks += 1;
        }
        now = bench.session.next_upload_at(now).expect("more waits");
        turns += 1;
    }
    // A part of a block that is left from one to the next makes some come earlier.
    let most = limits::SENDS_PER_SECOND;
    assert!(turns <= most * 5 / 4 && turns >= most * 9 / 10, "{turns}");
    let (sent, burst) = (blocks * u64::from(BLOCK), rate / 4);
    assert!(
        sent >= rate * 9 / 10 && sent <= rate + burst + u64::from(BLOCK),
        "{sent}"
    );
}

/// Under a limit that holds us back, requests come in lots of this size.
#[test]
fn bytes_asked_for_at_once() {
    let mut bench = Bench::getter_with(64, &[], |config, _| config.down = Some(1 << 20));
    let key = bench.join(1, true);
    bench.says(key, "have all");
    bench.says(key, "unchoke");
    let mut lots = Vec::new();
    for _ in 0..300 {
        let mut asked = bench.hears(key);
        asked.retain(|said| said.starts_with("request "));
        if !asked.is_empty() {
            lots.push(asked.len() as u64 * u64::from(BLOCK));
        }
        bench.sends_blocks(key, &asked);
        bench.wait(Duration::from_millis(5));
    }
    // The first ones are what the bucket held and what the depth allowed.
    let usual = &lots[lots.len() / 2..];
    assert!(usual.len() >= 3, "{lots:?}");
    let least = limits::ASKED_AT_ONCE;
    assert!(
        usual.iter().all(|&lot| lot >= least && lot < 2 * least),
        "{lots:?}"
    );
}

#[test]
fn long_bitfields_that_come_early_are_bounded_over_all_peers() {
    let mut bench = Bench::getter(4, &[]);
    let info_hash = bench.setting.local.info_hash;
    bench.begins(|_, order| *order = Order::of_link(info_hash, "x".into(), Vec::new()));
    bench.turn();
    let bitfield = |bytes: usize| "bitfield ".to_string() + &"ff".repeat(bytes);
    let most = (limits::METADATA_BYTES / 20).div_ceil(8);
    let fitting = limits::EARLY_BITFIELDS / (most + 1);
    let mut long = Vec::new();
    for number in 0..fitting {
        let key = bench.join(10 + number as u8, true);
        bench.says(key, &bitfield(most));
        assert!(!bench.is_gone(key));
        long.push(key);
    }
    // One more of that length does not fit, and takes no other's place.
    let late = bench.join(1, true);
    bench.says(late, &bitfield(most));
    assert!(bench.is_gone(late));
    assert!(long.iter().all(|&key| !bench.is_gone(key)));
    // A shorter one does take the place of the longest.
    bench.reports.clear();
    for number in 100..130 {
        let key = bench.join(number, true);
        bench.says(key, &bitfield(20_000));
        assert!(!bench.is_gone(key));
    }
    let replaced = |report: &Report| matches!(report, Report::Disconnected { .. });
    let gone = bench.reports.iter().filter(|it| replaced(it)).count();
    assert_eq!(gone, 2, "of the long ones");
    bench.session.assert_invariants();
}
