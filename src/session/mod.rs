//! Rank 4: one torrent in its swarm. A [`session::Session`] is told what happened and answers with effects; it owns every peer
//! machine and touches nothing outside, so a simulated world can drive it as well as the real one.

pub mod config;

pub mod effect;

pub mod slot;

pub mod census;

pub mod fair_queue;

pub mod budget;

#[allow(clippy::module_inception)]
pub mod session;

mod checking;

mod search;

mod intake;

mod announcing;

mod planning;

mod room;

mod telling;

pub mod callers;

mod patience;

mod twins;

mod datagrams;

mod leaving;

mod invariants;
