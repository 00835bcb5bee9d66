//! One connection, driven as a session drives it, with what comes cut in every way.

use std::sync::Arc;

use super::super::wanted::blocks;
use super::*;
use crate::base::Rng;
use crate::wire::Metainfo;
use crate::wire::bencode::{bytes, dict, int, list};

const NOW: Time = Time::from_micros(3_600_000_000);
const PIECE: u32 = 3 * BLOCK;

/// Files of these lengths; `true`: padding.
fn content(files: &[(u64, bool)]) -> (Content, Geometry, Vec<u8>) {
    let mut data = Vec::new();
    let mut entries = Vec::new();
    for (number, &(length, padding)) in files.iter().enumerate() {
        let start = data.len() as u64;
        let content = |at| (at ^ (at >> 8)) as u8 | 1;
        let byte = |at| if padding { 0 } else { content(at) };
        data.extend((start..start + length).map(byte));
        let attr = if padding { "p" } else { "" };
        entries.push(dict([
            ("attr", bytes(attr)),
            ("length", int(length as i64)),
            ("path", list([bytes(format!("{number}"))])),
        ]));
    }
    let pieces = data.len().div_ceil(PIECE as usize);
    let info = dict([
        ("files", list(entries)),
        ("name", bytes("t")),
        ("piece length", int(i64::from(PIECE))),
        ("pieces", bytes(vec![0; 20 * pieces])),
    ]);
    let metainfo = Metainfo::parse(&dict([("info", info)])).unwrap();
    let geometry = metainfo.geometry;
    (Content::new(Arc::new(metainfo)), geometry, data)
}

fn url() -> Url {
    Url::parse("http://192.0.2.1/t/x").unwrap()
}

fn pull(geometry: Geometry) -> Pull {
    let have = Holdings::everything(geometry.pieces());
    let addr = ([192, 0, 2, 1], 80).into();
    let mut pull = Pull::dial(0, (&url(), addr), (geometry, have), NOW);
    pull.handle_connected(NOW);
    pull
}

/// How a server answers.
#[derive(Clone, Copy, Debug)]
enum Form {
    Part,
    Whole,
    Chunked,
}

fn answer(form: Form, file: Range<u64>, asked: Range<u64>, data: &[u8]) -> Vec<u8> {
    let of = |range: &Range<u64>| data[range.start as usize..range.end as usize].to_vec();
    let length = file.end - file.start;
    match form {
        Form::Part => {
            let (first, last) = (asked.start - file.start, asked.end - file.start - 1);
            let head = format!(
                "HTTP/1.1 206 P\r\nContent-Range: bytes {first}-{last}/{length}\r\n\
                 Content-Length: {}\r\n\r\n",
                asked.end - asked.start
            );
            [head.into_bytes(), of(&asked)].concat()
        }
        Form::Whole => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            [head.into_bytes(), of(&file)].concat()
        }
        Form::Chunked => {
            let mut out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            for chunk in of(&file).chunks(5_003) {
                out.extend(format!("{:x}\r\n", chunk.len()).bytes());
                out.extend(chunk);
                out.extend(b"\r\n");
            }
            out.extend(b"0\r\n\r\n");
            out
        }
    }
}

