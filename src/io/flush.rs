//! Sending: messages and blocks of a peer go into one buffer, as many as it holds, and out with one
//! write. A block's bytes come from the page cache; what a full socket does not take is read again
//! when it does, so that no peer owns a buffer.

use std::io::IoSliceMut;
use std::ops::Range;

use super::disk::content::sending::Sending;
use super::disk::{DiskError, Why};
use super::net::{PeerSocket, tcp};
use super::reactor::Reactor;
use crate::base::{BLOCK, Time, TorrentKey, limits};
use crate::peer::{EndReason, Segment};
use crate::session::streams;
use crate::wire::message::{PIECE_HEADER, piece_header};

/// Bytes written to one socket at a time. With more, much would be read from the page cache for
/// nothing when a socket takes less.
const WRITE: usize = limits::SERVED_BLOCK as usize + PIECE_HEADER;
/// Writes to one socket in one turn.
const WRITES_A_TURN: usize = 4;
/// Blocks sent in one turn of the loop under an upload limit.
const BLOCKS_A_TURN: usize = 64;

/// Blocks in a row that are read by one call: as many of the usual size as one write has room for.
const ROW: usize = limits::SERVED_BLOCK as usize / BLOCK as usize;

/// A block, or the rest of one, that has a place in the buffer.
struct Placed {
    piece: u32,
    /// Part of its frame was sent before.
    begun: bool,
    /// Where its frame, or the rest of it, begins in the buffer.
    at: usize,
    /// Where its bytes belong in the buffer.
    bytes: Range<usize>,
    /// Where they lie in the content.
    offset: u64,
}

/// What is to be written to a socket.
#[derive(Default)]
struct Filled {
    bytes: usize,
    /// What cannot be sent. It comes behind all that is to be written.
    lost: Option<Lost>,
    /// The first lost block has been sent in part.
    broken: bool,
}

impl Filled {
    /// What was read may be wrong: nothing is sent, and what lies in that file, of which these
    /// blocks are, is never sent again.
    fn discarded(self, blocks: &[Placed], found: Lost) -> Filled {
        let mut lost = Lost::worse(self.lost, found);
        lost.pieces.extend(blocks.iter().map(|block| block.piece));
        Filled {
            bytes: 0,
            broken: self.broken || blocks.iter().any(|block| block.begun),
            lost: Some(lost),
        }
    }
}

/// Blocks that cannot be sent.
struct Lost {
    torrent: TorrentKey,
    pieces: Vec<u32>,
    /// The file that is why, and what is wrong with it.
    file: usize,
    error: DiskError,
}

impl Lost {
    fn new(torrent: TorrentKey, pieces: Vec<u32>, file: usize, error: DiskError) -> Lost {
        Lost {
            torrent,
            pieces,
            file,
            error,
        }
    }

    /// Adds what was found to what was lost before, if anything. An error that ends the torrent
    /// takes precedence.
    fn worse(before: Option<Lost>, found: Lost) -> Lost {
        match before {
            Some(lost) if found.error.why != Why::Changed => lost,
            before => Lost {
                pieces: before.map_or(Vec::new(), |lost| lost.pieces),
                ..found
            },
        }
    }
}

/// What a write leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Left {
    /// Nothing, or nothing before the socket is writable again.
    Nothing,
    /// Only blocks, which wait for the upload limit.
    Throttled,
    /// More, at once or in the next turn.
    More,
}

