//! BEP 6, the fast extension, sentence by sentence, in its order.

#[path = "support/session.rs"]
#[allow(dead_code)]
mod session;
#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use std::fs;
use std::net::IpAddr;

use brooklet::base::{Bits, Block, InfoHash, Time};
use brooklet::peer::{EndReason, FrameLimits, Input, Peer, Segment, allowed_fast_set};
use brooklet::wire::Message;
use brooklet::wire::message::Kind;
use session::Bench;
use transcript::pair::Pair;
use transcript::words::{block, encode, event_words};
use transcript::{Setting, replay, whole};

const START: Time = Time::from_micros(0);

/// A connection on which both handshakes are done, ours still to be sent.
fn greeted(setting: &Setting, caps: &str) -> Peer {
    let mut pair = Pair::accept(setting.local, ([80, 4, 4, 200], 50_001).into(), START);
    let greeting = encode(&format!("handshake {caps} -TR3000-abcdefghijkl"), setting);
    assert!(pair.next_event(&mut Input::new(&greeting), START).is_ok());
    let mut peer = pair.into_peer();
    peer.transmitted(68, START);
    peer
}

fn hear(peer: &mut Peer, setting: &Setting, words: &str) -> Result<Option<String>, EndReason> {
    let bytes = encode(words, setting);
    let event = peer.next_event(&mut Input::new(&bytes), START)?;
    Ok(event.map(|event| event_words(&event)))
}

/// What waits to be said, blocks among it.
fn waiting(peer: &Peer) -> Vec<String> {
    let mut said = Vec::new();
    for segment in peer.transmit() {
        match segment {
            Segment::Block { block, .. } => said.push(format!("piece {}", block.piece)),
            Segment::Bytes(bytes) => {
                let mut input = Input::new(bytes);
                while let Ok(Some(frame)) = input.next_frame(FrameLimits::of(8_000)) {
                    said.push(Message::parse(frame).unwrap().to_string());
                }
            }
        }
    }
    said
}

fn of(piece: u32) -> Block {
    block(&format!("{piece} at 0, 16384 bytes"))
}

/// "These are enabled by setting the third least significant bit of the last reserved byte in the
/// BitTorrent handshake: reserved[7] |= 0x04."
#[test]
fn we_set_the_bit() {
    let setting = Setting::load();
    let mut peer = Pair::dial(setting.local, ([80, 4, 4, 200], 6881).into(), START);
    peer.handle_connected(START);
    let Some(Segment::Bytes(bytes)) = peer.transmit().into_iter().next() else {
        panic!("a caller speaks first");
    };
    // 0x10 in the sixth is the extension protocol's (BEP 10).
    assert_eq!(bytes[20..28], [0, 0, 0, 0, 0, 0x10, 0, 4]);
}

/// "The extension is enabled only if both ends of the connection set this bit." And of each of its
/// messages: "When the fast extension is disabled, if a peer receives […] then the peer MUST close
/// the connection."
#[test]
fn without_the_bit_none_of_its_messages_may_come() {
    let setting = Setting::load();
    let messages = [
        ("have all", Kind::HaveAll),
        ("have none", Kind::HaveNone),
        ("suggest piece 1", Kind::Suggest),
        ("reject request 1 at 0, 16384 bytes", Kind::Reject),
        ("allowed fast 1", Kind::AllowedFast),
    ];
    for (words, kind) in messages {
        let refused = hear(&mut greeted(&setting, "plain"), &setting, words);
        assert_eq!(refused, Err(EndReason::NotAgreed(kind)));
        assert!(
            hear(&mut greeted(&setting, "fast"), &setting, words).is_ok(),
            "{words}"
        );
    }
    // Nor do we send any.
    let mut plain = greeted(&setting, "plain");
    plain.introduce(&Bits::full(23), vec![1, 2]);
    plain.unchoke();
    assert_eq!(plain.serve(of(0)), Ok(()));
    plain.choke();
    assert_eq!(plain.refuse(of(1)), Ok(()));
    assert_eq!(waiting(&plain), ["bitfield, 3 bytes", "unchoke", "choke"]);
}

