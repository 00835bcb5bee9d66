//! Magnet links (BEP 9): a torrent's info hash in a URI, with hints where to find it.

mod link;
mod writer;

pub use link::{Link, is_magnet};
pub use writer::link;
