//! Messages told in words, for a log: all that a peer says and is told, once each, however reads
//! and writes cut them.

use brooklet::peer::Segment;
use brooklet::session::{command, sleep};
use brooklet::wire::message::piece_header;

use crate::session::Bench;
use crate::transcript::words::encode;

/// What was told since the last call: `<` for what the peer said, `>` for what it was told.
fn told(bench: &mut Bench) -> Vec<String> {
    let traced = std::mem::take(&mut bench.traced).into_iter();
    traced
        .map(|(_, ours, words)| format!("{} {words}", if ours { '>' } else { '<' }))
        .collect()
}

/// Sends what waits for a peer in writes of so many bytes.
fn written(bench: &mut Bench, key: usize, size: usize) {
    while bench.session.wants_to_send(key) {
        let mut bytes = Vec::new();
        for segment in bench.session.transmit(key) {
            match segment {
                Segment::Bytes(part) => bytes.extend(part),
                Segment::Block { block, skip } => {
                    let frame = [&piece_header(block)[..], &vec![0; block.len as usize]].concat();
                    bytes.extend(&frame[skip..]);
                }
            }
        }
        let part = size.min(bytes.len());
        let sealed = bench.session.seal(key, &mut bytes[..part]).bytes().len();
        bench.session.transmitted(key, sealed, bench.now);
    }
}

/// Hands these bytes in, in reads of so many, and has the session plan.
fn read(bench: &mut Bench, key: usize, words: &[&str], size: usize) {
    let bytes = words.iter().map(|words| encode(words, &bench.setting));
    for part in bytes.collect::<Vec<_>>().concat().chunks(size) {
        let mut read = bench.session.unparsed(key).expect("it is there").to_vec();
        read.extend(part);
        let mut input = bench.session.open(key, &mut read);
        assert!(bench.session.receive(key, &mut input, bench.now).is_none());
    }
    bench.turn();
}

#[test]
fn each_message_is_told_once_however_it_is_cut() {
    for size in [1, 3, 4, 5, 17, 68, 70, 16_384, 100_000] {
        let mut bench = Bench::seeder(2);
        command::trace(&mut bench.session);
        let key = bench.accepts(([192, 0, 2, 7], 50_007).into());
        bench.stops_reading(key);
        let hello = "handshake slow -XX0001-000000000007";
        read(&mut bench, key, &[hello, "keep-alive", "interested"], size);
        written(&mut bench, key, size);
        read(&mut bench, key, &["request 1 at 0, 16384 bytes"], size);
        written(&mut bench, key, size);
        bench.turn();
        let (heard, said): (Vec<String>, Vec<String>) = told(&mut bench)
            .into_iter()
            .partition(|line| line.starts_with('<'));
        let expected = [
            "< handshake -XX0001-000000000007",
            "< keep-alive",
            "< interested",
            "< request 1 at 0, 16384 bytes",
        ];
        assert_eq!(heard, expected, "{size}");
        let expected = [
            "> handshake",
            "> bitfield, 1 bytes",
            "> unchoke",
            "> piece 1 at 0, 16384 bytes",
        ];
        assert_eq!(said, expected, "{size}");
    }
}

/// While a torrent wakes up, what a peer has sent is put back and handed in again: it was told
/// already, but for a message that was cut in two.
#[test]
fn what_waits_for_a_torrent_that_sleeps_is_told_once() {
    for size in [70, 74, 100] {
        let mut bench = Bench::seeder(2);
        command::trace(&mut bench.session);
        assert!(sleep::fall_asleep(&mut bench.session, bench.torrent));
        let key = bench.accepts(([192, 0, 2, 7], 50_007).into());
        let words = [
            "handshake slow -XX0001-000000000007",
            "interested",
            "keep-alive",
        ];
        let bytes = words.map(|words| encode(words, &bench.setting)).concat();
        let (before, after) = bytes.split_at(size.min(bytes.len()));
        bench.sends(key, before);
        let order = bench.order();
        let torrent = bench.torrent;
        sleep::wake_up(&mut bench.session, torrent, order, bench.now);
        let kept = bench
            .session
            .unparsed(key)
            .map(<[u8]>::to_vec)
            .expect("it is kept");
        assert_eq!(kept, before);
        let mut read = [&kept, after].concat();
        let mut input = bench.session.open(key, &mut read);
        assert!(bench.session.receive(key, &mut input, bench.now).is_none());
        bench.turn();
        let heard: Vec<String> = told(&mut bench)
            .into_iter()
            .filter(|it| it.starts_with('<'))
            .collect();
        let expected = [
            "< handshake -XX0001-000000000007",
            "< interested",
            "< keep-alive",
        ];
        assert_eq!(heard, expected, "{size}");
    }
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let mut bench = Bench::seeder(2);
    let key = bench.join(1, true);
    bench.says(key, "interested");
    assert!(bench.traced.is_empty());
}