/// "every request is guaranteed to result in EXACTLY ONE response which is either the corresponding
/// reject or corresponding piece message."
#[test]
fn every_request_has_one_answer() {
    let mut bench = Bench::seeder(8);
    let peer = bench.join(1, true);
    bench.says(peer, "have none");
    bench.says(peer, "interested");
    assert_eq!(
        bench.hears(peer).last().map(String::as_str),
        Some("unchoke")
    );
    for piece in 0..8 {
        bench.says(peer, &format!("request {piece} at 0, 16384 bytes"));
    }
    let answers: Vec<String> = (0..8)
        .map(|piece| format!("piece {piece} at 0, 16384 bytes"))
        .collect();
    assert_eq!(bench.hears(peer), answers);
    // What a download does not have it rejects.
    let mut bench = Bench::getter(8, &[3]);
    let peer = bench.join(1, true);
    bench.says(peer, "have none");
    bench.says(peer, "interested");
    bench.hears(peer);
    bench.says(peer, "request 3 at 0, 16384 bytes");
    bench.says(peer, "request 4 at 0, 16384 bytes");
    assert_eq!(
        bench.hears(peer),
        [
            "piece 3 at 0, 16384 bytes",
            "reject request 4 at 0, 16384 bytes"
        ]
    );
}

/// "Even when a request is cancelled, the peer receiving the cancel should respond with either the
/// corresponding reject or the corresponding piece: requests that are being processed are allowed
/// to complete."
#[test]
fn a_cancelled_request_is_answered() {
    let setting = Setting::load();
    let mut peer = greeted(&setting, "fast");
    peer.unchoke();
    assert_eq!(peer.serve(of(0)), Ok(()));
    assert_eq!(peer.serve(of(1)), Ok(()));
    // The unchoke and ten bytes of the first block are gone.
    peer.transmitted(5 + 10, START);
    assert_eq!(
        hear(&mut peer, &setting, "cancel 0 at 0, 16384 bytes"),
        Ok(None)
    );
    assert_eq!(
        hear(&mut peer, &setting, "cancel 1 at 0, 16384 bytes"),
        Ok(None)
    );
    assert_eq!(
        waiting(&peer),
        ["piece 0", "reject request 1 at 0, 16384 bytes"]
    );
}

/// "Choke no longer implicitly rejects all pending requests".
#[test]
fn a_choke_drops_no_request() {
    let setting = Setting::load();
    for (caps, left) in [("fast", 2), ("plain", 0)] {
        let mut peer = greeted(&setting, caps);
        assert!(hear(&mut peer, &setting, "unchoke").is_ok());
        peer.request(of(0), START);
        peer.request(of(1), START);
        assert!(hear(&mut peer, &setting, "choke").is_ok());
        assert_eq!(peer.in_flight(), left, "{caps}");
    }
}

