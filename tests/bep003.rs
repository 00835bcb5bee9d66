//! BEP 3, the BitTorrent protocol: what it says of peers, sentence by sentence, in its order. (What
//! it says of metainfo is tested in `metainfo.rs`, what it says of trackers in `trackers/`.)

#[path = "support/session.rs"]
#[allow(dead_code)]
mod session;
#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use brooklet::base::{BLOCK, Block, Duration, InfoHash, PeerId, Time};
use brooklet::peer::{Choke, EndReason, Input, Peer};
use brooklet::wire::bencode::{self, Value};
use brooklet::wire::{Handshake, Message, Metainfo};
use session::{Bench, PIECE};
use transcript::Setting;
use transcript::pair::{Heard, Pair};
use transcript::words::encode;

const START: Time = Time::from_micros(0);

/// A connection on which both handshakes are done, to a peer without extensions.
fn greeted(setting: &Setting) -> Peer {
    let mut pair = Pair::accept(setting.local, ([192, 0, 2, 7], 50_001).into(), START);
    let greeting = encode("handshake plain -TR3000-abcdefghijkl", setting);
    let event = pair.next_event(&mut Input::new(&greeting), START);
    assert!(matches!(event, Ok(Some(Heard::Greeted(_)))));
    let mut peer = pair.into_peer();
    let sent = peer.transmit().count();
    assert_eq!(sent, 1, "our handshake");
    peer.transmitted(68, START);
    peer
}

/// What comes of one message in words.
fn hear(peer: &mut Peer, setting: &Setting, words: &str) -> Result<Option<String>, EndReason> {
    let bytes = encode(words, setting);
    let event = peer.next_event(&mut Input::new(&bytes), START)?;
    Ok(event.map(|event| transcript::words::event_words(&event)))
}

fn requests(said: &[String]) -> Vec<String> {
    let requests = said.iter().filter(|said| said.starts_with("request "));
    requests.cloned().collect()
}

// bencoding

/// "`4:spam` corresponds to 'spam'. […] `i3e` corresponds to 3 and `i-3e` corresponds to -3. […]
/// `l4:spam4:eggse` corresponds to ['spam', 'eggs']. […] `d3:cow3:moo4:spam4:eggse` corresponds to
/// {'cow': 'moo', 'spam': 'eggs'}"
#[test]
fn bencoded_values_are_those_of_the_examples() {
    let read = |text: &'static str| bencode::decode(text.as_bytes()).unwrap();
    assert_eq!(read("4:spam"), (Value::Bytes(b"spam"), &b""[..]));
    assert_eq!(read("i3e").0, Value::Int(3));
    assert_eq!(read("i-3e").0, Value::Int(-3));
    let list = read("l4:spam4:eggse").0.list().unwrap();
    let expected = [Value::Bytes(b"spam"), Value::Bytes(b"eggs")];
    assert!(list.iter().eq(expected));
    let dict = read("d3:cow3:moo4:spam4:eggse").0.dict().unwrap();
    assert_eq!(dict.get("cow"), Some(Value::Bytes(b"moo")));
    assert_eq!(dict.get("spam"), Some(Value::Bytes(b"eggs")));
}

/// "`i-0e` is invalid. All encodings with a leading zero, such as `i03e`, are invalid, other than
/// `i0e`, which of course corresponds to 0."
#[test]
fn integers_have_one_form() {
    assert!(bencode::decode(b"i-0e").is_err());
    assert!(bencode::decode(b"i03e").is_err());
    assert_eq!(bencode::decode(b"i0e").unwrap().0, Value::Int(0));
}

/// "The info-hash must be the hash of the encoded form as found in the .torrent file […]. They must
/// not perform a decode-encode roundtrip on invalid data."
#[test]
fn the_info_hash_is_that_of_the_bytes_as_found() {
    use sha1::{Digest as _, Sha1};
    // Its keys are not sorted, and one is unknown: encoding it anew would give other bytes.
    let info = b"d4:name1:x6:lengthi3e6:pieces20:aaaaaaaaaaaaaaaaaaaa12:piece lengthi16384e1:?i1ee";
    let text = [&b"d4:info"[..], info, b"e"].concat();
    match Metainfo::parse(&text) {
        Ok(meta) => assert_eq!(meta.info_hash.0[..], Sha1::digest(info)[..]),
        Err(why) => panic!("or it is rejected, which is allowed as well: {why}"),
    }
}