/// Gets these runs; what comes is read in parts of random lengths up to this one. The blocks, in
/// order.
fn get(
    files: &[(u64, bool)],
    wanted: &[Range<u64>],
    form: Form,
    most: u64,
    rng: &mut Rng,
) -> Vec<Block> {
    let (content, geometry, data) = content(files);
    let mut pull = pull(geometry);
    for run in wanted {
        pull.want(run.clone(), NOW);
    }
    let mut blocks = Vec::new();
    let mut check = |block: Block, bytes: &[u8]| {
        let at = geometry.offset(block) as usize;
        assert!(bytes == &data[at..at + block.len as usize], "{block:?}");
        blocks.push(block);
    };
    let fill = |pull: &mut Pull, check: &mut dyn FnMut(Block, &[u8])| {
        while let Some((block, bytes)) = pull.next_padded(&content, NOW) {
            let bytes = bytes.unwrap_or_else(|| vec![0; block.len as usize]);
            check(block, &bytes);
        }
    };
    let mut socket: Vec<u8> = Vec::new();
    loop {
        fill(&mut pull, &mut check);
        if !pull.is_busy() {
            assert!(socket.is_empty(), "an answer is read to its end");
            let Some((part, at)) = pull.wanted.next(&content) else {
                break;
            };
            let end = pull
                .wanted
                .stretch_end(at, limits::WEB_GAP)
                .min(part.bytes.end);
            let file = part.bytes.clone();
            let asked = pull.ask(&url(), (part, Some(at..end)), (at, u64::MAX), NOW);
            assert_eq!(asked.bytes, Some(at..end));
            assert!(pull.transmit().starts_with(b"GET /t/x HTTP/1.1\r\n"));
            pull.transmitted(pull.transmit().len());
            assert!(pull.transmit().is_empty());
            socket = answer(form, file, at..end, &data);
        }
        let len = (rng.below(most) as usize + 1).min(socket.len());
        let read: Vec<u8> = socket.drain(..len).collect();
        let mut buffer = [pull.unparsed(), &read].concat();
        let end = pull.open(&mut buffer);
        let mut rest = &buffer[..end];
        while let Some(block) = pull.next_block(rest.len(), NOW) {
            let (bytes, behind) = rest.split_at(block.len as usize);
            check(block, bytes);
            rest = behind;
        }
        pull.wanted.keep(rest);
        assert!(rest.len() < BLOCK as usize);
        assert_eq!(pull.take_fault(), None);
    }
    assert_eq!(pull.wanted.bytes(), 0);
    blocks
}

#[test]
fn blocks_come_out_whole_however_what_comes_is_cut() {
    let block = u64::from(BLOCK);
    let files = [
        (2 * block + 77, false),
        (0, false),
        (1, false),
        (block * 3 - 78, true),
        (5, false),
        (40_000, false),
        (2, true),
        (3, false),
        (100_000, true),
        (9, false),
    ];
    let size: u64 = files.iter().map(|(length, _)| length).sum();
    let piece = u64::from(PIECE);
    let mut rng = Rng::from_seed(7);
    for form in [Form::Part, Form::Whole, Form::Chunked] {
        for wanted in [
            vec![0..block, block..size],
            vec![block..2 * block, 3 * block..4 * block],
            vec![0..block, 2 * block..4 * block, piece * 2..size],
            vec![piece..piece + block, size / piece * piece..size],
        ] {
            let runs = wanted.iter().cloned();
            let geometry = content(&files).1;
            let expected: Vec<Block> = runs.flat_map(|run| blocks(geometry, run)).collect();
            for most in [1_000_000, 20_000, 3_000, 200] {
                let got = get(&files, &wanted, form, most, &mut rng);
                assert_eq!(got, expected, "{form:?} {wanted:?} {most}");
            }
        }
    }
}

#[test]
fn what_came_from_elsewhere_is_not_wanted_any_more() {
    let (content, geometry, _) = content(&[(10 * u64::from(PIECE), false)]);
    let mut pull = pull(geometry);
    let size = geometry.size();
    pull.want(0..size, NOW);
    for (piece, number) in [(0, 0), (9, 2), (4, 1), (4, 0)] {
        pull.wanted.cancel(geometry.block(piece, number));
    }
    assert_eq!(pull.wanted.blocks().count(), 26);
    let runs: Vec<Range<u64>> = pull.wanted.runs().cloned().collect();
    let (block, piece) = (u64::from(BLOCK), u64::from(PIECE));
    let expected = [block..4 * piece, 4 * piece + 2 * block..size - block];
    assert_eq!(runs, expected);
    assert_eq!(pull.wanted.next(&content).map(|(_, at)| at), Some(block));
    assert_eq!(
        pull.wanted.stretch_end(block, limits::WEB_GAP),
        size - block
    );
    assert_eq!(pull.wanted.stretch_end(block, 2 * block - 1), 4 * piece);
    pull.wanted.cancel(geometry.block(4, 0));
    assert_eq!(pull.close().len(), 26);
    assert!(pull.is_closing() && pull.wanted.is_empty());
}

