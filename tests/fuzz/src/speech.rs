//! What a peer may say, right or wrong.

use brooklet::base::{BLOCK, Block, InfoHash, PeerId};
use brooklet::wire::{Handshake, Message};

use super::script::Script;
use super::torrent::{SECOND, Torrent};

/// A handshake: mostly right, and for the first torrent.
pub fn greeting(script: &mut Script<'_>, torrent: &Torrent) -> Vec<u8> {
    let (kind, number) = (script.byte(), script.byte() % 8);
    let mut peer_id = PeerId(*b"-TR3000-abcdefghijk0");
    peer_id.0[19] += number;
    if kind & 0x70 == 0x70 {
        peer_id = torrent.local.peer_id;
    }
    let mut greeting = Handshake::with_fast(torrent.local.info_hash, peer_id);
    if kind & 1 == 1 {
        greeting.reserved = [0; 8];
    }
    if kind & 0x80 == 0x80 {
        greeting.reserved[5] = 0x10;
    }
    greeting.info_hash = match kind & 0x0e {
        0x0e => InfoHash([0xbb; 20]),
        0x0c | 0x0a => SECOND,
        _ => greeting.info_hash,
    };
    let mut bytes = Vec::new();
    greeting.encode(&mut bytes);
    bytes
}

/// A message: its kind is right, its fields are what the script says.
pub fn message(script: &mut Script<'_>, torrent: &Torrent) -> Vec<u8> {
    let pieces = torrent.geometry().pieces();
    let (bits, data);
    let message = match script.below(19) {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 => Message::Unchoke,
        3 => Message::Interested,
        4 => Message::NotInterested,
        5 => Message::Have(script.number()),
        6 => {
            bits = bitfield(script, pieces);
            Message::Bitfield(&bits)
        }
        7 => Message::Request(block(script, torrent)),
        8 => {
            let block = block(script, torrent);
            data = torrent.block(block);
            let Block { piece, begin, .. } = block;
            let data = &data[..];
            Message::Piece { piece, begin, data }
        }
        9 => Message::Cancel(block(script, torrent)),
        10 => Message::Port(script.short()),
        11 => Message::Suggest(script.number()),
        12 => Message::HaveAll,
        13 => Message::HaveNone,
        14 => Message::Reject(block(script, torrent)),
        15 => Message::AllowedFast(script.number()),
        16 => Message::Extended {
            // Few numbers mean something.
            id: script.byte() % 5,
            payload: script.bytes(),
        },
        17 => Message::Unknown(script.byte()),
        _ => Message::Request(torrent.geometry().block(script.byte().into(), 0)),
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes
}

/// A block: one that we would ask for, mostly.
pub fn block(script: &mut Script<'_>, torrent: &Torrent) -> Block {
    let (piece, number) = (script.number(), script.byte());
    let begin = u32::from(number & 0x3f) * BLOCK;
    match number {
        // As we would cut it.
        0..0x40 if piece < torrent.geometry().pieces() => {
            torrent.geometry().block(piece, u32::from(number))
        }
        0..0x80 => Block {
            piece,
            begin,
            len: BLOCK,
        },
        0x80..0xc0 => Block {
            piece,
            begin,
            len: script.number(),
        },
        _ => Block {
            piece,
            begin: script.number(),
            len: script.number(),
        },
    }
}

/// A bitfield: of the right size, mostly.
fn bitfield(script: &mut Script<'_>, pieces: u32) -> Vec<u8> {
    let kind = script.byte();
    let mut bits: Vec<u8> = (0..pieces.div_ceil(8)).map(|_| script.byte()).collect();
    let spare = bits.len() as u32 * 8 - pieces;
    match (kind, bits.last_mut()) {
        (0..240, Some(last)) => *last &= (0xff_u32 << spare) as u8,
        (250.., _) => bits.push(0),
        _ => {}
    }
    bits
}
