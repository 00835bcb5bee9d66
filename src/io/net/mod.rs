//! Sockets: those of peers, those of trackers, those of remote control, and host names.

mod addresses;
mod bind;

mod socket;

pub mod stream;

pub mod tcp;

pub mod peer_sockets;

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

pub use bind::Bind;
pub use neighbours::Neighbours;
pub use outreach::{Heard, NamedBy, Outreach};
pub use peer_sockets::PeerSockets;
pub use server::{ClientKey, Incoming, Server};
pub use stream::Stream;
pub use tcp::{Listeners, PeerSocket};
