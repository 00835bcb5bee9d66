//! A torrent of which only the info hash is known: what peers are asked, what of theirs counts, and
//! what becomes of the peers met meanwhile. And the other way: what is sent to who asks us.

use std::num::NonZeroU32;

use brooklet::base::{Duration, InfoHash, PeerId, limits};
use brooklet::session::{Change, Command, command, extending};
use brooklet::torrent::{Order, Report, Stage};
use brooklet::wire::extended::metadata::BLOCK;
use brooklet::wire::{ExtendedGreeting, Handshake, Message, MetadataMessage};
use sha1::{Digest as _, Sha1};

use crate::session::Bench;
use crate::{ended_since, requests};

/// The number under which the peers of these tests want to hear of metadata.
const THEIRS: u8 = 9;
/// Ours.
const OURS: u8 = 2;

/// What stands for the dictionary.
fn info() -> Vec<u8> {
    (0..BLOCK + 100).map(|at| (at ^ (at >> 7)) as u8).collect()
}

/// A download of which only the hash of that is known, and how it goes on once it is fetched.
fn bench() -> (Bench, Order) {
    let info_hash = InfoHash(Sha1::digest(info()).into());
    let mut bench = Bench::getter(4, &[]);
    bench.setting.local.info_hash = info_hash;
    let mut whole = bench.order();
    whole.info_hash = info_hash;
    whole.metadata_size = NonZeroU32::new(info().len() as u32);
    bench.begins(|_, order| *order = Order::of_link(info_hash, "x".into(), Vec::new()));
    bench.turn();
    (bench, whole)
}

fn says(bench: &mut Bench, key: usize, id: u8, payload: &[u8]) {
    let mut bytes = Vec::new();
    Message::Extended { id, payload }.encode(&mut bytes);
    bench.sends(key, &bytes);
}

/// A peer that speaks extensions, and says that it has metadata of so many bytes.
fn joins(bench: &mut Bench, number: u8, size: Option<u32>) -> usize {
    let key = bench.accepts(([192, 0, 2, number], 50_001).into());
    let mut bytes = Vec::new();
    let peer_id = PeerId(*b"-LT2080-abcdefghijkl")
        .0
        .map(|byte| byte ^ (number & 7));
    Handshake::ours(bench.setting.local.info_hash, PeerId(peer_id)).encode(&mut bytes);
    bench.sends(key, &bytes);
    let mut payload = Vec::new();
    ExtendedGreeting {
        metadata: Some(THEIRS),
        metadata_size: size,
        ..ExtendedGreeting::default()
    }
    .encode(&mut payload);
    says(bench, key, 0, &payload);
    key
}

fn sends_block(bench: &mut Bench, key: usize, info: &[u8], piece: u32) {
    let start = (piece * BLOCK) as usize;
    let data = &info[start..info.len().min(start + BLOCK as usize)];
    let total = Some(info.len() as u32);
    let mut payload = Vec::new();
    MetadataMessage::Data { piece, total, data }.encode(&mut payload);
    says(bench, key, OURS, &payload);
}

/// The torrent is described, as the outside does it.
fn learns(bench: &mut Bench, order: Order) {
    assert_eq!(bench.metadata.pop(), Some(info()));
    let (torrent, now) = (bench.torrent, bench.now);
    extending::learn(&mut bench.session, torrent, order, now);
    bench.turn();
}

#[test]
fn peers_met_before_are_asked_for_content_at_once() {
    let (mut bench, whole) = bench();
    let size = Some(info().len() as u32);
    let (seed, partial) = (joins(&mut bench, 1, size), joins(&mut bench, 2, size));
    for (key, holds) in [(seed, "have all"), (partial, "bitfield 40")] {
        bench.says(key, holds);
        let told = bench.hears(key);
        // By the time that the metadata are there it may have unchoked us.
        assert!(told.contains(&"interested".to_string()), "{told:?}");
        bench.says(key, "unchoke");
        let heard = [told, bench.hears(key)].concat();
        // Number 9 is theirs; of pieces there is nothing to be said yet.
        let asked = heard.iter().filter(|it| it.starts_with("extended 9"));
        assert_eq!(asked.count(), 2, "{heard:?}");
        assert!(
            !heard
                .iter()
                .any(|it| it.contains("have") || it.contains("bitfield"))
        );
    }
    bench.says(partial, "have 0");
    sends_block(&mut bench, seed, &info(), 1);
    sends_block(&mut bench, partial, &info(), 0);
    learns(&mut bench, whole);
    for key in [seed, partial] {
        assert!(!bench.is_gone(key));
        let heard = bench.hears(key);
        assert!(heard.contains(&"have none".to_string()), "{heard:?}");
        assert!(!heard.contains(&"interested".to_string()), "{heard:?}");
        assert!(
            heard.iter().any(|it| it.starts_with("request ")),
            "{heard:?}"
        );
    }
    assert_eq!(bench.session.peer(partial).unwrap().holdings().count(), 2);
    assert!(
        bench
            .reports
            .iter()
            .any(|it| matches!(it, Report::Metadata { pieces: 4, .. }))
    );
    bench.session.assert_invariants();
}

