//! Many torrents of which only the info hash is known, and what their searches keep in memory
//! together.

use brooklet::base::{Duration, InfoHash, TorrentKey, limits};
use brooklet::torrent::Order;
use brooklet::wire::extended::metadata::BLOCK;
use brooklet::wire::{ExtendedGreeting, Handshake, Message, MetadataMessage};
use sha1::{Digest as _, Sha1};

use crate::session::Bench;

/// The number under which the peers of these tests want to hear of metadata, and ours.
const NUMBERS: (u8, u8) = (9, 2);

/// A peer of one of the torrents that are fetched.
struct Sender {
    torrent: TorrentKey,
    key: usize,
    size: u32,
    /// The dictionary, if it has it; otherwise it sends all blocks but the last, and wrong ones.
    info: Option<Vec<u8>>,
    /// Blocks that it was asked for.
    asked: Vec<u32>,
}

/// A download that has another torrent, of which everything is known.
fn bench() -> Bench {
    Bench::getter_with(4, &[0], |config, _| config.metadata = 2 * limits::MIB)
}

fn says(bench: &mut Bench, key: usize, id: u8, payload: &[u8]) {
    let mut bytes = Vec::new();
    Message::Extended { id, payload }.encode(&mut bytes);
    bench.sends(key, &bytes);
}

fn sender(bench: &mut Bench, number: u8, size: u32, info: Option<Vec<u8>>) -> Sender {
    let name = format!("link {number}");
    let hash = info
        .as_ref()
        .map(|info| InfoHash(Sha1::digest(info).into()));
    let mut info_hash = InfoHash([0; 20]);
    let torrent = bench.adds(&name, |order| {
        info_hash = hash.unwrap_or(order.info_hash);
        *order = Order::of_link(info_hash, name.clone(), Vec::new());
    });
    let key = bench.accepts(([192, 0, 2, number], 50_001).into());
    let mut bytes = Vec::new();
    let peer_id = bench
        .setting
        .local
        .peer_id
        .0
        .map(|byte| byte ^ (number & 7));
    Handshake::ours(info_hash, brooklet::base::PeerId(peer_id)).encode(&mut bytes);
    bench.sends(key, &bytes);
    let mut payload = Vec::new();
    ExtendedGreeting {
        metadata: Some(NUMBERS.0),
        metadata_size: Some(size),
        ..ExtendedGreeting::default()
    }
    .encode(&mut payload);
    says(bench, key, 0, &payload);
    Sender {
        torrent,
        key,
        size,
        info,
        asked: Vec::new(),
    }
}

impl Sender {
    /// Answers what it was asked for, at most so many blocks; whether it was asked for any.
    fn answers(&mut self, bench: &mut Bench, most: usize) -> bool {
        for (id, payload) in bench.hears_extended(self.key) {
            let asked = MetadataMessage::parse(&payload);
            if let (true, Ok(MetadataMessage::Request(piece))) = (id == NUMBERS.0, asked) {
                self.asked.push(piece);
            }
        }
        let (last, any) = ((self.size - 1) / BLOCK, !self.asked.is_empty());
        for piece in self.asked.drain(..self.asked.len().min(most)) {
            let range = (piece * BLOCK) as usize..self.size.min((piece + 1) * BLOCK) as usize;
            let data = match &self.info {
                Some(info) => info[range].to_vec(),
                None if piece == last => continue,
                None => vec![0xaa; range.len()],
            };
            let (total, data) = (Some(self.size), &data[..]);
            let mut payload = Vec::new();
            MetadataMessage::Data { piece, total, data }.encode(&mut payload);
            says(bench, self.key, NUMBERS.1, &payload);
        }
        any
    }
}

/// Bytes that all searches keep.
fn kept(bench: &Bench, senders: &[Sender]) -> usize {
    let fetches = senders.iter().filter_map(|sender| {
        let torrent = bench.session.torrent(sender.torrent)?;
        Some(torrent.fetch()?.kept())
    });
    fetches.sum()
}

#[test]
fn what_searches_keep_together_is_bounded_and_each_has_its_turn() {
    let mut bench = bench();
    let most = limits::METADATA_BYTES as u32;
    let long: Vec<u8> = (0..3 * limits::MIB)
        .map(|at| (at ^ (at >> 9)) as u8)
        .collect();
    let mut senders: Vec<Sender> = (1..=5)
        .map(|number| sender(&mut bench, number, most, None))
        .collect();
    senders.push(sender(&mut bench, 6, long.len() as u32, Some(long.clone())));
    let bound = limits::METADATA_BYTES + 2 * limits::MIB;
    let (mut peak, mut done) = (0, None);
    for second in 0..120 {
        // Each liar could send the whole of what it names within a second.
        for sender in &mut senders {
            while sender.answers(&mut bench, usize::MAX) {}
        }
        let kept = kept(&bench, &senders);
        assert!(kept <= bound, "{kept} bytes are kept after {second} s");
        peak = peak.max(kept);
        if let Some(info) = bench.metadata.pop() {
            assert!(info == long);
            done = Some(second);
            break;
        }
        bench.now = bench.now + Duration::from_secs(1);
        bench.turn();
    }
    // A liar that sends no last block has its turn for as long as it is silent.
    let silent = 2 * limits::METADATA_LATE.as_secs() + 1;
    assert!(done.is_some_and(|second| second <= 5 * silent), "{done:?}");
    assert!(peak > limits::METADATA_BYTES / 2, "{peak}");
}

#[test]
fn short_ones_do_not_wait_for_long_ones() {
    let mut bench = bench();
    let most = limits::METADATA_BYTES as u32;
    let mut liars: Vec<Sender> = (1..=3)
        .map(|number| sender(&mut bench, number, most, None))
        .collect();
    for number in 10..14 {
        let info = vec![number; 100_000];
        let mut honest = sender(&mut bench, number, info.len() as u32, Some(info.clone()));
        for _ in 0..2 {
            for liar in &mut liars {
                liar.answers(&mut bench, 8);
            }
            honest.answers(&mut bench, usize::MAX);
        }
        assert_eq!(bench.metadata.pop(), Some(info));
    }
}