// peer protocol

/// "When a peer finishes downloading a piece and checks that the hash matches, it announces that it
/// has that piece to all of its peers."
#[test]
fn a_verified_piece_is_announced_to_all() {
    let mut bench = Bench::getter(4, &[]);
    let (seed, other) = (bench.join(1, false), bench.join(2, false));
    bench.says(seed, "bitfield f0");
    bench.says(seed, "unchoke");
    let asked = requests(&bench.hears(seed));
    let first: Vec<String> = asked.into_iter().take(2).collect();
    bench.hears(other);
    bench.sends_blocks(seed, &first[..1]);
    assert_eq!(
        bench.hears(other),
        [""; 0],
        "half a piece is nothing to announce"
    );
    bench.sends_blocks(seed, &first[1..]);
    let piece = bench.verified()[0];
    assert_eq!(bench.hears(other), [format!("have {piece}")]);
}

/// … and one that does not match is not.
#[test]
fn a_piece_that_does_not_match_is_not_announced() {
    let mut bench = Bench::getter(4, &[]);
    let (liar, other) = (bench.join(1, false), bench.join(2, false));
    bench.says(liar, "bitfield f0");
    bench.says(liar, "unchoke");
    bench.hears(other);
    for request in requests(&bench.hears(liar)) {
        let block = transcript::words::block(&request);
        let mut frame = encode(&request.replace("request ", "piece "), &bench.setting);
        frame[13] ^= 1;
        assert_eq!(block.len, BLOCK);
        bench.sends(liar, &frame);
    }
    assert_eq!(bench.verified(), [0; 0]);
    assert!(
        !bench
            .hears(other)
            .iter()
            .any(|said| said.starts_with("have "))
    );
    assert!(bench.is_gone(liar), "it alone sent the piece");
}

/// "Connections start out choked and not interested."
#[test]
fn connections_start_choked_and_not_interested() {
    let setting = Setting::load();
    let peer = greeted(&setting);
    let start = Choke {
        am_choking: true,
        am_interested: false,
        peer_choking: true,
        peer_interested: false,
    };
    assert_eq!(peer.choke_state(), start);
    assert_eq!(
        (peer.room(START), peer.allowed()),
        (0, Some(&[][..])),
        "nothing to ask for"
    );
}

/// "Interest state must be kept up to date at all times - whenever a downloader doesn't have
/// something they currently would ask a peer for in unchoked, they must express lack of interest,
/// despite being choked."
#[test]
fn interest_follows_what_the_peer_has_and_we_lack() {
    let mut bench = Bench::getter(8, &[0]);
    let (source, other) = (bench.join(1, false), bench.join(2, false));
    bench.hears(other);
    bench.says(other, "bitfield 80");
    assert_eq!(bench.hears(other), [""; 0], "it has only what we have");
    bench.says(other, "have 5");
    assert_eq!(bench.hears(other), ["interested"], "though it chokes us");
    // We get piece 5 elsewhere.
    bench.says(source, "bitfield 04");
    bench.says(source, "unchoke");
    let asked = bench.hears(source);
    bench.sends_blocks(source, &asked);
    assert_eq!(bench.verified(), [5]);
    assert_eq!(bench.hears(other), ["have 5", "not interested"]);
    bench.says(other, "have 6");
    assert_eq!(bench.hears(other), ["interested"]);
}

/// "Data transfer takes place whenever one side is interested and the other side is not choking.
/// […] downloaders should keep several piece requests queued up at once in order to get good TCP
/// performance (this is called 'pipelining'.)"
#[test]
fn several_requests_are_queued_at_once() {
    let mut bench = Bench::getter(8, &[]);
    let seed = bench.join(1, false);
    bench.says(seed, "bitfield ff");
    assert!(requests(&bench.hears(seed)).is_empty(), "it chokes us");
    bench.says(seed, "unchoke");
    let asked = requests(&bench.hears(seed));
    assert!(asked.len() >= 2, "{asked:?}");
    // Each block that comes is replaced by at least one more.
    bench.sends_blocks(seed, &asked[..1]);
    assert!(!requests(&bench.hears(seed)).is_empty());
}