#[test]
fn a_peer_without_pieces_hears_of_no_interest_and_one_that_turns_out_useless_of_its_end() {
    let (mut bench, whole) = bench();
    let size = Some(info().len() as u32);
    let (poor, useless) = (joins(&mut bench, 1, size), joins(&mut bench, 2, size));
    bench.says(poor, "have none");
    // It has the first piece alone, which turns out not to be wanted.
    bench.says(useless, "bitfield 80");
    let interested = |heard: &[String]| heard.contains(&"interested".to_string());
    assert!(!interested(&bench.hears(poor)));
    assert!(interested(&bench.hears(useless)));
    let mut whole = whole;
    whole.wanted = {
        let mut wanted = brooklet::base::Bits::full(4);
        wanted.clear(0);
        wanted
    };
    sends_block(&mut bench, poor, &info(), 1);
    sends_block(&mut bench, poor, &info(), 0);
    learns(&mut bench, whole);
    let heard = bench.hears(useless);
    assert!(heard.contains(&"not interested".to_string()), "{heard:?}");
    assert!(!interested(&bench.hears(poor)));
    bench.session.assert_invariants();
}

#[test]
fn a_bitfield_that_does_not_fit_the_metadata_ends_that_peer_alone() {
    let (mut bench, whole) = bench();
    let size = Some(info().len() as u32);
    let (wrong, right) = (joins(&mut bench, 1, size), joins(&mut bench, 2, size));
    bench.says(wrong, "bitfield ffffff");
    bench.says(right, "have all");
    (0..2).for_each(|piece| sends_block(&mut bench, right, &info(), piece));
    learns(&mut bench, whole);
    assert!(bench.is_gone(wrong) && !bench.is_gone(right));
    bench.session.assert_invariants();
}

#[test]
fn wrong_metadata_cost_only_the_peers_that_sent_them() {
    let (mut bench, whole) = bench();
    let size = info().len() as u32;
    let liar = joins(&mut bench, 1, Some(size));
    let wrong = vec![7; size as usize];
    (0..2).for_each(|piece| sends_block(&mut bench, liar, &wrong, piece));
    assert!(
        bench.is_gone(liar) && ended_since(&bench, "it sent metadata that are not this torrent's")
    );
    let boaster = joins(&mut bench, 2, Some(2 << 30));
    let other = joins(&mut bench, 3, Some(size + 1));
    let honest = joins(&mut bench, 4, Some(size));
    (0..2).for_each(|piece| sends_block(&mut bench, honest, &info(), piece));
    learns(&mut bench, whole);
    for key in [boaster, other, honest] {
        assert!(!bench.is_gone(key));
    }
    bench.session.assert_invariants();
}

#[test]
fn a_long_bitfield_may_come_before_the_length_of_the_metadata_is_known() {
    let (mut bench, _) = bench();
    let bitfield = |bytes: usize| "bitfield ".to_string() + &"ff".repeat(bytes);
    // The most pieces that metadata may name which are fetched, 20 bytes each.
    let most = (limits::METADATA_BYTES / 20).div_ceil(8);
    for (number, (size, bytes, stays)) in (1..).zip([
        (Some(8 << 20), 20_000, true),
        (None, 20_000, true),
        (None, most, true),
        (None, most + 1, false),
        (Some(40_000), 20_000, false),
    ]) {
        let key = joins(&mut bench, number, size);
        bench.says(key, &bitfield(bytes));
        assert_eq!(!bench.is_gone(key), stays, "{size:?}, {bytes} bytes");
        bench.session.assert_invariants();
    }
}

/// What is unknown is skipped, and nothing else with it.
#[test]
fn a_long_bitfield_may_come_behind_an_unknown_message() {
    let (mut bench, _) = bench();
    let key = joins(&mut bench, 1, None);
    let mut bytes = vec![0, 0, 0, 1, 99];
    bytes.extend(20_001_u32.to_be_bytes());
    bytes.push(5);
    bytes.extend([0xff; 20_000]);
    bench.sends(key, &bytes);
    assert!(!bench.is_gone(key));
}

