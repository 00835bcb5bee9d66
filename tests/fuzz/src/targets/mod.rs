//! What may come, and what must hold whatever comes: a promise for each target.

pub mod announce;
pub mod bencode;
pub mod dht;
pub mod exchange;
pub mod extended;
pub mod greeting;
pub mod http;
pub mod json;
pub mod krpc;
pub mod lsd;
pub mod metainfo;
pub mod peer;
pub mod resume;
pub mod session;
pub mod socks;
pub mod trackers;
pub mod udp_tracker;
pub mod utp;
pub mod webseed;
pub mod wire;

/// Takes anything, and panics where a promise is broken.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const ALL: &[(&str, Target)] = &[
    ("bencode", bencode::run),
    ("json", json::run),
    ("metainfo", metainfo::run),
    ("wire", wire::run),
    ("announce", announce::run),
    ("extended", extended::run),
    ("udp_tracker", udp_tracker::run),
    ("utp", utp::run),
    ("krpc", krpc::run),
    ("lsd", lsd::run),
    ("http", http::run),
    ("webseed", webseed::run),
    ("trackers", trackers::run),
    ("dht", dht::run),
    ("exchange", exchange::run),
    ("greeting", greeting::run),
    ("socks", socks::run),
    ("resume", resume::run),
    ("peer", peer::run),
    ("session", session::run),
];
