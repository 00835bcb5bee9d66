//! The machine.

use std::net::{IpAddr, SocketAddr};

use crate::base::id::{InfoHash, PeerId};
use crate::base::rng::Rng;
use crate::base::time::Now;

/// What trackers are told of us.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Our name.
    pub peer_id: PeerId,
    /// Known to us and the trackers only: they know us by it when our address changes.
    pub key: u32,
    /// The port that we listen on.
    pub port: u16,
}

/// Address families that we can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

/// What a name look-up or a connection is known by to the outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id(pub u32);

/// What the outside must do for the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Look up a host name; the answer goes to [`Trackers::handle_resolved`].
    Resolve {
        /// To be given back with the answer.
        id: Id,
        /// The name.
        host: String,
        /// Where it will be connected to.
        port: u16,
    },
    /// Connect by TCP, send the request, hand back what comes.
    Connect {
        /// To be given back with everything that happens to it.
        id: Id,
        /// Whom to connect to.
        addr: SocketAddr,
        /// What to send once it is connected.
        request: Vec<u8>,
    },
    /// Close this connection, or stop making it.
    Abort {
        /// That of the `Connect`.
        id: Id,
    },
    /// Send a datagram from the client's port.
    Datagram {
        /// Whom to send it to.
        to: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Tell the session, or the user, what a tracker answered.
    Report {
        /// The tracker's announce URL.
        url: String,
        /// Peers that it named, or why it failed.
        outcome: Result<Vec<SocketAddr>, String>,
        /// Its words for the user.
        warning: Option<String>,
        /// What it knows of the swarm.
        counts: Counts,
    },
}

/// How many take part in a swarm, as far as a tracker says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Downloads that ever completed.
    pub completed: Option<u32>,
}

/// The trackers of one torrent.
#[derive(Debug)]
pub struct Trackers {}

impl Trackers {
    /// A machine that announces.
    pub fn new(
        tiers: &[Vec<String>],
        identity: Identity,
        families: Families,
        now: Now,
        rng: Rng,
    ) -> Trackers {
        let _ = (tiers, identity, families, now, rng);
        Trackers {}
    }

    /// A machine that asks each tracker once how the swarm is.
    pub fn scraper(
        tiers: &[Vec<String>],
        info_hash: InfoHash,
        families: Families,
        now: Now,
        rng: Rng,
    ) -> Trackers {
        let _ = (tiers, info_hash, families, now, rng);
        Trackers {}
    }

    /// Begins to announce.
    pub fn start(&mut self, _now: Now) {}

    /// The download is complete.
    pub fn completed(&mut self, _now: Now) {}

    /// Tells those who know us that we leave; nothing else is said afterwards.
    pub fn stop(&mut self, _now: Now) {}

    /// More peers would be welcome.
    pub fn want_peers(&mut self, _now: Now) {}

    /// Bytes sent and received since the start, and bytes still to come.
    pub fn set_totals(&mut self, _uploaded: u64, _downloaded: u64, _left: u64) {}

    /// A name was looked up.
    pub fn handle_resolved(&mut self, _id: Id, _addrs: Result<Vec<IpAddr>, String>, _now: Now) {}

    /// A connection is up.
    pub fn handle_connected(&mut self, _id: Id, _now: Now) {}

    /// Bytes came over a connection.
    pub fn handle_bytes(&mut self, _id: Id, _bytes: &[u8], _now: Now) {}

    /// A connection has ended: in order, or for this reason.
    pub fn handle_closed(&mut self, _id: Id, _how: Result<(), String>, _now: Now) {}

    /// A datagram came. False: it is none of ours.
    pub fn handle_datagram(&mut self, _from: SocketAddr, _bytes: &[u8], _now: Now) -> bool {
        false
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// When [`Trackers::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Now> {
        None
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        true
    }

    /// What the outside must do next.
    pub fn next_action(&mut self) -> Option<Action> {
        None
    }
}