#[test]
fn a_long_bitfield_that_comes_early_counts_once_the_metadata_are_there() {
    let (mut bench, whole) = bench();
    let size = Some(info().len() as u32);
    let key = bench.join(1, true);
    // It begins with that, as old clients do, and says what it speaks after that.
    bench.says(key, &("bitfield ".to_string() + &"ff".repeat(20_000)));
    let seed = joins(&mut bench, 2, size);
    (0..2).for_each(|piece| sends_block(&mut bench, seed, &info(), piece));
    learns(&mut bench, whole);
    // It is one of another torrent, and is known as that now.
    assert!(bench.is_gone(key) && !bench.is_gone(seed));
    assert!(ended_since(&bench, "its bitfield does not fit the torrent"));
}

#[test]
fn it_may_end_while_it_waits_and_nothing_is_recorded() {
    let (mut bench, _) = bench();
    let (torrent, now) = (bench.torrent, bench.now);
    let stage = |bench: &Bench| bench.session.torrent(torrent).unwrap().life.stage;
    assert_eq!(stage(&bench), Stage::Metadata);
    bench.session.stop(torrent, "SIGINT", now);
    bench.turn();
    assert!(bench.session.is_over() && bench.saves.is_empty());
}

#[test]
fn blocks_are_sent_in_the_order_of_requests() {
    let size = info().len() as u32;
    let mut bench = Bench::getter_with(4, &[0], |_, order| {
        order.metadata_size = NonZeroU32::new(size)
    });
    let key = joins(&mut bench, 1, None);
    bench.hears(key);
    for piece in [0, 1, 2, u32::MAX] {
        let mut payload = Vec::new();
        MetadataMessage::Request(piece).encode(&mut payload);
        says(&mut bench, key, OURS, &payload);
    }
    // There is no third one.
    let rejects = bench
        .hears(key)
        .iter()
        .filter(|it| it.starts_with("extended 9"))
        .count();
    assert_eq!(rejects, 2);
    let torrent = bench.torrent;
    for piece in 0..2 {
        // One is read after the other, so that what waits is not many blocks.
        assert_eq!(std::mem::take(&mut bench.wanted), [(key, piece)]);
        let data = &info()[..BLOCK as usize];
        extending::handle_metadata(&mut bench.session, (torrent, key), piece, Some(data));
        bench.turn();
        let heard = bench.hears(key);
        assert_eq!(heard.len(), 1, "{heard:?}");
        bench.turn();
    }
    assert_eq!(bench.wanted, []);
}

/// Asks for these blocks, each as often as it stands here.
fn asks_for(bench: &mut Bench, key: usize, pieces: impl IntoIterator<Item = u32>) {
    for piece in pieces {
        let mut payload = Vec::new();
        MetadataMessage::Request(piece).encode(&mut payload);
        says(bench, key, OURS, &payload);
    }
}

/// Time goes by, and each block that is to be read is sent. Bytes that each peer got.
fn served(bench: &mut Bench, keys: [usize; 2], span: Duration) -> [u64; 2] {
    let (torrent, end, mut got) = (bench.torrent, bench.now + span, [0; 2]);
    while bench.now < end {
        for (key, piece) in std::mem::take(&mut bench.wanted) {
            let data = &info()[..BLOCK as usize];
            extending::handle_metadata(&mut bench.session, (torrent, key), piece, Some(data));
            got[usize::from(key == keys[1])] += data.len() as u64;
        }
        bench.now = bench.now + Duration::from_millis(10);
        bench.turn();
        while bench.session.next_upload(bench.now).is_some() {}
        bench.turn();
    }
    got
}

#[test]
fn metadata_that_are_sent_keep_to_the_upload_limits_and_are_shared_out() {
    let length = 400 * BLOCK;
    for own in [false, true] {
        let mut bench = Bench::getter_with(4, &[0], |config, order| {
            order.metadata_size = NonZeroU32::new(length);
            config.up = Some(200_000).filter(|_| !own);
        });
        if own {
            let (torrent, up) = (Some(bench.torrent), Some(Some(200_000)));
            let limits = Change { up, down: None };
            let limit = Command::Limit { torrent, limits };
            command::perform(&mut bench.session, limit, bench.now).unwrap();
        }
        let keys = [joins(&mut bench, 1, None), joins(&mut bench, 2, None)];
        // One asks for far more than the other.
        asks_for(&mut bench, keys[0], (0..400).chain(0..400));
        asks_for(&mut bench, keys[1], 0..100);
        let got = served(&mut bench, keys, Duration::from_secs(10));
        let all = got[0] + got[1];
        assert!((1_800_000..=2_100_000).contains(&all), "{got:?}");
        assert!(got[0].abs_diff(got[1]) <= 2 * u64::from(BLOCK), "{got:?}");
        assert_eq!(bench.progress().up_rate, 0, "it is no content");
        bench.session.assert_invariants();
    }
}

