//! Rank 3: the piece table of one torrent. It knows which pieces we have, which blocks are asked of
//! which peer and what to ask next, hashes pieces as their blocks come, and finds out which peer
//! sent a bad one. It reads no disk and knows no connection: bytes and slot keys are arguments.
//!
//! Its words:
//! - *missing*, *partial*, *verified*, *skipped*: the states of a piece ([`State`]): not begun, in
//!   progress, there and right, not wanted;
//! - *needed*: wanted and not verified, so missing or partial;
//! - *attempt*: the time from the first request for a partial piece until it passes, fails, or is
//!   given up without a result;
//! - *owner*: the peer that continues a partial piece; another peer only *helps* with it;
//! - *solo*: a piece that only its owner may send, since an attempt of several peers failed;
//! - *claim*: how firmly the owner of a solo piece keeps it;
//! - *free*: a block that may be asked for outside the end game;
//! - *late*: a request that has waited too long, so that others may be asked, too;
//! - *end game*: everything is asked for, so a block may be asked of several peers;
//! - *reread*: reading blocks back from disk, since they came out of order or a piece is examined;
//! - *exam*: reading a whole piece back, to learn or compare which peer sent which bytes;
//! - *suspects*: the senders of the blocks of failed pieces, kept for each piece until it passes;
//! - *part*: until a piece is verified, a host has a part in it if it sent blocks of it while
//!   another owned it, if it left it, or if the piece failed with its blocks;
//! - *confined*: a host that has as many parts as it may, and is given no new piece.

mod outcome;

mod asks;
mod hashing;
mod rarity;
mod suspects;

mod partial_piece;
mod partial_pieces;
mod sharing;

mod table;

mod judging;
mod picker;

pub mod stretch;

pub use outcome::{Accepted, State, Verdict};
pub use picker::Taker;
pub use table::Pieces;
