//! The UDP tracker protocol (BEP 15).

use std::net::SocketAddr;

use super::Malformed;
use super::announce::{Query, Scraped};
use crate::base::id::InfoHash;

/// Which addresses an announce is answered with: those of the family it was sent over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// Six bytes each.
    V4,
    /// Eighteen bytes each.
    V6,
}

/// What we send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Asks for a connection id.
    Connect {
        /// Chosen by us at random; comes back in the response.
        transaction: u32,
    },
    /// Announces.
    Announce {
        /// From the tracker's answer to `Connect`.
        connection: u64,
        /// Chosen by us at random; comes back in the response.
        transaction: u32,
        /// What is announced (`tracker_id` does not exist here).
        query: Query,
    },
    /// Asks for the state of swarms.
    Scrape {
        /// From the tracker's answer to `Connect`.
        connection: u64,
        /// Chosen by us at random; comes back in the response.
        transaction: u32,
        /// The torrents.
        info_hashes: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// That of the request it answers.
    pub transaction: u32,
    /// Its content.
    pub body: Body,
}

/// The content of a tracker's response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A connection id for the next minute.
    Connect {
        /// The id.
        connection: u64,
    },
    /// The answer to an announce.
    Announce {
        /// Seconds until the next announce.
        interval: u32,
        /// Peers that have not everything.
        leechers: u32,
        /// Peers that have everything.
        seeders: u32,
        /// Some of them.
        peers: Vec<SocketAddr>,
    },
    /// The answer to a scrape, in the order of the question.
    Scrape(Vec<Scraped>),
    /// It refuses.
    Error(String),
}

impl Request {
    /// Appends the datagram.
    pub fn encode(&self, _out: &mut Vec<u8>) {}

    /// Reads a datagram.
    pub fn parse(_datagram: &[u8]) -> Result<Request, Malformed> {
        todo!()
    }
}

impl Response {
    /// Reads a datagram that came over this family.
    pub fn parse(_datagram: &[u8], _family: Family) -> Result<Response, Malformed> {
        todo!()
    }

    /// Appends the datagram.
    pub fn encode(&self, _out: &mut Vec<u8>) {}
}
