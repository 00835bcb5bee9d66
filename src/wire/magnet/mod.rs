//! Magnet links (BEP 9): a torrent's info hash in a URI, with hints where to find it.

mod writer;

mod link;

pub use link::{Link, chosen, given, host_and_port, is_magnet, ranges, ranges_text};
pub use writer::{link, torrent_of};
