//! Rank 5: the process among peers: many torrents, and what they share. A [`Session`] is
//! told what happened and answers with effects; it owns every peer machine and touches nothing
//! outside, so a simulated world can drive it as well as the real one.

pub mod config;

mod timers;

pub mod fair_queue;
pub mod fair_shares;

pub mod budget;

pub mod appetite;
mod checks;
mod impatient;
mod incoming;
mod queue;

mod invariants;
mod metadata_memory;
mod torrents;

mod hosts;
mod shielding;

pub mod nearby;

pub mod finding;
mod replacing;
pub mod sending;
mod tracer;

#[allow(clippy::module_inception)]
pub mod session;

mod punching;
pub mod streams;

mod early_bitfields;
pub mod extending;
mod meeting;
mod parting;
pub mod reopening;
mod requested;
pub mod sleep;

mod accepting;
mod asking;
pub mod web_seeds;

pub mod intake;
mod planning;

pub mod command;
pub mod datagrams;
pub mod view;

pub use appetite::{Appetite, DiskLoad};
pub use command::{Change, Command, Refused};
pub use config::Config;
pub use finding::{Finding, Start};
pub use sending::Sealed;
pub use session::Session;
pub use view::{Pause, PeerView, Rates, SearchView, State, TorrentView, View, WaysView};
