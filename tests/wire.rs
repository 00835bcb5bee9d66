//! Every parser of `wire`, over what was recorded of real programs (`testdata/torrents/WIRE.tsv`),
//! and over samples of each kind that are cut at every byte and changed at every byte: nothing
//! panics, and what is taken encodes to what it was read from.

#[path = "support/datagrams.rs"]
mod datagrams;
#[path = "support/json.rs"]
#[allow(dead_code)]
mod json;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use brooklet::base::{Block, InfoHash, PeerId, limits};
use brooklet::wire::announce::Answer;
use brooklet::wire::bencode::{self, Value};
use brooklet::wire::handshake::LEN;
use brooklet::wire::message::{Kind, frame_len};
use brooklet::wire::udp_tracker::{Request, Response};
use brooklet::wire::{Family, Handshake, Message, ScrapeAnswer, compact};
use datagrams::datagrams;
use json::Json;

fn read(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/torrents");
    fs::read(folder.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// Whether a value is what the table says of it: byte strings that are no text stand there as
/// `hex:…`.
fn assert_same(value: Value<'_>, expected: &Json) {
    match (value, expected) {
        (Value::Int(number), Json::Number(_)) => assert_eq!(number as f64, expected.number()),
        (Value::Bytes(bytes), Json::Text(text)) => match text.strip_prefix("hex:") {
            Some(digits) => assert_eq!(hex(bytes), digits),
            None => assert_eq!(bytes, text.as_bytes()),
        },
        (Value::List(list), Json::List(items)) => {
            assert_eq!(list.iter().count(), items.len());
            list.iter()
                .zip(items)
                .for_each(|(value, item)| assert_same(value, item));
        }
        (Value::Dict(dict), Json::Object(members)) => {
            assert_eq!(dict.iter().count(), members.len());
            for (key, value) in members {
                assert_same(dict.get(key).unwrap(), value);
            }
        }
        _ => panic!("{value:?} is not {expected:?}"),
    }
}

#[test]
fn recorded_messages_hold_what_the_table_says() {
    let table = String::from_utf8(read("WIRE.tsv")).unwrap();
    let mut rows = 0;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (bytes, decoded) = (read(fields[0]), Json::parse(fields[3]).unwrap());
        assert_eq!(bytes.len().to_string(), fields[1]);
        let prefix = decoded.get("prefix_hex").text();
        let (front, text) = bytes.split_at(prefix.len() / 2);
        assert_eq!(hex(front), prefix);
        let (value, rest) = bencode::decode(text).unwrap();
        assert_same(value, decoded.get("value"));
        assert_eq!(rest.len() as u64, decoded.get("trailing").count());
        rows += 1;
    }
    assert!(rows >= 6, "{rows}");
}

#[test]
fn a_recorded_extended_handshake_is_one_frame() {
    let bytes = read("wire/extended_handshake.bin");
    assert_eq!(frame_len(&bytes), Some(bytes.len() as u32 - 4));
    let payload = &bytes[6..];
    assert_eq!(
        Message::parse(&bytes[4..]),
        Ok(Message::Extended { id: 0, payload })
    );
}

/// The numbers of the two rows of the table that trackers sent.
#[test]
fn recorded_answers_of_trackers_are_understood() {
    let Ok(Answer::Reply(reply)) = Answer::parse(&read("wire/http_announce_reply_compact.bin"))
    else {
        panic!("no reply");
    };
    assert_eq!((reply.seeders, reply.leechers), (Some(4), Some(3)));
    assert_eq!(reply.interval.map(|time| time.as_secs()), Some(1800));
    assert_eq!(reply.min_interval.map(|time| time.as_secs()), Some(1800));
    assert_eq!(reply.peers.len(), 7);
    assert_eq!(
        reply.peers[0],
        SocketAddr::from(([0x2e, 0xbd, 0x1b, 0x64], 0x1a1f))
    );
    let failure = Answer::parse(&read("wire/http_announce_failure.bin"));
    let reason = String::from("Invalid info_hash (0 - )");
    assert_eq!(
        failure,
        Ok(Answer::Failure {
            reason,
            retry: None
        })
    );
}

/// Gives `check` the sample whole, every beginning of it, and the sample with each byte changed in
/// several ways.
fn damage(sample: &[u8], check: impl Fn(&[u8])) {
    (0..=sample.len()).for_each(|cut| check(&sample[..cut]));
    let mut damaged = sample.to_vec();
    for place in 0..sample.len() {
        let byte = sample[place];
        for other in [0, 1, b'e', b'9', 0x7f, 0x80, 0xff, byte ^ 1, byte ^ 0x80] {
            damaged[place] = other;
            check(&damaged);
        }
        damaged[place] = byte;
    }
}

fn messages() -> Vec<Message<'static>> {
    let block = Block {
        piece: 1,
        begin: 16_384,
        len: 16_384,
    };
    vec![
        Message::KeepAlive,
        Message::Choke,
        Message::Unchoke,
        Message::Interested,
        Message::NotInterested,
        Message::Have(7),
        Message::Bitfield(&[0xf0, 0x0f]),
        Message::Request(block),
        Message::Piece {
            piece: 1,
            begin: 2,
            data: b"data",
        },
        Message::Cancel(block),
        Message::Port(6881),
        Message::Suggest(7),
        Message::HaveAll,
        Message::HaveNone,
        Message::Reject(block),
        Message::AllowedFast(7),
        Message::Extended {
            id: 0,
            payload: b"d1:md6:ut_pexi1eee",
        },
        Message::Unknown(99),
    ]
}

