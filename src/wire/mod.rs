//! Rank 1: bytes and values. Parsers (nom) that borrow what they read, and encoders that append to
//! a `Vec<u8>`. Nothing here keeps state, and nothing here panics, whatever the bytes.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

mod one_line;
mod parsing;

pub mod bencode;

pub mod files;
pub mod fold;
pub mod given;

pub mod paths;

pub mod naming;

mod sources;

mod info;

pub mod metainfo;

pub mod elsewhere;

pub mod base64;
pub mod json;
pub mod percent;

pub mod magnet;

pub mod handshake;

pub mod foreign;
pub mod kind;
pub mod message;

pub mod compact;

pub mod extended;

pub mod retry;

pub mod announce;
pub mod scrape;

pub mod udp_tracker;

pub mod krpc;

pub mod lsd;

pub mod utp_packet;

pub use compact::Family;
pub use extended::{ExtendedGreeting, Extension, HolePunch, MetadataMessage, PeerExchange};
pub use files::{FileEntry, FileKind};
pub use foreign::Foreign;
pub use handshake::Handshake;
pub use message::Message;
pub use metainfo::Metainfo;
pub use parsing::Malformed;
pub use retry::Retry;
pub use scrape::{ScrapeAnswer, Scraped};

use one_line::one_line;
use parsing::{ENDS_EARLY, Parsed, Wrong, array, finish, finish_whole};
