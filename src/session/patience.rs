//! Peers that hang up when they hear nothing for a few seconds. Most wait two minutes or more, so a
//! keep-alive is sent after [`limits::KEEP_ALIVE`]; to those that do not wait so long, after
//! [`limits::KEEP_ALIVE_SHORT`]. Which they are is known by the peer id, of rqbit, or learned: a
//! peer that hung up after a silence of ours does not have to do so twice.

use super::session::Session;
use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::time::Now;
use crate::peer::fault::Fault;

/// What the peer id of rqbit begins with.
const RQBIT: &[u8] = b"-rQ";

/// Whether the client that names itself so is known for its short patience.
pub(super) fn is_short(remote: &PeerId) -> bool {
    remote.0.starts_with(RQBIT)
}

impl Session {
    /// Remembers the host of a peer that may have hung up since we said nothing. To be called
    /// before its machine is closed.
    pub(super) fn note_patience(&mut self, key: usize, fault: &Fault, now: Now) {
        let by_other = matches!(fault, Fault::Closed | Fault::Network(_));
        let Some(slot) = self.slots.get(key).filter(|slot| slot.peer.is_open()) else {
            return;
        };
        let silence = slot.peer.unspoken(now);
        let waited = (limits::IMPATIENCE..limits::KEEP_ALIVE).contains(&silence);
        if by_other && waited && self.impatient.len() < limits::IMPATIENT_HOSTS {
            self.impatient.insert(slot.peer.addr().ip().to_canonical());
        }
    }
}
