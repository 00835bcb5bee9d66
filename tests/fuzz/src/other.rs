//! The other end of a connection of the session: what it was asked for, and that it gets nothing
//! but what it asked for and may have.

use std::collections::BTreeSet;

use brooklet::base::Block;
use brooklet::wire::message::frame_len;
use brooklet::wire::{Message, handshake};

use super::torrent::Torrent;

/// The other end of a connection.
#[derive(Default)]
pub struct Other {
    /// What we asked it for.
    pub asked: Vec<Block>,
    /// Bytes that it reads before it stops reading.
    pub window: usize,
    /// It is not read from.
    pub unheard: bool,
    /// What it says to us, and what we say to it.
    said: Stream,
    heard: Stream,
    /// What it asked us for and has no answer to.
    wants: Vec<Block>,
    /// We let it ask for anything, or for these pieces.
    unchoked: bool,
    allowed: BTreeSet<u32>,
}

/// Bytes as they come: a handshake, and frames.
#[derive(Default)]
struct Stream {
    greeted: bool,
    rest: Vec<u8>,
}

impl Other {
    /// One that reads whatever comes.
    pub fn reading() -> Other {
        Other {
            window: usize::MAX,
            ..Other::default()
        }
    }

    /// It says something, perhaps of sense.
    pub fn say(&mut self, bytes: &[u8]) {
        self.said.rest.extend(bytes);
        while let Some(frame) = self.said.next_frame() {
            if let Ok(Message::Request(block)) = Message::parse(&frame) {
                self.wants.push(block);
            }
        }
    }

    /// What we say arrives: all of it can be read, and requests are remembered. Content is only for
    /// those who asked for it and may have it.
    pub fn hear(&mut self, bytes: &[u8], torrent: &Torrent) {
        self.heard.rest.extend(bytes);
        while let Some(frame) = self.heard.next_frame() {
            match Message::parse(&frame).expect("what we say can be read") {
                Message::Request(block) => {
                    assert!(torrent.geometry().number(block).is_some());
                    // Once more, where the first request was lost.
                    self.asked.retain(|&asked| asked != block);
                    self.asked.push(block);
                }
                Message::Cancel(block) => self.asked.retain(|&asked| asked != block),
                Message::Choke => self.unchoked = false,
                Message::Unchoke => self.unchoked = true,
                Message::AllowedFast(piece) => drop(self.allowed.insert(piece)),
                Message::Piece { piece, begin, data } => {
                    let may = self.unchoked || self.allowed.contains(&piece);
                    assert!(may, "piece {piece} for one who is choked");
                    let len = data.len() as u32;
                    self.answered(Block { piece, begin, len });
                }
                Message::Reject(block) => self.answered(block),
                _ => {}
            }
        }
    }

    fn answered(&mut self, block: Block) {
        let place = self.wants.iter().position(|&wanted| wanted == block);
        self.wants
            .swap_remove(place.expect("it was asked for, and not answered"));
    }
}

impl Stream {
    /// The next whole frame, without its length.
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        if !self.greeted {
            self.greeted = self.rest.len() >= handshake::LEN;
            let greeting = if self.greeted { handshake::LEN } else { 0 };
            self.rest.drain(..greeting);
        }
        let whole = frame_len(&self.rest).map(|len| (len as usize).saturating_add(4));
        let whole = whole.filter(|&whole| self.greeted && whole <= self.rest.len())?;
        Some(self.rest.drain(..whole).skip(4).collect())
    }
}
