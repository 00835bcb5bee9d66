//! Rank 3: the tracker side of one torrent. [`Trackers`] decides which tracker to ask, what and
//! when, and reads the answers. What is to be sent comes out as [`Action`]s, what was answered as
//! [`Response`]s: it never touches a socket. [`Shared`] is what the torrents of a process have in
//! common.

mod guard;
mod locals;

mod round;
mod schedule;

mod action;

mod visits;

mod site;

mod shared;

mod standing;

mod history;

mod naming;

mod coding;
mod gathered;
mod reading;

mod http;
mod udp;

mod endpoint;

mod attempt;

#[allow(clippy::module_inception)]
mod tracker;

mod tiers;

mod trackers;

mod begin;

mod views;

pub use action::{Action, Counts, Id, Input, Response};
pub use history::{Last, Next, TrackerView};
pub use round::Need;
pub use shared::Shared;
pub use standing::{Families, Identity};
pub use trackers::Trackers;

#[cfg(test)]
mod tests;