impl Reactor {
    /// Writes to every slot that has something to send and a socket that takes it. Under an upload
    /// limit these are messages and blocks that have begun. Then slots with blocks left are sent a
    /// block each, in the order of [`Session::next_upload`](crate::session::Session::next_upload),
    /// as far as the limit allows.
    pub(super) fn flush(&mut self, now: Time) {
        let mut keys = self.session.take_unflushed();
        keys.append(&mut self.sockets.unwritten);
        for key in keys {
            let allowance = self.session.upload_allowance(key);
            let mut left = Left::More;
            for _ in 0..WRITES_A_TURN {
                if left == Left::More {
                    left = self.write_once(key, allowance, now);
                }
            }
            match left {
                Left::Nothing => {}
                Left::Throttled => self.session.await_upload(key),
                Left::More => self.sockets.unwritten.push(key),
            }
        }
        for _ in 0..BLOCKS_A_TURN {
            let Some(key) = self.session.next_upload(now) else {
                break;
            };
            if self.write_once(key, u64::from(BLOCK), now) != Left::Nothing {
                self.session.await_upload(key);
            }
        }
        self.acknowledge();
    }

    /// Writes to a slot's socket once: messages, and blocks that may be sent. `allowance`: bytes of
    /// blocks that may begin.
    fn write_once(&mut self, key: usize, allowance: u64, now: Time) -> Left {
        let ready = |socket: &PeerSocket| socket.writable && !socket.is_connecting();
        let writable = self.sockets.get(key).is_some_and(|socket| ready(socket));
        if !writable || !self.session.wants_to_send(key) {
            return Left::Nothing;
        }
        let utp = self.session.utp.as_deref();
        let greeting = streams::unsaid_greeting(&self.session, key);
        let socket = self.sockets.get(key);
        let room = socket.map_or(0, |socket| socket.room(utp, greeting));
        let filled = self.fill(key, allowance, room);
        if filled.bytes == 0 && filled.lost.is_none() {
            return Left::Throttled;
        }
        let Some(socket) = self.sockets.get(key) else {
            return Left::Nothing;
        };
        let sealed = self.session.seal(key, &mut self.buffer[..filled.bytes]);
        let written = socket.write(sealed, self.session.utp.as_deref_mut(), now);
        if greeting > 0 {
            socket.end_packet(self.session.utp.as_deref_mut());
        }
        let left = if socket.writable {
            Left::More
        } else {
            Left::Nothing
        };
        match written {
            Ok(sent) => self.session.transmitted(key, sent, now),
            Err(error) => {
                self.session
                    .handle_closed(key, EndReason::Network(tcp::plain(&error)), now);
                return Left::Nothing;
            }
        }
        // Not before this point: rejects must not come between the bytes that were just sent.
        if let Some(lost) = filled.lost {
            self.on_lost(lost, now);
        }
        if filled.broken {
            self.session.handle_closed(key, EndReason::Unreadable, now);
            return Left::Nothing;
        }
        left
    }

    /// A file that another program has changed ends its torrent, since that program may have
    /// changed other files, too. After another error the file may be readable later.
    fn on_lost(&mut self, lost: Lost, now: Time) {
        let Lost {
            torrent,
            pieces,
            file,
            error,
        } = lost;
        // Where a thread writes, the change may be a write of our own that has not been reported
        // yet.
        let ours = self.store.may_be_ours(torrent, file);
        let why = error.to_string();
        if error.why == Why::Changed && !ours {
            self.store.content(torrent).on_changed(file);
            self.session.handle_changed(torrent, why, now);
        } else {
            self.session.handle_unsendable(torrent, &pieces, why);
        }
    }

