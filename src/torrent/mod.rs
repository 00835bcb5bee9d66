//! Rank 4: what a torrent knows about its swarm: whom to call, whom to serve, and what to ask of
//! whom.

mod bans;
mod ports;

pub mod candidates;

pub mod choker;

#[allow(clippy::module_inception)]
pub mod torrent;
