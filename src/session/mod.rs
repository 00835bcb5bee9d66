//! Rank 5: the process among peers: many torrents, and what they share. A [`session::Session`] is
//! told what happened and answers with effects; it owns every peer machine and touches nothing
//! outside, so a simulated world can drive it as well as the real one.

pub mod config;

mod timers;

pub mod fair_queue;

pub mod budget;

mod incoming;
mod meeting;
mod patience;

pub mod appetite;

mod queue;
mod torrents;

mod room;

#[allow(clippy::module_inception)]
pub mod session;

pub mod intake;

mod planning;

pub mod command;
pub mod view;

mod invariants;
