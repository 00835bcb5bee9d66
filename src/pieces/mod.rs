//! Rank 2: the piece table of one torrent. It knows what is held, what is asked of whom and what to ask next, hashes pieces as their
//! blocks come, and finds out who sent a bad one. It reads no disk and knows no connection: bytes and slot keys are arguments.

pub mod table;

mod picker;
mod rarity;

mod asks;
mod progress;

mod arrival;

mod sharing;
mod suspects;
mod verdict;

mod invariants;

pub use picker::Plan;
pub use table::{Accepted, Pieces, State, Who};
pub use verdict::Verdict;
