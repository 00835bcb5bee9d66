//! brooklet: a BitTorrent client in one binary and one thread.
//!
//! The rooms in reading order, each allowed to import only what stands above it: [`base`]
//! (vocabulary), [`wire`] (bytes and values), [`http`], the machines [`peer`], [`pieces`],
//! [`storage`], [`tracker`] and [`dht`] (which do not know each other), [`torrent`], [`session`],
//! [`rpc`] (remote control), then [`io`], the only room that touches sockets, files, clocks and
//! threads, and [`cli`], what a user sees.
//!
//! The words: a *slot* is a connection and what is kept beside it; a *machine* is a state machine
//! of a protocol, which is told what happened and says what to do, and touches nothing outside; a
//! *turn* is one round of the event loop. PROTOCOL.md follows a block from a socket to the disk,
//! and a stranger from its first byte, through these rooms.

pub mod base;

pub mod wire;

pub mod http;

pub mod dht;
pub mod peer;
pub mod pieces;
pub mod storage;
pub mod tracker;

pub mod torrent;

pub mod session;

pub mod rpc;

pub mod io;

pub mod cli;
