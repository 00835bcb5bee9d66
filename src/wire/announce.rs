//! What we ask an HTTP tracker and what it answers (BEP 3, 7, 23, 31, 48). The question is the query of a URL, the answer one
//! bencoded dictionary.

use std::net::SocketAddr;

use super::{Malformed, bencode, percent};
use crate::base::id::{InfoHash, PeerId};
use crate::base::time::Duration;

/// What happened since the last announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// This is the first one.
    Started,
    /// The last piece came in, during this run.
    Completed,
    /// This is the last one.
    Stopped,
}

/// An announce, over HTTP or UDP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Ourselves.
    pub peer_id: PeerId,
    /// The port that we listen on.
    pub port: u16,
    /// Bytes of content sent since `started`.
    pub uploaded: u64,
    /// Bytes of content received since `started`.
    pub downloaded: u64,
    /// Bytes of content still to come.
    pub left: u64,
    /// What happened.
    pub event: Option<Event>,
    /// How many peers we would like to hear of.
    pub num_want: u32,
    /// Known to us and the tracker only: it knows us by it when our address changes.
    pub key: u32,
    /// What this tracker gave us to send back.
    pub tracker_id: Option<Vec<u8>>,
}

/// A tracker's answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It knows the torrent.
    Reply(Reply),
    /// It refuses.
    Failure {
        /// Why, in its words.
        reason: String,
        /// Whether to come again (BEP 31).
        retry: Option<Retry>,
    },
}

/// What a tracker that refuses says of the next try (BEP 31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Not before so much time.
    After(Duration),
    /// Never.
    Never,
}

/// What a tracker knows. Times are as it sent them, not clamped; negative ones are `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// When to announce next.
    pub interval: Option<Duration>,
    /// Never announce sooner than this.
    pub min_interval: Option<Duration>,
    /// To be sent back with later announces.
    pub tracker_id: Option<Vec<u8>>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Words for the user.
    pub warning: Option<String>,
    /// Peers, of both families.
    pub peers: Vec<SocketAddr>,
}

/// What a tracker knows of a swarm (BEP 48).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scraped {
    /// Peers that have everything.
    pub seeders: u32,
    /// Downloads that ever completed.
    pub completed: u32,
    /// Peers that have not everything.
    pub leechers: u32,
}

impl Query {
    /// The URL to get: the announce URL and the query, joined by `&` where it has a query already.
    pub fn url(&self, announce: &str) -> String {
        announce.to_owned()
    }
}

impl Answer {
    /// Reads the body of an HTTP response. Bytes behind the dictionary are ignored.
    pub fn parse(_body: &[u8]) -> Result<Answer, Malformed> {
        todo!()
    }
}

/// Where to scrape, by BEP 48's rule: the text behind the last slash of the announce URL begins with `announce`, which becomes
/// `scrape`. `None`: this tracker cannot be scraped.
pub fn scrape_url(_announce: &str, _info_hash: InfoHash) -> Option<String> {
    None
}

/// Reads the body of a response to a scrape.
pub fn parse_scrape(
    _body: &[u8],
    _info_hash: InfoHash,
) -> Result<Result<Scraped, String>, Malformed> {
    todo!()
}
