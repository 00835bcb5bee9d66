//! Rank 4: one torrent among others: what it knows, and what it decides about its swarm. What the
//! process shares is lent to it as [`Lent`].

pub mod order;

pub mod metadata;

pub mod way;

pub mod effect;

pub mod stage;

pub mod exchanged;
pub mod punches;
pub mod slot;

mod ports;
mod refused;
pub mod source;

pub mod bans;

mod dial_order;

pub mod candidates;

pub mod choker;

pub mod census;

pub mod agenda;

pub mod lent;

pub mod choking;

pub mod checking;
pub mod damage;
pub mod haves;
pub mod reporting;
pub mod resume_state;
pub mod search;
pub mod traffic;

pub mod exchange;

pub mod web_seeds;

pub mod awake;

#[allow(clippy::module_inception)]
pub mod torrent;

pub mod twins;

mod swarm;

mod stages;

pub use agenda::Agenda;
pub use bans::Bans;
pub use candidates::Candidates;
pub use choker::Choker;
pub use choking::Terms;
pub use effect::{Effect, Effects, Progress, Report, Snapshot};
pub use lent::Lent;
pub use order::{Existing, Files, KeptOrder, Order, Stay, Us};
pub use slot::{Machine, Member, Slot};
pub use source::{Namer, Source};
pub use stage::{Stage, Then};
pub use torrent::Torrent;
pub use twins::Twins;
pub use way::{Transport, Way};
pub use web_seeds::WebSeeds;