#[test]
fn damaged_frames_are_refused_or_mean_what_they_say() {
    let messages = messages();
    let kinds = messages.iter().map(Message::kind);
    assert!(kinds.eq(Kind::ALL.into_iter().skip(1)), "one of each");
    for message in messages {
        let mut frame = Vec::new();
        message.encode(&mut frame);
        assert_eq!(Message::parse(&frame[4..]), Ok(message));
        damage(&frame[4..], |bytes| match Message::parse(bytes) {
            Ok(Message::Unknown(id)) => assert_eq!(bytes[0], id),
            Ok(message) => {
                let mut again = Vec::new();
                message.encode(&mut again);
                assert_eq!(again[4..], *bytes);
                assert_eq!(frame_len(&again), Some(bytes.len() as u32));
                assert!(!message.to_string().contains('\n'));
            }
            Err(malformed) => assert!(malformed.at <= bytes.len() && !malformed.what.is_empty()),
        });
    }
}

#[test]
fn damaged_handshakes_are_refused_or_mean_what_they_say() {
    let mut sample = Vec::new();
    Handshake::with_fast(InfoHash([7; 20]), PeerId(*b"-bk0100-abcdefghijkl")).encode(&mut sample);
    damage(&sample, |bytes| match Handshake::parse(bytes) {
        Ok(Some(handshake)) => {
            let mut again = Vec::new();
            handshake.encode(&mut again);
            assert_eq!(again, bytes);
        }
        Ok(None) => assert!(bytes.len() < LEN && sample.starts_with(bytes)),
        Err(malformed) => assert_ne!(bytes[malformed.at], sample[malformed.at]),
    });
}

#[test]
fn damaged_answers_of_http_trackers_never_panic() {
    for sample in [
        read("wire/http_announce_reply_compact.bin"),
        read("wire/http_announce_failure.bin"),
        b"d14:failure reason2:no8:retry in5:nevere".to_vec(),
        b"d8:completei1e8:intervali1800e5:peersld2:ip7:1.2.3.44:porti6881eeee".to_vec(),
        b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e10:incompletei10eeee"
            .to_vec(),
    ] {
        damage(&sample, |bytes| {
            if let Ok(Answer::Reply(reply)) = Answer::parse(bytes) {
                assert!(reply.peers.len() <= limits::REPLY_PEERS);
            }
            let _ = ScrapeAnswer::parse(bytes, InfoHash([b'a'; 20]));
        });
    }
}

#[test]
fn damaged_datagrams_are_refused_or_mean_what_they_say() {
    let (requests, responses) = datagrams();
    for request in requests {
        let mut sample = Vec::new();
        request.encode(&mut sample);
        damage(&sample, |bytes| {
            if let Ok(request) = Request::parse(bytes) {
                let mut again = Vec::new();
                request.encode(&mut again);
                assert_eq!(Request::parse(&again), Ok(request));
            }
        });
    }
    for response in responses {
        let mut sample = Vec::new();
        response.encode(&mut sample);
        damage(&sample, |bytes| {
            let _ = Response::parse(bytes, Family::V6);
            if let Ok(response) = Response::parse(bytes, Family::V4) {
                let mut again = Vec::new();
                response.encode(&mut again);
                // A negative interval is not kept, and comes back as none or as zero.
                let again = Response::parse(&again, Family::V4).unwrap();
                assert_eq!(again.transaction, response.transaction);
            }
        });
    }
}

#[test]
fn lists_of_addresses_keep_their_whole_addresses() {
    let list: Vec<u8> = (0..180).collect();
    for (family, size) in [(Family::V4, 6), (Family::V6, 18)] {
        for cut in 0..=list.len() {
            let addrs = compact::parse(&list[..cut], family);
            assert_eq!(addrs.len(), cut / size);
            let mut again = Vec::new();
            addrs
                .iter()
                .for_each(|&addr| compact::encode(addr, &mut again));
            assert_eq!(again, list[..again.len()]);
            assert!(addrs.iter().all(|addr| Family::of(addr.ip()) == family));
        }
    }
}
