//! Rank 6: remote control as Transmission speaks it, over [`Command`](crate::session::command) and
//! [`View`](crate::session::view). Nothing here is a socket: a text comes in, and what it asks for
//! is answered from a view of the process, or becomes commands for the session.
//!
//! An [`Exchange`] is one text and its answer. [`Exchange::next`] says what to do until nothing is
//! left but to send the answer.

mod names;
mod trouble;

mod request;

mod chosen;
mod rates;
mod recent;

mod process;

mod world;

mod trackers;

mod torrent;

mod action;
mod methods;

mod exchange;

pub use action::{Add, Added, Merged, Source};
pub use exchange::{Exchange, Heard, Step};
pub use methods::Memory;
pub use process::About;
pub use torrent::{DETAILED, LISTED};
pub use trouble::Trouble;
pub use world::World;

#[cfg(test)]
mod tests;