#[test]
fn a_block_goes_on_over_another_connection() {
    let (content, geometry, data) = content(&[(u64::from(PIECE), false)]);
    let mut pull = pull(geometry);
    pull.want(0..u64::from(PIECE), NOW);
    pull.wanted.keep(&data[..1000]);
    assert_eq!(pull.wanted.take_rest(), Some((0, data[..1000].to_vec())));
    let have = Holdings::everything(geometry.pieces());
    let addr = ([192, 0, 2, 1], 80).into();
    let mut other = Pull::dial(0, (&url(), addr), (geometry, have), NOW);
    other.handle_connected(NOW);
    other.want(0..u64::from(PIECE), NOW);
    other.wanted.resume(data[..1000].to_vec());
    assert_eq!(other.wanted.next(&content).map(|(_, at)| at), Some(1000));
    assert_eq!(other.unparsed(), &data[..1000]);
}

#[test]
fn what_is_not_asked_for_ends_it() {
    let (_, geometry, _) = content(&[(10, false)]);
    let mut pull = pull(geometry);
    assert_eq!(pull.open(&mut b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), 0);
    let fault = pull.take_fault();
    assert!(matches!(fault, Some(Fault::Senseless(_))), "{fault:?}");
    pull.handle_closed();
    assert_eq!(pull.take_fault(), Some(Fault::Last));
}

#[test]
fn time_ends_what_does_not_move() {
    let (content, geometry, data) = content(&[(u64::from(PIECE), false)]);
    let have = Holdings::everything(geometry.pieces());
    let addr = ([192, 0, 2, 1], 80).into();
    let mut pull = Pull::dial(0, (&url(), addr), (geometry, have), NOW);
    assert_eq!(pull.next_deadline(), Some(NOW + limits::CONNECT_TIME));
    assert_eq!(
        pull.handle_timeout(NOW + limits::CONNECT_TIME),
        Lapse::Unanswered
    );
    pull.handle_connected(NOW);
    assert_eq!(pull.handle_timeout(NOW + limits::WEB_KEPT_FOR), Lapse::Idle);
    pull.want(0..u64::from(PIECE), NOW);
    let (part, at) = pull.wanted.next(&content).unwrap();
    let file = part.bytes.clone();
    pull.ask(&url(), (part, Some(file.clone())), (at, 0), NOW);
    let late = NOW + limits::WEB_LATE;
    assert_eq!(pull.next_deadline(), Some(late));
    assert_eq!(pull.handle_timeout(late), Lapse::Late);
    assert_eq!(pull.handle_timeout(late), Lapse::None, "it is said once");
    // A byte now and then keeps the connection, and does not make the block less late.
    let all = answer(Form::Part, file.clone(), file, &data);
    let mut buffer = all[..all.len() - 10].to_vec();
    let end = pull.open(&mut buffer);
    pull.hear(late);
    assert_eq!(pull.next_deadline(), Some(late + limits::WEB_SILENCE));
    assert!(pull.next_block(end, late).is_some());
    assert_eq!(pull.handle_timeout(late + limits::WEB_LATE), Lapse::Late);
    assert_eq!(
        pull.handle_timeout(late + limits::WEB_SILENCE),
        Lapse::Silent
    );
    pull.suspend(true, late);
    assert_eq!(pull.next_deadline(), None);
    assert_eq!(pull.handle_timeout(late + limits::WEB_SILENCE), Lapse::None);
}
