//! A whole session in a small world: peers that do anything, disks that are slow or fail, trackers,
//! time.

use std::net::SocketAddr;

use super::super::outside::URLS;
use super::super::script::Script;
use super::super::torrent::{SECOND, Torrent};
use super::super::world::{TORRENT, World};
use super::super::{cut, speech};
use brooklet::base::{Bits, Duration, Time, Totals, limits};
use brooklet::mse::Encryption;
use brooklet::peer::{EndReason, FrameLimits};
use brooklet::session::{Config, Session};
use brooklet::torrent::{Files, Order, Source, Stay, Then, Us};
use brooklet::tracker::{Families, Input};
use brooklet::wire::{Handshake, Message};

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let script = &mut Script::new(data);
    let mut world = world(script);
    let heal = script.flag();
    while let Some(step) = script.step() {
        happen(&mut world, step, script);
        // Several things may happen before the session's turn comes.
        if step < 0xc0 {
            world.turn();
        }
    }
    if heal {
        a_seed_completes_it(&mut world);
    }
    all_is_over(&mut world);
}

/// A session with some of the content on its disk.
fn world(script: &mut Script<'_>) -> World {
    let torrent = Torrent::get(script.below(256));
    let pieces = torrent.geometry().pieces();
    let mut disk = vec![0; torrent.content.len()];
    let (mut trusted, mut to_hash, mut wanted) =
        (Bits::new(pieces), Bits::new(pieces), Bits::new(pieces));
    let download = script.byte() % 8 != 7;
    // The others follow the last of these.
    let kinds: Vec<u8> = (0..6).map(|_| script.byte()).collect();
    for piece in 0..pieces {
        let kind = kinds[(piece as usize).min(kinds.len() - 1)];
        let start = torrent.geometry().piece_start(piece) as usize;
        let range = start..start + torrent.geometry().piece_size(piece) as usize;
        if kind & 1 == 1 {
            disk[range.clone()].copy_from_slice(&torrent.content[range]);
            match kind & 2 {
                0 => trusted.set(piece),
                _ => to_hash.set(piece),
            };
        } else if kind & 6 == 6 {
            to_hash.set(piece);
        }
        if download && kind & 0x30 != 0x30 {
            wanted.set(piece);
        }
    }
    let limit = |byte: u8| (byte >= 0xe0).then(|| u64::from(byte - 0xdf) * 3000);
    let stay = match script.byte() {
        0..0xd0 => Stay::Until {
            ratio: None,
            time: None,
        },
        0xd0..0xe0 => Stay::Until {
            ratio: Some(0.5),
            time: Some(Duration::from_secs(60)),
        },
        _ => Stay::No,
    };
    let trackers = match script.below(4) {
        0 => vec![URLS.iter().map(|url| url.to_string()).collect()],
        _ => Vec::new(),
    };
    let max_peers = 1 + script.below(8);
    let (down, up) = (limit(script.byte()), limit(script.byte()));
    let sequential = script.flag();
    let odd = script.byte();
    let us = Us {
        peer_id: torrent.local.peer_id,
        port: 6881,
        key: 0,
        families: Families { v4: true, v6: true },
        allow_local: false,
        encryption: Encryption::Off,
        // Little memory for each peer, now and then, but as much as the program gives it.
        share: (torrent.local.unsent >> (odd >> 5)).max(FrameLimits::of(0).longest()),
        heartbeat: odd & 1 == 1,
    };
    let config = Config {
        us,
        max_peers,
        down,
        up,
        active: None,
        metadata: 2 * limits::MIB,
        utp: None,
        after_stay: Then::End,
    };
    let order = Order {
        name: "content".to_string(),
        info_hash: torrent.local.info_hash,
        size: torrent.geometry().size(),
        geometry: torrent.geometry(),
        files: Files::default(),
        hashes: torrent.hashes.clone(),
        wanted,
        download,
        trusted,
        to_hash,
        doubted: Vec::new(),
        earlier: Totals::default(),
        dht: false,
        pex: odd & 2 == 2,
        lsd: false,
        timeout: None,
        stay,
        trackers,
        sequential,
        metadata_size: None,
    };
    let second = Order {
        info_hash: SECOND,
        wanted: Bits::full(pieces),
        download: true,
        trusted: Bits::new(pieces),
        to_hash: Bits::new(pieces),
        ..order.clone()
    };
    let mut session = Session::new(config, script.byte().into(), Time::default());
    for (key, order) in [(TORRENT, order), (1, second)] {
        assert_eq!(session.add(order, Time::default()), Ok(key));
    }
    World::new(torrent, session, disk)
}