/// "requests which can't be written out to the TCP buffer immediately should be queued up in memory
/// rather than kept in an application-level network buffer, so they can all be thrown out when a
/// choke happens."
#[test]
fn a_choke_throws_out_what_waits() {
    let setting = Setting::load();
    let mut peer = greeted(&setting);
    peer.unchoke();
    for piece in 0..10 {
        let asked = format!("request {piece} at 0, 16384 bytes");
        assert!(hear(&mut peer, &setting, &asked).is_ok());
        let block = transcript::words::block(&asked);
        assert_eq!(peer.serve(block), Ok(()));
    }
    assert_eq!(peer.uploads_waiting(), 10);
    peer.choke();
    assert_eq!(peer.uploads_waiting(), 0);
    assert!(peer.choke_state().am_choking);
}

/// "The handshake starts with character ninteen (decimal) followed by the string 'BitTorrent
/// protocol'. […] After the fixed headers come eight reserved bytes […]. Next comes the 20 byte
/// sha1 hash of the bencoded form of the info value […]. After the download hash comes the 20-byte
/// peer id"
#[test]
fn the_handshake_is_laid_out_like_that() {
    let info_hash = InfoHash(*b"abcdefghijklmnopqrst");
    let peer_id = PeerId(*b"-bk0100-ABCDEFGHIJKL");
    let mut bytes = Vec::new();
    Handshake::with_fast(info_hash, peer_id).encode(&mut bytes);
    assert_eq!((bytes.len(), bytes[0]), (68, 19));
    assert_eq!(&bytes[1..20], b"BitTorrent protocol");
    assert_eq!(bytes[20..28].len(), 8);
    assert_eq!(bytes[28..48], info_hash.0);
    assert_eq!(bytes[48..], peer_id.0);
}

/// "All later integers sent in the protocol are encoded as four bytes big-endian."
#[test]
fn integers_are_four_bytes_big_endian() {
    let mut bytes = Vec::new();
    Message::Have(0x0102_0304).encode(&mut bytes);
    assert_eq!(bytes, [0, 0, 0, 5, 4, 1, 2, 3, 4]);
}

/// "If both sides don't send the same value, they sever the connection."
#[test]
fn another_info_hash_severs_the_connection() {
    let setting = Setting::load();
    let greeting = encode(
        "handshake plain -TR3000-abcdefghijkl for another torrent",
        &setting,
    );
    let addr = ([192, 0, 2, 7], 6881).into();
    let mut accepted = Pair::accept(setting.local, addr, START);
    let heard = accepted.next_event(&mut Input::new(&greeting), START);
    assert_eq!(heard.err(), Some(EndReason::OtherTorrent));
    assert_eq!(accepted.transmit().len(), 0, "nothing was said");
    let mut dialed = Pair::dial(setting.local, addr, START);
    dialed.handle_connected(START);
    let heard = dialed.next_event(&mut Input::new(&greeting), START);
    assert_eq!(heard.err(), Some(EndReason::OtherTorrent));
}

/// "they may wait for incoming connections to give a download hash first, and respond with the same
/// one if it's in their list."
#[test]
fn the_dialed_side_speaks_second() {
    let setting = Setting::load();
    let addr = ([192, 0, 2, 7], 6881).into();
    let mut accepted = Pair::accept(setting.local, addr, START);
    assert_eq!(accepted.transmit().len(), 0);
    let greeting = encode("handshake plain -TR3000-abcdefghijkl", &setting);
    let _ = accepted.next_event(&mut Input::new(&greeting), START);
    assert_eq!(accepted.transmit().len(), 1);
    let mut dialed = Pair::dial(setting.local, addr, START);
    dialed.handle_connected(START);
    assert_eq!(dialed.transmit().len(), 1);
}

