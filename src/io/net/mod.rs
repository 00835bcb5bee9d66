//! Sockets: those of peers, those of trackers, those of remote control, and host names.

mod socket;

pub mod stream;

pub mod link;

pub mod links;

pub mod fetch;
pub mod resolve;
pub mod udp;

mod interfaces;
pub mod neighbours;

pub mod own;

pub mod outreach;

mod client;
pub mod unix;

pub mod server;

pub use link::{Link, Listeners};
pub use links::Links;
pub use neighbours::Neighbours;
pub use outreach::{Heard, NamedBy, Outreach};
pub use server::{ClientKey, Incoming, Server};
pub use stream::Stream;