/// "Additionally, if a peer receives a piece that was never requested, the peer MUST close the
/// connection." (We forgive 64 of them, since not all clients are so strict, and write none.)
#[test]
fn unrequested_pieces_close_the_connection() {
    let mut bench = Bench::getter(8, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    let before = bench.disk.clone();
    let sent = (0..200).take_while(|number| {
        bench.says(peer, &format!("piece 1 at {number}, 5 bytes"));
        !bench.is_gone(peer)
    });
    assert!(sent.count() <= 64);
    assert!(bench.is_gone(peer));
    assert_eq!(bench.disk, before);
}

/// "Exactly one of Have All, Have None, or Have Bitfield MUST appear and only immediately after the
/// handshake." (By us. Others send them later, too, in place of many haves: what came last counts.)
#[test]
fn one_of_three_follows_the_handshake() {
    for (held, said) in [
        (&[][..], "have none"),
        (&[1, 2], "bitfield 60"),
        (&[0, 1, 2, 3], "have all"),
    ] {
        let mut bench = Bench::getter(4, held);
        let peer = bench.join(1, true);
        let heard = bench.hears(peer);
        assert_eq!(heard[..2], ["handshake", said]);
        let others = heard[2..]
            .iter()
            .filter(|said| !said.starts_with("allowed fast"));
        assert_eq!(others.count(), 0, "{heard:?}");
    }
    let setting = Setting::load();
    let mut peer = greeted(&setting, "fast");
    for (said, has) in [("have none", 0), ("bitfield c00000", 2), ("have all", 23)] {
        assert!(hear(&mut peer, &setting, said).is_ok());
        assert_eq!(peer.holdings().count(), has);
    }
}

/// "*Have All* and *Have None* specify that the message sender has all or none of the pieces
/// respectively."
#[test]
fn have_all_and_have_none_mean_that() {
    let setting = Setting::load();
    let mut seed = greeted(&setting, "fast");
    assert!(hear(&mut seed, &setting, "have all").is_ok());
    assert!(seed.holdings().is_seed());
    let mut new = greeted(&setting, "fast");
    assert!(hear(&mut new, &setting, "have none").is_ok());
    assert_eq!(new.holdings().count(), 0);
}

/// "*Suggest Piece* is an advisory message": it is read, and nothing comes of it.
#[test]
fn a_suggestion_is_only_advice() {
    let setting = Setting::load();
    let mut peer = greeted(&setting, "fast");
    assert_eq!(hear(&mut peer, &setting, "suggest piece 22"), Ok(None));
    assert_eq!(peer.holdings().count(), 0, "the peer need not even have it");
    assert_eq!(
        hear(&mut peer, &setting, "suggest piece 23"),
        Err(EndReason::NoSuchPiece(23))
    );
}

/// "*Reject Request* notifies a requesting peer that its request will not be satisfied." The block
/// is asked of somebody else.
#[test]
fn a_rejected_block_is_asked_of_another() {
    let mut bench = Bench::getter(1, &[]);
    let (miser, giver) = (bench.join(1, true), bench.join(2, true));
    for key in [miser, giver] {
        bench.says(key, "have all");
    }
    bench.says(miser, "unchoke");
    let asked = bench.hears(miser);
    let asked: Vec<&String> = asked
        .iter()
        .filter(|said| said.starts_with("request"))
        .collect();
    assert_eq!(asked.len(), 2);
    for request in &asked {
        bench.says(miser, &format!("reject {request}"));
    }
    assert_eq!(
        bench.session.peer(miser).map(|peer| peer.in_flight()),
        Some(0)
    );
    bench.hears(giver);
    bench.says(giver, "unchoke");
    let again = bench.hears(giver);
    assert!(
        asked.iter().all(|request| again.contains(request)),
        "{again:?}"
    );
    bench.sends_blocks(giver, &again);
    assert_eq!(bench.verified(), [0]);
}

/// "If a peer sends a choke, it MUST reject all requests from the peer to whom the choke was sent
/// except it SHOULD NOT reject requests for pieces that are in the allowed fast set. A peer SHOULD
/// choke first and then reject requests".
#[test]
fn a_choke_rejects_what_waits_but_for_the_allowed_set() {
    let setting = Setting::load();
    let mut peer = greeted(&setting, "fast");
    peer.introduce(&Bits::full(23), vec![2]);
    peer.unchoke();
    for piece in 1..4 {
        assert_eq!(peer.serve(of(piece)), Ok(()));
    }
    peer.choke();
    let expected = [
        "have all",
        "allowed fast 2",
        "unchoke",
        "choke",
        "reject request 1 at 0, 16384 bytes",
        "reject request 3 at 0, 16384 bytes",
        "piece 2",
    ];
    assert_eq!(waiting(&peer), expected);
}

/// "If a peer receives a request from a peer its choking, the peer receiving the request SHOULD
/// send a reject unless the piece is in the allowed fast set." *Allowed Fast* means "if you ask for
/// this piece, I'll give it to you even if you're choked."
#[test]
fn a_choked_peer_gets_its_allowed_set_and_rejects() {
    let mut bench = Bench::seeder(64);
    // More than are served at a time: some stay choked.
    let keys: Vec<usize> = (1..20).map(|number| bench.join(number, true)).collect();
    for &key in &keys {
        bench.says(key, "have none");
        bench.says(key, "interested");
    }
    let choked = |key: &&usize| {
        bench
            .session
            .peer(**key)
            .is_some_and(|peer| peer.choke_state().am_choking)
    };
    let key = *keys.iter().find(choked).expect("somebody is choked");
    let said = bench.hears(key);
    let allowed: Vec<u32> = said
        .iter()
        .filter_map(|said| said.strip_prefix("allowed fast ")?.parse().ok())
        .collect();
    assert_eq!(allowed.len(), 10);
    let other = (0..64).find(|piece| !allowed.contains(piece)).unwrap();
    bench.says(key, &format!("request {} at 0, 16384 bytes", allowed[0]));
    bench.says(key, &format!("request {other} at 0, 16384 bytes"));
    let expected = [
        format!("piece {} at 0, 16384 bytes", allowed[0]),
        format!("reject request {other} at 0, 16384 bytes"),
    ];
    assert_eq!(bench.hears(key), expected);
}

/// "If a peer receives an excessive number of requests from a peer it is choking, the peer
/// receiving the requests MAY close the connection rather than reject the request. However,
/// consider that it can take several seconds for buffers to drain and messages to propagate once a
/// peer is choked."
#[test]
fn a_flood_closes_the_connection_but_not_soon() {
    let setting = Setting::load();
    let mut peer = greeted(&setting, "fast");
    let refused = (0..10_000).take_while(|_| peer.refuse(of(1)).is_ok());
    let count = refused.count();
    assert!((500..5_000).contains(&count), "{count}");
}

/// "The receiver MUST NOT interpret an Allowed Fast message as meaning that the message sender has
/// the piece." And: "a peer MAY send Allowed Fast messages at any time."
#[test]
fn allowed_fast_says_nothing_of_what_it_has() {
    let mut bench = Bench::getter(8, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have none");
    bench.says(peer, "allowed fast 5");
    bench.hears(peer);
    assert_eq!(
        bench.session.peer(peer).map(|peer| peer.holdings().count()),
        Some(0)
    );
    bench.says(peer, "have 5");
    let asked = [
        "interested",
        "request 5 at 0, 16384 bytes",
        "request 5 at 16384, 16384 bytes",
    ];
    assert_eq!(bench.hears(peer), asked, "though it chokes us");
    bench.says(peer, "have 6");
    assert_eq!(bench.hears(peer), [""; 0], "which is not allowed");
}

/// "7 piece allowed fast set for torrent with 1313 pieces and hex infohash aaaa[…] for node with IP
/// 80.4.4.200: 1059,431,808,1217,287,376,1188" and the one of nine, from the table of known
/// answers.
#[test]
fn the_set_is_that_of_the_examples() {
    let table = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/torrents/VECTORS.tsv"
    ))
    .unwrap();
    let mut examples = 0;
    for row in table.lines().filter(|row| row.starts_with("bep6\t")) {
        let fields: Vec<&str> = row.split('\t').collect();
        let input = |name: &str| {
            let mut inputs = fields[2].split(' ');
            inputs.find_map(|input| input.strip_prefix(name)).unwrap()
        };
        let ip: IpAddr = input("ip=").parse().unwrap();
        let info_hash = InfoHash::from_hex(input("infohash=")).unwrap();
        let (pieces, count) = (
            input("pieces=").parse().unwrap(),
            input("k=").parse().unwrap(),
        );
        let set = allowed_fast_set(ip, info_hash, pieces, count);
        let set: Vec<String> = set.iter().map(u32::to_string).collect();
        assert_eq!(set.join(","), fields[3]);
        examples += 1;
    }
    assert_eq!(examples, 2);
}

/// "Let *ip* denote *P'*s IPv4 address. We currently have no provisions for IPv6. […] We do this to
/// prevent a user that obtains more than one IP address on the same network from obtaining more
/// than one allowed fast set."
#[test]
fn the_set_is_that_of_the_network() {
    let set = |ip: &str| allowed_fast_set(ip.parse().unwrap(), InfoHash([7; 20]), 1000, 10);
    assert_eq!(set("80.4.4.200"), set("80.4.4.1"));
    assert_ne!(set("80.4.4.200"), set("80.4.5.200"));
    assert_eq!(set("::ffff:80.4.4.200"), set("80.4.4.200"));
    assert!(set("2001:db8::7").is_empty());
}

/// The whole of it, told as stories.
#[test]
fn the_stories_of_the_extension_are_there() {
    let setting = Setting::load();
    for name in [
        "05-have-all-have-none",
        "06-choke",
        "07-allowed-fast",
        "08-cancel",
    ] {
        let told = fs::read_to_string(transcript::path_of(name)).unwrap();
        assert!(told.contains("BEP 6"), "{name}");
        assert_eq!(replay(&told, &setting, &mut whole), told, "{name}");
    }
}