    /// Fills the buffer with what the peer is to get next. `allowance`: bytes of blocks that may
    /// begin. `room`: bytes of which more would not be taken.
    fn fill(&mut self, key: usize, mut allowance: u64, room: usize) -> Filled {
        let most = WRITE.min(self.buffer.len()).min(room.max(1));
        let mut filled = Filled::default();
        let mut placed: Vec<Placed> = Vec::new();
        // Before its torrent is known a peer is told nothing but what hides that.
        let torrent = self.session.torrent_of(key);
        let Some(torrent) = torrent.filter(|&torrent| self.store.has(torrent)) else {
            return self.fill_words(key, most);
        };
        let mut sending = self.store.sending(torrent);
        for segment in self.session.transmit(key) {
            let at = filled.bytes;
            match segment {
                _ if at >= most => break,
                Segment::Bytes(bytes) => {
                    let part = bytes.len().min(most - at);
                    self.buffer[at..at + part].copy_from_slice(&bytes[..part]);
                    filled.bytes += part;
                    if part < bytes.len() {
                        break;
                    }
                }
                Segment::Block { block, skip } => {
                    let size = PIECE_HEADER + block.len as usize - skip;
                    // A frame that has begun is finished: it has been paid for.
                    let affordable = skip > 0 || allowance >= u64::from(block.len.min(BLOCK));
                    if !affordable || (at > 0 && at + size > most) {
                        break;
                    }
                    let header = piece_header(block);
                    let head = header.get(skip..).unwrap_or_default();
                    self.buffer[at..at + head.len()].copy_from_slice(head);
                    let begin = skip.saturating_sub(PIECE_HEADER) as u64;
                    placed.push(Placed {
                        piece: block.piece,
                        begun: skip > 0,
                        at,
                        bytes: at + head.len()..at + size,
                        offset: sending.layout().geometry().offset(block) + begin,
                    });
                    filled.bytes += size;
                    allowance = allowance.saturating_sub(u64::from(block.len));
                }
            }
        }
        if let Err((lost, (file, error))) = read_placed(&mut sending, &mut self.buffer, &placed) {
            let Placed {
                piece, begun, at, ..
            } = placed[lost];
            placed.truncate(lost);
            filled = Filled {
                bytes: at,
                lost: Some(Lost::new(torrent, vec![piece], file, error)),
                broken: begun,
            };
        }
        if let Err((file, error)) = sending.vouch() {
            let pieces = self.store.content(torrent).layout().pieces_of(file);
            placed.retain(|block| pieces.contains(&block.piece));
            return filled.discarded(&placed, Lost::new(torrent, Vec::new(), file, error));
        }
        filled
    }

    /// Fills the buffer with messages alone, for a torrent that has no files yet or is not known.
    fn fill_words(&mut self, key: usize, most: usize) -> Filled {
        let mut filled = Filled::default();
        for segment in self.session.transmit(key) {
            if let Segment::Bytes(bytes) = segment {
                let at = filled.bytes;
                let part = bytes.len().min(most - at);
                self.buffer[at..at + part].copy_from_slice(&bytes[..part]);
                filled.bytes += part;
            }
        }
        filled
    }
}

/// Reads blocks to their places in the buffer, those in a row by one call.
///
/// # Errors
/// This one of them cannot be read, because of this file.
fn read_placed(
    sending: &mut Sending<'_>,
    buffer: &mut [u8],
    placed: &[Placed],
) -> Result<(), (usize, (usize, DiskError))> {
    let mut next = 0;
    while let Some(first) = placed.get(next) {
        let row = &placed[next..][..in_a_row(&placed[next..])];
        if row.len() == 1 || !sending.read_at_once(first.offset, &mut parts(buffer, row)) {
            for (index, block) in (next..).zip(row) {
                let read = sending.read(block.offset, &mut buffer[block.bytes.clone()]);
                read.map_err(|error| (index, error))?;
            }
        }
        next += row.len();
    }
    Ok(())
}

/// How many of these blocks, at least one, lie one behind the other in the content.
fn in_a_row(placed: &[Placed]) -> usize {
    let follows = |pair: &&[Placed]| pair[1].offset == pair[0].offset + pair[0].bytes.len() as u64;
    1 + placed.windows(2).take(ROW - 1).take_while(follows).count()
}

/// The places of these blocks in the buffer.
fn parts<'a>(mut buffer: &'a mut [u8], row: &[Placed]) -> Vec<IoSliceMut<'a>> {
    let mut before = 0;
    let mut parts = Vec::with_capacity(row.len());
    for block in row {
        let (_, rest) = buffer.split_at_mut(block.bytes.start - before);
        let (part, rest) = rest.split_at_mut(block.bytes.len());
        parts.push(IoSliceMut::new(part));
        (buffer, before) = (rest, block.bytes.end);
    }
    parts
}