/// "Messages of length zero are keepalives, and ignored. Keepalives are generally sent once every
/// two minutes"
#[test]
fn keepalives_are_sent_in_time_and_ignored() {
    let setting = Setting::load();
    let mut peer = greeted(&setting);
    assert_eq!(hear(&mut peer, &setting, "keep-alive"), Ok(None));
    let mut said = 0;
    let mut now = START;
    while let Some(due) = peer
        .next_deadline(now)
        .filter(|due| due.since(START) < Duration::from_secs(120))
    {
        now = due;
        assert_eq!(peer.handle_timeout(now), Ok(()));
        said += peer.transmit().count();
    }
    assert_eq!(said, 1, "one within two minutes");
}

// peer messages

/// "All non-keepalive messages start with a single byte which gives their type. The possible values
/// are: 0 - choke, 1 - unchoke, 2 - interested, 3 - not interested, 4 - have, 5 - bitfield, 6 -
/// request, 7 - piece, 8 - cancel"
#[test]
fn messages_are_numbered_like_that() {
    let block = Block {
        piece: 1,
        begin: 2,
        len: 3,
    };
    let (piece, begin) = (1, 2);
    let messages = [
        Message::Choke,
        Message::Unchoke,
        Message::Interested,
        Message::NotInterested,
        Message::Have(1),
        Message::Bitfield(&[0x80]),
        Message::Request(block),
        Message::Piece {
            piece,
            begin,
            data: b"abc",
        },
        Message::Cancel(block),
    ];
    for (number, message) in messages.into_iter().enumerate() {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        assert_eq!(usize::from(bytes[4]), number, "{message}");
        assert_eq!(Message::parse(&bytes[4..]), Ok(message));
    }
}

/// "'choke', 'unchoke', 'interested', and 'not interested' have no payload."
#[test]
fn four_messages_have_no_payload() {
    for number in 0..4 {
        assert!(Message::parse(&[number]).is_ok());
        assert!(Message::parse(&[number, 0]).is_err());
    }
}

/// "'bitfield' is only ever sent as the first message." (By us. aria2 sends another in place of
/// many haves, which is taken.)
#[test]
fn a_bitfield_is_our_first_message_only() {
    let mut bench = Bench::getter(8, &[1, 2]);
    let seed = bench.join(1, false);
    bench.says(seed, "bitfield ff");
    bench.says(seed, "unchoke");
    let mut said = bench.hears(seed);
    assert_eq!(said[..2], ["handshake", "bitfield 60"]);
    while said.iter().any(|said| said.starts_with("request ")) {
        bench.sends_blocks(seed, &said);
        said = bench.hears(seed);
        assert!(!said.iter().any(|said| said.starts_with("bitfield")));
    }
    assert_eq!(bench.verified().len(), 6);
    let setting = Setting::load();
    let mut peer = greeted(&setting);
    assert!(hear(&mut peer, &setting, "bitfield 800000").is_ok());
    assert!(hear(&mut peer, &setting, "have 5").is_ok());
    assert!(hear(&mut peer, &setting, "bitfield 8c0000").is_ok());
    assert_eq!(peer.holdings().count(), 3);
}

/// "Its payload is a bitfield with each index that downloader has sent set to one and the rest set
/// to zero. […] The first byte of the bitfield corresponds to indices 0 - 7 from high bit to low
/// bit, respectively. The next one 8-15, etc."
#[test]
fn a_bitfield_reads_from_high_to_low() {
    let setting = Setting::load();
    let mut peer = greeted(&setting);
    assert!(hear(&mut peer, &setting, "bitfield 814000").is_ok());
    let has = (0..23).filter(|&piece| peer.holdings().has(piece));
    assert_eq!(has.collect::<Vec<u32>>(), [0, 7, 9]);
}

/// "Downloaders which don't have anything yet may skip the 'bitfield' message."
#[test]
fn a_peer_that_has_nothing_skips_the_bitfield() {
    let mut bench = Bench::getter(8, &[]);
    let peer = bench.join(1, false);
    assert_eq!(bench.hears(peer), ["handshake"]);
    let mut bench = Bench::getter(8, &[1]);
    let peer = bench.join(1, false);
    assert_eq!(bench.hears(peer), ["handshake", "bitfield 40"]);
}

