//! Sockets: those of peers, those of trackers, those of remote control, and host names.

mod socket;
pub mod stream;

pub mod link;

pub mod fetch;
pub mod resolve;
pub mod udp;

pub mod outreach;

mod client;
pub mod server;
pub mod unix;
