//! Rank 5: one torrent in its swarm. A [`session::Session`] is told what happened and answers with
//! effects; it owns every peer machine and touches nothing outside, so a simulated world can drive
//! it as well as the real one.

pub mod config;
mod stage;

pub mod callers;
pub mod effect;

mod damage;
mod news;
mod record;
mod reporting;

pub mod slot;

mod agenda;
pub mod appetite;
pub mod census;

pub mod fair_queue;

pub mod budget;

mod checking;
mod search;

#[allow(clippy::module_inception)]
pub mod session;

mod intake;

mod announcing;

mod planning;

mod room;

mod telling;

mod patience;

mod twins;

mod datagrams;

mod leaving;

mod invariants;