/// "Spare bits at the end are set to zero."
#[test]
fn spare_bits_are_zero() {
    let setting = Setting::load();
    assert_eq!(
        hear(&mut greeted(&setting), &setting, "bitfield ffffff"),
        Err(EndReason::BadBitfield)
    );
    assert!(hear(&mut greeted(&setting), &setting, "bitfield fffffe").is_ok());
    let mut bench = Bench::seeder(3);
    let peer = bench.join(1, false);
    assert_eq!(bench.hears(peer), ["handshake", "bitfield e0"]);
}

/// "'request' messages contain an index, begin, and length. […] All current implementations use
/// 2^14 (16 kiB), and close connections which request an amount greater than that." We ask for no
/// more, and close above 128 KiB, which some have asked for.
#[test]
fn requests_are_for_16_kib() {
    let mut bench = Bench::getter(8, &[]);
    let seed = bench.join(1, false);
    bench.says(seed, "bitfield ff");
    bench.says(seed, "unchoke");
    for request in requests(&bench.hears(seed)) {
        let block = transcript::words::block(&request);
        assert_eq!((block.len, block.begin % BLOCK), (BLOCK, 0));
        assert!(block.begin < PIECE);
    }
    let setting = Setting::load();
    let beyond = hear(
        &mut greeted(&setting),
        &setting,
        "request 0 at 0, 131073 bytes",
    );
    assert_eq!(beyond, Err(EndReason::BadRequest));
}

/// "once requests for all pieces a given downloader doesn't have yet are currently pending, it
/// sends requests for everything to everyone it's downloading from. To keep this from becoming
/// horribly inefficient, it sends cancels to everyone else every time a piece arrives." (We ask not
/// everyone, but two, or three for the last block.)
#[test]
fn the_end_game_asks_twice_and_cancels() {
    let mut bench = Bench::getter(2, &[]);
    let (slow, quick) = (bench.join(1, false), bench.join(2, false));
    bench.says(slow, "bitfield c0");
    bench.says(slow, "unchoke");
    let pending = requests(&bench.hears(slow));
    assert_eq!(pending.len(), 4, "both pieces are asked for");
    bench.says(quick, "bitfield c0");
    bench.says(quick, "unchoke");
    let again = requests(&bench.hears(quick));
    assert!(
        !again.is_empty() && again.iter().all(|request| pending.contains(request)),
        "{again:?}"
    );
    bench.sends_blocks(quick, &again[..1]);
    let said = bench.hears(slow);
    assert_eq!(said, [again[0].replace("request", "cancel")]);
}

/// "It's possible for an unexpected piece to arrive if choke and unchoke messages are sent in quick
/// succession and/or transfer is going very slowly."
#[test]
fn a_block_that_crossed_a_choke_is_taken() {
    let mut bench = Bench::getter(8, &[]);
    let seed = bench.join(1, false);
    bench.says(seed, "bitfield ff");
    bench.says(seed, "unchoke");
    let asked = requests(&bench.hears(seed));
    bench.says(seed, "choke");
    bench.says(seed, "unchoke");
    bench.sends_blocks(seed, &asked);
    assert!(!bench.is_gone(seed));
    bench.everything_comes();
    assert_eq!(bench.verified().len(), 8);
    assert_eq!(bench.disk, bench.setting.content);
}

/// "Downloaders generally download pieces in random order".
#[test]
fn the_first_pieces_are_random() {
    let firsts: std::collections::BTreeSet<String> = (0..12)
        .map(|number| {
            let mut bench = Bench::getter(64, &[]);
            // Time decides nothing, but the seed of each bench is the same: another number of peers
            // makes another draw.
            for other in 0..number {
                let key = bench.join(100 + other, false);
                bench.says(key, "have 0");
                bench.says(key, "unchoke");
            }
            let seed = bench.join(1, false);
            bench.says(seed, "bitfield ffffffffffffffff");
            bench.says(seed, "unchoke");
            requests(&bench.hears(seed))[0].clone()
        })
        .collect();
    assert!(firsts.len() > 3, "{firsts:?}");
}