/// One thing happens.
fn happen(world: &mut World, step: u8, script: &mut Script<'_>) {
    let keys: Vec<usize> = world.peers.keys().copied().collect();
    let (torrent, now) = (world.torrent, world.now);
    match (step & 0x1f, script.pick(&keys)) {
        (0 | 1, _) => {
            if let Some(key) = world.accept(addr(script)) {
                world.hear(key, &speech::greeting(script, torrent));
            }
        }
        (2, _) => {
            let source = if script.flag() {
                Source::User
            } else {
                Source::Tracker
            };
            world
                .session
                .add_peers(TORRENT, &[addr(script)], source, now);
        }
        (3, _) => world.answer_call(script.byte().into(), script.byte() < 0xc0),
        (4, Some(key)) => world.hear(key, &speech::greeting(script, torrent)),
        (5..=9, Some(key)) => world.hear(key, &speech::message(script, torrent)),
        (10, Some(key)) => world.hear(key, script.bytes()),
        (11..=14, Some(key)) => answer(world, key, script),
        (15, Some(key)) => world.read(key, usize::from(script.short())),
        (16, Some(key)) => world.read(key, usize::MAX),
        (17, Some(key)) => world.session.handle_closed(key, EndReason::Closed, now),
        (18, _) => world.wait(Duration::from_millis(u64::from(script.byte()) * 20)),
        (19, _) => world.wait(Duration::from_secs(script.byte().into())),
        (20, _) => world.disk.slow = script.flag(),
        (21, _) => world.write(1 + script.below(5)),
        (22, _) if script.byte() > 0xf0 => world.fail_write(),
        (23, _) if script.byte() > 0xd0 => {
            let verified: Vec<u32> = world.session.pieces(TORRENT).verified().ones().collect();
            let any = u32::from(script.byte()) % torrent.geometry().pieces();
            let piece = script.pick(&verified).unwrap_or(any);
            world.disk.broken.insert(piece);
        }
        (24..=26, _) => {
            let hear = &mut |input: Input<'_>| world.session.handle_tracker(input, now);
            world.outside.happen(script, hear);
        }
        (27, _) if script.byte() > 0xf0 => {
            world.session.stop_all("SIGINT", now);
            world.stopped = true;
        }
        (28, Some(key)) => {
            // It has everything, and lets us have it.
            let [mut seed, mut unchoke] = [Vec::new(), Vec::new()];
            Message::Bitfield(&Bits::full(torrent.geometry().pieces()).to_bytes())
                .encode(&mut seed);
            Message::Unchoke.encode(&mut unchoke);
            world.hear(key, &[seed, unchoke].concat());
        }
        (29, Some(key)) => {
            // Again and again, as nobody should.
            let (message, times) = (speech::message(script, torrent), script.below(12));
            if message.len() < 100 {
                world.hear(key, &message.repeat(1 << times));
            }
        }
        (30, Some(key)) => {
            // The disk cannot take what this one sends, until it can.
            let deaf = script.flag();
            world.suspend_reading(key, deaf);
        }
        (31, Some(key)) => take(world, key, script),
        _ => {}
    }
}

/// A peer wants what we have, and asks for it.
fn take(world: &mut World, key: usize, script: &mut Script<'_>) {
    let mut bytes = Vec::new();
    Message::Interested.encode(&mut bytes);
    world.hear(key, &bytes);
    if script.flag() {
        world.turn();
    }
    let verified: Vec<u32> = world.session.pieces(TORRENT).verified().ones().collect();
    let geometry = world.torrent.geometry();
    for _ in 0..1 + script.below(8) {
        let Some(piece) = script.pick(&verified) else {
            return;
        };
        let number = script.below(geometry.blocks(piece) as usize);
        bytes.clear();
        Message::Request(geometry.block(piece, number as u32)).encode(&mut bytes);
        world.hear(key, &bytes);
    }
}

/// One of few addresses, so that they come again; two are on one machine.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let number = script.byte() % 13;
    match number {
        0..8 => SocketAddr::from(([192, 0, 2, number], 6881)),
        8..10 => SocketAddr::from(([127, 0, 0, 1], 6881 + u16::from(number))),
        10..12 => SocketAddr::from(([192, 0, 2, 1], 6881 + u16::from(number))),
        _ => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 6881)),
    }
}

