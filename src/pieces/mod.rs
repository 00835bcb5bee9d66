//! Rank 3: the piece table of one torrent. It knows what is verified, what is asked of which peer
//! and what to ask next, hashes pieces as their blocks come, and finds out which peer sent a bad
//! one. It reads no disk and knows no connection: bytes and slot keys are arguments.

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

pub use outcome::{Accepted, State, Verdict};
pub use picker::Plan;
pub use table::Pieces;
