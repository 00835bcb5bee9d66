//! Strangers that send anything at all, over real sockets: peers and trackers. Whatever they send,
//! brooklet goes on, its memory stays small, and it does not spin.

#[path = "../support/mod.rs"]
mod support;

mod peers;
mod trackers;