// choking

/// Peers that all want everything of us, and their keys.
fn crowd(bench: &mut Bench, peers: u8) -> Vec<usize> {
    (1..=peers)
        .map(|number| {
            let key = bench.join(number, false);
            bench.says(key, "interested");
            key
        })
        .collect()
}

fn unchoked(bench: &Bench, keys: &[usize]) -> Vec<usize> {
    let open = |&key: &usize| {
        bench
            .session
            .peer(key)
            .is_some_and(|peer| !peer.choke_state().am_choking)
    };
    keys.iter().copied().filter(open).collect()
}

/// "It should cap the number of simultaneous uploads for good TCP performance. […] unchoking the
/// four peers which it has the best download rates from and are interested. […] For optimistic
/// unchoking, at any one time there is a single peer which is unchoked regardless of its upload
/// rate". (We count the optimistic one beside the four.)
#[test]
fn four_and_one_are_unchoked() {
    let mut bench = Bench::seeder(8);
    let keys = crowd(&mut bench, 12);
    bench.wait(Duration::from_secs(11));
    assert_eq!(unchoked(&bench, &keys).len(), 5);
}

/// "It should reciprocate to peers who let it download."
#[test]
fn the_peer_that_gives_most_is_served() {
    let mut bench = Bench::getter(800, &[0]);
    let mut keys = crowd(&mut bench, 8);
    let givers: Vec<usize> = (9..13)
        .map(|number| {
            let key = bench.join(number, false);
            bench.says(key, &format!("bitfield {}", "7f".repeat(100)));
            bench.says(key, "unchoke");
            bench.says(key, "interested");
            key
        })
        .collect();
    keys.extend(&givers);
    for _ in 0..4 {
        for &key in &givers {
            let asked = requests(&bench.hears(key));
            bench.sends_blocks(key, &asked);
        }
        bench.wait(Duration::from_secs(1));
    }
    bench.wait(Duration::from_secs(7));
    let served = unchoked(&bench, &keys);
    assert!(
        givers.iter().all(|key| served.contains(key)),
        "{served:?} of {givers:?}"
    );
}

/// "avoids fibrillation by only changing who's choked once every ten seconds. […] Which peer is
/// optimistically unchoked rotates every 30 seconds."
#[test]
fn unchoked_peers_change_every_ten_and_thirty_seconds() {
    let mut bench = Bench::seeder(8);
    let keys = crowd(&mut bench, 30);
    bench.wait(Duration::from_secs(11));
    let (mut last, mut changes) = (unchoked(&bench, &keys), Vec::new());
    for second in 12..=131 {
        bench.wait(Duration::from_secs(1));
        for &key in &keys {
            bench.says(key, "keep-alive");
        }
        let now = unchoked(&bench, &keys);
        if now != last {
            changes.push(second);
        }
        last = now;
    }
    assert!(
        changes.len() >= 3,
        "the optimistic slot moves on: {changes:?}"
    );
    assert!(
        changes.windows(2).all(|pair| pair[1] - pair[0] >= 10),
        "{changes:?}"
    );
}

/// "If a downloader has a complete file, it uses its upload rate rather than its download rate to
/// decide who to unchoke."
#[test]
fn a_seed_serves_the_peer_that_takes_most() {
    let mut bench = Bench::seeder(64);
    let keys = crowd(&mut bench, 12);
    let mut takers = Vec::new();
    for second in 0..60 {
        let open = unchoked(&bench, &keys);
        if second == 0 {
            takers = open.iter().copied().take(2).collect();
        }
        for &key in takers.iter().filter(|key| open.contains(key)) {
            bench.says(key, &format!("request {second} at 0, 16384 bytes"));
        }
        bench.wait(Duration::from_secs(1));
    }
    let served = unchoked(&bench, &keys);
    assert_eq!(takers.len(), 2);
    assert!(
        takers.iter().all(|key| served.contains(key)),
        "{served:?} of {takers:?}"
    );
}
