//! Rank 3: the tracker side of one torrent. [`Trackers`] decides whom to ask, what and when, and
//! reads what they answer; what it needs of the outside it names as [`Action`]s, what it heard as
//! [`Response`]s, and never touches a socket.

mod guard;
mod naming;
mod standing;

mod round;
mod schedule;
mod tiers;

mod action;
mod coding;
mod gathered;
mod http;
mod udp;

mod endpoint;
#[allow(clippy::module_inception)]
mod tracker;
mod trackers;

pub use action::{Action, Counts, Id, Response};
pub use round::Need;
pub use standing::{Families, Identity};
pub use trackers::Trackers;

#[cfg(test)]
mod tests;
