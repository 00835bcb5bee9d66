//! Rank 2: the tracker side of one torrent. [`Trackers`] decides whom to ask, what and when, and reads what they answer; it names
//! the sockets it would like to use as [`Action`]s and never touches one.

mod trackers;

pub use trackers::{Action, Counts, Families, Id, Identity, Trackers};
