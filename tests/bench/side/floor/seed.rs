//! The upload: what is asked for is read into one buffer and written, seven blocks at a time; or
//! goes from file to socket by sendfile, a block at a time.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use brooklet::base::Block;
use brooklet::wire::message::{PIECE_HEADER, frame_len, piece_header};
use brooklet::wire::{Message, Metainfo, handshake};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::fs::sendfile;
use rustix::net::SendFlags;

use super::{BUFFER, Failure, hello, wait};

/// Blocks of a write: little less than two packets of the 64 KiB that the kernel makes at most.
/// Eight blocks are a little more, and cost a third more.
const BATCH: usize = 7;

const LISTENER: Token = Token(usize::MAX / 2);

/// A connection to a leecher.
struct Taker {
    stream: TcpStream,
    /// The beginning of a message whose end has not come.
    cut: Vec<u8>,
    heard: bool,
    wanted: VecDeque<Block>,
    full: bool,
    /// What of the first wanted block has been sent.
    skip: usize,
    /// Messages that go before any block; with sendfile also a block's header.
    unsent: Vec<u8>,
    /// With sendfile: where what is left of the block under way lies.
    offset: u64,
    left: usize,
}

struct Upload<'a> {
    torrent: &'a Metainfo,
    file: File,
    sendfile: bool,
    buffer: Vec<u8>,
}

/// Serves whoever connects, until it is killed.
pub fn run(torrent: &Metainfo, path: &Path, port: u16, sendfile: bool) -> Result<(), Failure> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut upload = Upload {
        torrent,
        file: File::open(path)?,
        sendfile,
        buffer: vec![0; BUFFER],
    };
    let mut takers: Vec<Option<Taker>> = Vec::new();
    let mut events = Events::with_capacity(256);
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let both = Interest::READABLE | Interest::WRITABLE;
                    let token = Token(takers.len());
                    stream.set_nodelay(true)?;
                    poll.registry().register(&mut stream, token, both)?;
                    takers.push(Some(Taker::new(stream)));
                }
            } else if let Some(taker) = &mut takers[event.token().0] {
                // A full socket is left alone until a third of it is free: many small writes cost
                // more than few big ones.
                taker.full &= !event.is_writable();
                if upload.serve(taker).is_err() {
                    takers[event.token().0] = None;
                }
            }
        }
    }
}

impl Taker {
    fn new(stream: TcpStream) -> Taker {
        Taker {
            stream,
            cut: Vec::new(),
            heard: false,
            wanted: VecDeque::new(),
            full: false,
            skip: 0,
            unsent: Vec::new(),
            offset: 0,
            left: 0,
        }
    }
}

impl Upload<'_> {
    fn read(&mut self, taker: &mut Taker) -> Result<(), Failure> {
        loop {
            let kept = taker.cut.len();
            self.buffer[..kept].copy_from_slice(&taker.cut);
            let count = match taker.stream.read(&mut self.buffer[kept..]) {
                Ok(0) => return Err("gone".into()),
                Ok(count) => count,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(why) => return Err(why.into()),
            };
            let bytes = &self.buffer[..kept + count];
            let mut at = 0;
            if !taker.heard && bytes.len() >= handshake::LEN {
                taker.heard = true;
                at = handshake::LEN;
                taker.unsent = hello(self.torrent);
                let pieces = self.torrent.geometry.pieces();
                Message::Bitfield(&bitfield(pieces)).encode(&mut taker.unsent);
                Message::Unchoke.encode(&mut taker.unsent);
            }
            while let Some(len) = frame_len(&bytes[at..]).filter(|_| taker.heard) {
                let Some(frame) = bytes.get(at + 4..at + 4 + len as usize) else {
                    break;
                };
                if let Ok(Message::Request(block)) = Message::parse(frame) {
                    taker.wanted.push_back(block);
                }
                at += 4 + frame.len();
            }
            taker.cut.clear();
            taker.cut.extend_from_slice(&bytes[at..]);
            if kept + count < self.buffer.len() {
                return Ok(());
            }
        }
    }

    /// Reads requests, and sends until there is no more to send or the socket is full.
    fn serve(&mut self, taker: &mut Taker) -> Result<(), Failure> {
        self.read(taker)?;
        while !taker.full {
            if !taker.unsent.is_empty() {
                self.send_unsent(taker)?;
            } else if taker.left > 0 {
                let offset = Some(&mut taker.offset);
                let count = sendfile(&taker.stream, &self.file, offset, taker.left);
                taker.left -= sent(count.map_err(Into::into), taker.left, &mut taker.full)?;
            } else if taker.wanted.is_empty() {
                break;
            } else if self.sendfile {
                self.begin_file(taker);
            } else {
                self.send_copies(taker)?;
            }
        }
        Ok(())
    }

    fn send_unsent(&self, taker: &mut Taker) -> Result<(), Failure> {
        // A header goes into one packet with the bytes after it.
        let flags = match taker.left {
            0 => SendFlags::empty(),
            _ => SendFlags::MORE,
        };
        let count = rustix::net::send(&taker.stream, &taker.unsent, flags);
        let count = sent(
            count.map_err(Into::into),
            taker.unsent.len(),
            &mut taker.full,
        )?;
        taker.unsent.drain(..count);
        Ok(())
    }

    /// The next block: its header, then the file.
    fn begin_file(&self, taker: &mut Taker) {
        if let Some(block) = taker.wanted.pop_front() {
            taker.unsent.extend_from_slice(&piece_header(block));
            taker.offset = self.torrent.geometry.offset(block);
            taker.left = block.len as usize;
        }
    }

    /// A few blocks by one write. What a full socket does not take is read again later.
    fn send_copies(&mut self, taker: &mut Taker) -> Result<(), Failure> {
        let mut end = 0;
        for block in taker.wanted.iter().take(BATCH) {
            let data = end + PIECE_HEADER;
            let next = data + block.len as usize;
            self.buffer[end..data].copy_from_slice(&piece_header(*block));
            let offset = self.torrent.geometry.offset(*block);
            self.file
                .read_exact_at(&mut self.buffer[data..next], offset)?;
            end = next;
        }
        let rest = &self.buffer[taker.skip..end];
        taker.skip += sent(taker.stream.write(rest), rest.len(), &mut taker.full)?;
        while let Some(block) = taker.wanted.front() {
            let size = PIECE_HEADER + block.len as usize;
            if taker.skip < size {
                break;
            }
            taker.skip -= size;
            taker.wanted.pop_front();
        }
        Ok(())
    }
}

/// How much of so many bytes was sent. The socket is full if that was not all.
fn sent(result: std::io::Result<usize>, of: usize, full: &mut bool) -> Result<usize, Failure> {
    let count = match result {
        Ok(count) => count,
        Err(why) if why.kind() == ErrorKind::WouldBlock => 0,
        Err(why) => return Err(why.into()),
    };
    *full = count < of;
    Ok(count)
}

/// A bitfield of somebody who has everything.
pub fn bitfield(pieces: u32) -> Vec<u8> {
    let mut bits = vec![0xff; pieces.div_ceil(8) as usize];
    if let Some(last) = bits.last_mut().filter(|_| pieces % 8 != 0) {
        *last = 0xff << (8 - pieces % 8);
    }
    bits
}
