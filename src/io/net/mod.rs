//! Sockets: those of peers, those of trackers, those of remote control, and host names.

mod words;

mod addresses;
mod bind;

mod socket;

mod proxy;
mod route;
mod tls;
mod via;

pub mod stream;

pub mod tcp;

pub mod peer_sockets;

pub mod fetch;

mod names;
pub mod resolve;

mod relay;
pub mod udp;

mod interfaces;
pub mod neighbours;

pub mod own;

mod heard;
mod look_ups;
pub mod outreach;

mod client;
pub mod unix;

pub mod server;

pub use bind::Bind;
pub use heard::Heard;
pub use look_ups::NamedBy;
pub use neighbours::Neighbours;
pub use outreach::Outreach;
pub use peer_sockets::PeerSockets;
pub use proxy::Proxy;
pub use route::Route;
pub use server::{ClientKey, Incoming, Server};
pub use stream::{Stream, Target};
pub use tcp::{Listeners, PeerSocket};
