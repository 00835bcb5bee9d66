//! Peers that hang up when they hear nothing for a few seconds. Most wait two minutes or more, so a
//! keep-alive is sent after [`limits::KEEP_ALIVE`]; to those that do not wait so long, after
//! [`limits::KEEP_ALIVE_SHORT`]. rqbit is known by its peer id; of other peers it is learned when
//! one hangs up after we have been silent.

use std::net::{IpAddr, SocketAddr};

use crate::base::{PeerId, SortedSet, Time, limits};
use crate::peer::{EndReason, Peer};

/// What the peer id of rqbit begins with.
const RQBIT: &[u8] = b"-rQ";

/// Hosts of peers that hung up when we had been silent for a while.
#[derive(Debug, Default)]
pub struct Impatient(SortedSet<IpAddr>);

impl Impatient {
    /// Whether a peer of this name, at this address, has a short patience.
    pub fn covers(&self, remote: &PeerId, addr: SocketAddr) -> bool {
        remote.0.starts_with(RQBIT) || self.0.contains(&addr.ip().to_canonical())
    }

    /// Remembers the host of a peer that may have hung up since we said nothing. To be called
    /// before its machine is closed.
    pub fn note(&mut self, peer: &Peer, reason: &EndReason, now: Time) {
        let by_other = matches!(reason, EndReason::Closed | EndReason::Network(_));
        let waited = (limits::IMPATIENCE..limits::KEEP_ALIVE).contains(&peer.unspoken(now));
        if peer.is_open() && by_other && waited && self.0.len() < limits::IMPATIENT_HOSTS {
            self.0.insert(peer.addr().ip().to_canonical());
        }
    }
}