/// A peer answers some of what it was asked for, well or badly, in reads that are cut somewhere.
fn answer(world: &mut World, key: usize, script: &mut Script<'_>) {
    let (count, how, order) = (1 + script.below(24), script.byte(), script.byte());
    let mut bytes = Vec::new();
    for number in 0..count {
        let Some(other) = world
            .peers
            .get_mut(&key)
            .filter(|other| !other.asked.is_empty())
        else {
            break;
        };
        let place = usize::from(order).wrapping_mul(number) % other.asked.len();
        let block = other.asked.remove(place);
        let mut data = world.torrent.block(block);
        match how {
            // One byte of all of them, or of one, is wrong.
            0xe0..0xf0 => data[0] ^= 0x80,
            0xf0..0xf8 if number == usize::from(how & 7) => data[0] ^= 0x80,
            0xf8..0xfa => drop(data.pop()),
            0xfa => {
                Message::Reject(block).encode(&mut bytes);
                continue;
            }
            // It drops it, without a word.
            0xfb => continue,
            _ => {}
        }
        let (piece, begin) = (block.piece, block.begin);
        Message::Piece {
            piece,
            begin,
            data: &data,
        }
        .encode(&mut bytes);
    }
    let cuts = [how | 0x3f, order].map(|size| size.saturating_mul(7) | 1);
    let (first, rest) = bytes.split_at(bytes.len() / (1 + usize::from(how & 3)));
    match how & 0x0c {
        0 => cut(first, &cuts)
            .iter()
            .take(200)
            .for_each(|part| world.hear(key, part)),
        _ => world.hear(key, first),
    }
    if how & 0x0c != 0 {
        world.hear(key, rest);
    }
}

/// Whatever happened before, a download is completed by a seed that keeps to the rules.
fn a_seed_completes_it(world: &mut World) {
    world.disk.slow = false;
    world.disk.broken.clear();
    world.write(usize::MAX);
    let keys: Vec<usize> = world.peers.keys().copied().collect();
    for key in keys {
        world
            .session
            .handle_closed(key, EndReason::Closed, world.now);
    }
    world.turn();
    let Some(key) = world.accept(SocketAddr::from(([198, 51, 100, 1], 50_000))) else {
        assert!(
            world.stopped || !world.peers.is_empty(),
            "there is room for a seed"
        );
        return;
    };
    let mut hello = Vec::new();
    let mut greeting =
        Handshake::with_fast(world.torrent.local.info_hash, world.torrent.local.peer_id);
    greeting.peer_id.0[19] ^= 1;
    greeting.encode(&mut hello);
    Message::HaveAll.encode(&mut hello);
    Message::Unchoke.encode(&mut hello);
    world.hear(key, &hello);
    world.turn();
    for _ in 0..4000 {
        if world.stopped || world.session.pieces(TORRENT).is_complete() {
            return;
        }
        let asked = world
            .peers
            .get_mut(&key)
            .map(|other| std::mem::take(&mut other.asked));
        let asked = asked.expect("a good seed is kept");
        for &block in &asked {
            let data = world.torrent.block(block);
            let mut bytes = Vec::new();
            Message::Piece {
                piece: block.piece,
                begin: block.begin,
                data: &data,
            }
            .encode(&mut bytes);
            world.hear(key, &bytes);
        }
        if asked.is_empty() {
            let mut alive = Vec::new();
            Message::KeepAlive.encode(&mut alive);
            world.hear(key, &alive);
            world.wait(Duration::from_millis(500));
        } else {
            world.turn();
        }
    }
    panic!("a seed does not complete the download");
}

/// Stopped, the session comes to its end in time, and nothing is left of its connections.
fn all_is_over(world: &mut World) {
    world.session.stop_all("SIGINT", world.now);
    world.turn();
    assert!(world.peers.is_empty(), "every slot is freed");
    let torrent = world.session.torrent(TORRENT).expect("it is there");
    assert_eq!(torrent.progress(world.now).peers, 0);
    while world.disk.slow {
        world.write(usize::MAX);
        world.disk.slow = false;
    }
    world.turn();
    world.wait(limits::FAREWELL);
    assert!(
        world.session.is_over(),
        "leaving takes no longer than it may"
    );
    assert_eq!(
        world.outside.links(),
        0,
        "no connection to a tracker is left"
    );
    assert_eq!(world.session.pieces(TORRENT).requests().count(), 0);
}
