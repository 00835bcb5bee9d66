//! One answer of a web seed, given to the machine of a connection in pieces of any size.

use std::sync::Arc;

use super::super::cut;
use super::super::script::Script;
use brooklet::base::{BLOCK, Block, Geometry, Holdings, Time, limits};
use brooklet::http::Url;
use brooklet::webseed::{Content, Fault, Pull};
use brooklet::wire::Metainfo;
use brooklet::wire::bencode::{bytes, dict, int, list};

/// What a connection has brought: blocks, with a sum of their bytes, and what ended it.
type Outcome = (Vec<(Block, u64)>, Option<Fault>);

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let wanted: Vec<u8> = (0..3).map(|_| script.byte()).collect();
    let whole = script.flag();
    let cuts = script.bytes();
    let answer = script.rest();
    let outcome = what_follows(&wanted, whole, answer, &[]);
    let in_parts = what_follows(&wanted, whole, answer, cuts);
    assert_eq!(in_parts, outcome, "cut by {cuts:?}");
}

/// Two files with padding between them, in pieces of two blocks.
fn content() -> (Content, Geometry) {
    let file = |name, length: i64, attr| {
        dict([
            ("attr", bytes(attr)),
            ("length", int(length)),
            ("path", list([bytes(name)])),
        ])
    };
    let block = i64::from(BLOCK);
    let files = [
        file("a", block + 100, ""),
        file("p", block - 100, "p"),
        file("b", 3 * block + 7, ""),
    ];
    let info = dict([
        ("files", list(files)),
        ("name", bytes("t")),
        ("piece length", int(2 * block)),
        ("pieces", bytes(vec![0; 60])),
    ]);
    let metainfo = Metainfo::parse(&dict([("info", info)])).expect("it is a torrent");
    let geometry = metainfo.geometry;
    (Content::new(Arc::new(metainfo)), geometry)
}

/// What comes of an answer, after which the connection is closed. Whatever follows the answer is
/// not looked at.
fn what_follows(wanted: &[u8], whole: bool, answer: &[u8], cuts: &[u8]) -> Outcome {
    let now = Time::default();
    let (content, geometry) = content();
    let url = Url::parse("http://192.0.2.1/").expect("it is a URL");
    let have = Holdings::everything(geometry.pieces());
    let addr = ([192, 0, 2, 1], 80).into();
    let mut pull = Pull::dial(0, (&url, addr), (geometry, have), now);
    pull.handle_connected(now);
    let mut places: Vec<u32> = wanted.iter().map(|&byte| u32::from(byte) % 6).collect();
    places.sort_unstable();
    places.dedup();
    for place in places {
        let block = geometry.block(place / 2, place % 2);
        let start = geometry.offset(block);
        pull.want(start..start + u64::from(block.len), now);
    }
    let mut blocks = Vec::new();
    let mut note = |block: Block, data: &[u8]| {
        assert_eq!(data.len(), block.len as usize);
        let sum = data
            .iter()
            .fold(7_u64, |sum, &byte| sum.wrapping_mul(31) + u64::from(byte));
        assert!(!blocks.contains(&(block, sum)), "a block comes once");
        blocks.push((block, sum));
    };
    while let Some((block, data)) = pull.next_padded(&content, now) {
        note(block, &data.unwrap_or_else(|| vec![0; block.len as usize]));
    }
    let Some((part, at)) = pull.wanted.next(&content) else {
        return (blocks, None);
    };
    let end = pull
        .wanted
        .stretch_end(at, limits::WEB_GAP)
        .min(part.bytes.end);
    let asked = (!whole).then_some(at..end);
    pull.ask(&url, (part, asked), (at, limits::WEB_SKIP), now);
    pull.transmitted(pull.transmit().len());
    let mut fault = None;
    for read in cut(answer, cuts) {
        let mut buffer = [pull.unparsed(), read].concat();
        let end = pull.open(&mut buffer);
        let mut rest = &buffer[..end];
        while let Some(block) = pull.next_block(rest.len(), now) {
            let (data, behind) = rest.split_at(block.len as usize);
            note(block, data);
            rest = behind;
        }
        pull.wanted.keep(rest);
        assert!(
            pull.unparsed().len() < BLOCK as usize,
            "the start of a block is kept"
        );
        let ended = !pull.is_busy();
        fault = pull.take_fault().filter(|_| !ended);
        if ended || fault.is_some() {
            return (blocks, fault);
        }
    }
    pull.handle_closed();
    (blocks, fault.or(pull.take_fault()))
}
