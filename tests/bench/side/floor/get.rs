//! The download: pieces go round robin over the seeds, so the blocks of a piece come in order on
//! one connection and are hashed and written as they come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use brooklet::base::Block;
use brooklet::wire::message::frame_len;
use brooklet::wire::{Message, Metainfo, handshake};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest as _, Sha1};

use super::{BUFFER, Failure, hello, wait};

/// Blocks asked for and not come, a connection: more than the kernel's buffers hold.
const DEPTH: usize = 256;

/// A connection to a seed.
struct Source {
    stream: TcpStream,
    /// What is to be asked for next; then every `step`th piece.
    piece: u32,
    block: u32,
    outstanding: VecDeque<Block>,
    greeted: bool,
    heard: bool,
    unchoked: bool,
    /// The beginning of a message whose end has not come.
    cut: Vec<u8>,
    hash: Sha1,
}

struct Download<'a> {
    torrent: &'a Metainfo,
    file: File,
    step: u32,
    pieces_left: u32,
}

/// Downloads everything from these peers.
pub fn run(torrent: &Metainfo, path: &Path, peers: &[String]) -> Result<(), Failure> {
    let mut poll = Poll::new()?;
    let mut sources = Vec::new();
    for (number, peer) in peers.iter().enumerate() {
        let mut stream = TcpStream::connect(peer.parse()?)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(number), both)?;
        sources.push(Source::new(stream, number as u32));
    }
    let mut download = Download {
        torrent,
        file: File::create(path)?,
        step: peers.len() as u32,
        pieces_left: torrent.geometry.pieces(),
    };
    let mut buffer = vec![0; BUFFER];
    let mut events = Events::with_capacity(256);
    while download.pieces_left > 0 {
        wait(&mut poll, &mut events)?;
        for event in &events {
            let source = &mut sources[event.token().0];
            if event.is_writable() && !source.greeted {
                source.greet(torrent)?;
            }
            if event.is_readable() {
                download.read(source, &mut buffer)?;
            }
        }
    }
    Ok(())
}

impl Source {
    fn new(stream: TcpStream, piece: u32) -> Source {
        Source {
            stream,
            piece,
            block: 0,
            outstanding: VecDeque::new(),
            greeted: false,
            heard: false,
            unchoked: false,
            cut: Vec::new(),
            hash: Sha1::new(),
        }
    }

    fn greet(&mut self, torrent: &Metainfo) -> Result<(), Failure> {
        let mut out = hello(torrent);
        Message::Interested.encode(&mut out);
        self.greeted = true;
        self.stream.set_nodelay(true)?;
        Ok(self.stream.write_all(&out)?)
    }

    /// Asks for more once half of what was asked for has come.
    fn ask(&mut self, torrent: &Metainfo, step: u32) -> Result<(), Failure> {
        let geometry = torrent.geometry;
        if !self.unchoked || self.outstanding.len() > DEPTH / 2 {
            return Ok(());
        }
        let mut out = Vec::new();
        while self.outstanding.len() < DEPTH && self.piece < geometry.pieces() {
            let block = geometry.block(self.piece, self.block);
            Message::Request(block).encode(&mut out);
            self.outstanding.push_back(block);
            self.block += 1;
            if self.block == geometry.blocks(self.piece) {
                (self.piece, self.block) = (self.piece + step, 0);
            }
        }
        // A few kilobytes to somebody who reads: the socket takes them at once.
        Ok(self.stream.write_all(&out)?)
    }
}

impl Download<'_> {
    fn read(&mut self, source: &mut Source, buffer: &mut [u8]) -> Result<(), Failure> {
        loop {
            let kept = source.cut.len();
            buffer[..kept].copy_from_slice(&source.cut);
            let count = match source.stream.read(&mut buffer[kept..]) {
                Ok(0) => return Err("a seed hung up".into()),
                Ok(count) => count,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) => return Err(why.into()),
            };
            let bytes = &buffer[..kept + count];
            let used = self.take(source, bytes)?;
            source.cut.clear();
            source.cut.extend_from_slice(&bytes[used..]);
            source.ask(self.torrent, self.step)?;
            if kept + count < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Takes all whole messages; how many bytes they had.
    fn take(&mut self, source: &mut Source, bytes: &[u8]) -> Result<usize, Failure> {
        let mut at = 0;
        if !source.heard {
            if bytes.len() < handshake::LEN {
                return Ok(0);
            }
            source.heard = true;
            at = handshake::LEN;
        }
        while let Some(len) = frame_len(&bytes[at..]) {
            let Some(frame) = bytes.get(at + 4..at + 4 + len as usize) else {
                break;
            };
            match Message::parse(frame) {
                Ok(Message::Unchoke) => source.unchoked = true,
                Ok(Message::Piece { piece, begin, data }) => {
                    let len = data.len() as u32;
                    self.block(source, Block { piece, begin, len }, data)?;
                }
                _ => {}
            }
            at += 4 + frame.len();
        }
        Ok(at)
    }

    fn block(&mut self, source: &mut Source, block: Block, data: &[u8]) -> Result<(), Failure> {
        if source.outstanding.pop_front() != Some(block) {
            return Err(format!("{block:?} came out of order").into());
        }
        let geometry = self.torrent.geometry;
        self.file.write_all_at(data, geometry.offset(block))?;
        source.hash.update(data);
        if block.begin + block.len == geometry.piece_size(block.piece) {
            let hash: [u8; 20] = source.hash.finalize_reset().into();
            if hash != self.torrent.hashes[block.piece as usize].0 {
                return Err(format!("piece {} is bad", block.piece).into());
            }
            self.pieces_left -= 1;
        }
        Ok(())
    }
}
