//! Sockets: those of peers, those of trackers, and host names.

mod socket;

pub mod link;

pub mod fetch;
pub mod resolve;
pub mod udp;

pub mod outreach;
