//! Bytes on their way from one node to another. Blocks of the content are named, not copied, until
//! somebody reads them: a thousand nodes have many megabytes under way.

use std::collections::VecDeque;

use brooklet::base::Block;
use brooklet::wire::message::{PIECE_HEADER, piece_header};

use super::disk::Source;

/// A run of bytes.
#[derive(Clone, Debug)]
enum Chunk {
    /// These, from a place on.
    Bytes(Vec<u8>, usize),
    /// A part of the frame of a block, whose bytes are those of the source, or spoilt.
    Frame {
        block: Block,
        from: usize,
        to: usize,
        spoilt: Option<u8>,
    },
}

/// Bytes in order.
#[derive(Debug, Default)]
pub struct Stream {
    chunks: VecDeque<Chunk>,
    len: usize,
}

impl Chunk {
    fn len(&self) -> usize {
        match self {
            Chunk::Bytes(bytes, start) => bytes.len() - start,
            Chunk::Frame { from, to, .. } => to - from,
        }
    }

    /// Cuts the front off.
    fn cut(&mut self, len: usize) -> Chunk {
        match self {
            Chunk::Bytes(bytes, start) => {
                let front = bytes[*start..*start + len].to_vec();
                *start += len;
                Chunk::Bytes(front, 0)
            }
            Chunk::Frame {
                block,
                from,
                spoilt,
                ..
            } => {
                let front = Chunk::Frame {
                    block: *block,
                    from: *from,
                    to: *from + len,
                    spoilt: *spoilt,
                };
                *from += len;
                front
            }
        }
    }

    fn read(&self, source: &Source, out: &mut Vec<u8>) {
        match self {
            Chunk::Bytes(bytes, start) => out.extend_from_slice(&bytes[*start..]),
            Chunk::Frame {
                block,
                from,
                to,
                spoilt,
            } => {
                let header = piece_header(*block);
                let head = (*from).min(PIECE_HEADER)..(*to).min(PIECE_HEADER);
                out.extend_from_slice(&header[head]);
                let data = from.saturating_sub(PIECE_HEADER)..to.saturating_sub(PIECE_HEADER);
                let start = out.len();
                out.extend_from_slice(&source.read(*block)[data]);
                if let Some(other) = spoilt {
                    out[start..]
                        .iter_mut()
                        .step_by(997)
                        .for_each(|byte| *byte ^= other);
                }
            }
        }
    }
}

impl Stream {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds these.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.push(Chunk::Bytes(bytes.to_vec(), 0));
    }

    /// Adds this part of a block's frame; with `spoilt`, some of its bytes are other ones.
    pub fn push_frame(&mut self, block: Block, from: usize, to: usize, spoilt: Option<u8>) {
        self.push(Chunk::Frame {
            block,
            from,
            to,
            spoilt,
        });
    }

    /// Moves the first so many, as far as there are so many, to another stream.
    pub fn shift(&mut self, most: usize, to: &mut Stream) {
        let mut left = most;
        while let Some(first) = self.chunks.front_mut().filter(|_| left > 0) {
            let len = first.len();
            let part = if len <= left {
                self.chunks.pop_front().expect("there is a first")
            } else {
                first.cut(left)
            };
            left -= part.len();
            self.len -= part.len();
            to.push(part);
        }
    }

    /// Takes the first so many, as far as there are so many, as they are read.
    pub fn read(&mut self, most: usize, source: &Source, out: &mut Vec<u8>) -> usize {
        let mut taken = Stream::default();
        self.shift(most, &mut taken);
        for chunk in &taken.chunks {
            chunk.read(source, out);
        }
        taken.len
    }

    /// Drops them all.
    pub fn clear(&mut self) {
        (self.chunks, self.len) = (VecDeque::new(), 0);
    }

    fn push(&mut self, chunk: Chunk) {
        self.len += chunk.len();
        match (self.chunks.back_mut(), &chunk) {
            (Some(Chunk::Bytes(last, _)), Chunk::Bytes(bytes, start)) => {
                last.extend_from_slice(&bytes[*start..])
            }
            (
                Some(Chunk::Frame {
                    block: b, to: end, ..
                }),
                Chunk::Frame {
                    block, from, to, ..
                },
            ) if *b == *block && *end == *from => *end = *to,
            _ => self.chunks.push_back(chunk),
        }
    }
}