#[test]
fn a_peer_that_asks_for_ever_gets_metadata_slowly() {
    let mut bench = Bench::getter_with(4, &[0], |_, order| {
        order.metadata_size = NonZeroU32::new(10 * BLOCK)
    });
    let keys = [joins(&mut bench, 1, None), joins(&mut bench, 2, None)];
    asks_for(&mut bench, keys[0], (0..200).map(|number| number % 10));
    let [got, _] = served(&mut bench, keys, Duration::from_secs(10));
    let fast = 10 * limits::METADATA_COPIES;
    let slow = 10_000 / limits::METADATA_AGAIN.as_millis() as u32;
    let blocks = got as u32 / BLOCK;
    assert!(
        (fast + slow - 2..=fast + slow + 1).contains(&blocks),
        "{blocks}"
    );
}

/// BEP 10: the handshake "may be sent multiple times during the life-time of this connection", to
/// add extensions and take them back.
#[test]
fn peers_are_told_once_the_metadata_are_known() {
    let length = info().len() as u32;
    for private in [false, true] {
        let (mut bench, mut whole) = bench();
        // A tracker may have told them of us.
        let (info_hash, tracker) = (whole.info_hash, String::from("http://192.0.2.99/announce"));
        bench
            .begins(|_, order| *order = Order::of_link(info_hash, "x".into(), vec![vec![tracker]]));
        bench.turn();
        whole.metadata_size = NonZeroU32::new(length).filter(|_| !private);
        let (seed, other) = (
            joins(&mut bench, 1, Some(length)),
            joins(&mut bench, 2, None),
        );
        bench.hears_extended(other);
        sends_block(&mut bench, seed, &info(), 0);
        sends_block(&mut bench, seed, &info(), 1);
        learns(&mut bench, whole);
        let heard = bench.hears_extended(other);
        let said = heard.iter().find(|(id, _)| *id == 0).unwrap();
        let said = ExtendedGreeting::parse(&said.1).unwrap();
        if private {
            let off = (Some(0), Some(0), None);
            assert_eq!((said.metadata, said.exchange, said.metadata_size), off);
        } else {
            assert_eq!(
                (said.metadata, said.metadata_size),
                (Some(OURS), Some(length))
            );
        }
        assert!(!bench.is_gone(other));
        bench.session.assert_invariants();
    }
}

#[test]
fn a_private_torrent_offers_nothing() {
    let mut bench = Bench::getter_with(4, &[0], |_, order| order.metadata_size = None);
    let key = joins(&mut bench, 1, Some(5));
    let mut payload = Vec::new();
    MetadataMessage::Request(0).encode(&mut payload);
    says(&mut bench, key, OURS, &payload);
    assert_eq!(bench.wanted, []);
    let heard = bench.hears(key);
    let said = heard.iter().filter(|it| it.starts_with("extended"));
    assert_eq!(said.count(), 1, "the handshake alone: {heard:?}");
}

#[test]
fn requests_in_flight_keep_to_what_the_peer_says_it_keeps() {
    let mut bench = Bench::getter(64, &[]);
    let key = joins(&mut bench, 1, None);
    says(&mut bench, key, 0, b"d1:mde4:reqqi3ee");
    bench.says(key, "have all");
    bench.says(key, "unchoke");
    assert_eq!(requests(&mut bench, key).len(), 3);
}

#[test]
fn a_torrent_that_ends_after_the_plan_of_a_turn_is_planned_for_at_once() {
    let (mut bench, _) = bench();
    bench.session.plan(bench.now);
    while bench.session.next_effect().is_some() {}
    assert!(!bench.session.is_pending());
    bench
        .session
        .fail(bench.torrent, String::from("no room"), bench.now);
    while bench.session.next_effect().is_some() {}
    assert!(bench.session.is_pending());
    bench.session.plan(bench.now);
    while bench.session.next_effect().is_some() {}
    assert!(bench.session.is_over() && !bench.session.is_pending());
}
