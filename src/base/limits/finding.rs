//! Bounds of what peers tell us of each other, and of how they are found in the local network.

use crate::base::time::Duration;

// Peer exchange

/// Peers in one message of ours, new ones and lost ones each (BEP 11), and lost ones that are
/// remembered for it.
pub const PEX_NAMED: usize = 50;
/// Peers taken of one message, of each list: libtorrent sends up to 100.
pub const PEX_TAKEN: usize = 100;
/// Addresses of a torrent that only peers have named and that wait to be dialed. With ten dials a
/// second they take two minutes, and other sources still have room.
pub const PEX_WAITING: usize = 1_000;
/// A peer is told this long after it said that it wants to hear of others, or after the news:
/// others may come in the same moment.
pub const PEX_SOON: Duration = Duration::from_millis(500);
/// A peer is told again after this long: WebTorrent hangs up if less than a minute has passed, and
/// messages do not take equally long on their way.
pub const PEX_GAP: Duration = Duration::from_secs(61);
/// Up to this much is added by chance, so that not all are told in the same moment.
pub const PEX_SPREAD: Duration = Duration::from_secs(4);
/// A message of a peer counts if this has passed since its last one: real clients wait a minute.
/// Those that come sooner are ignored.
pub const PEX_HEARD_GAP: Duration = Duration::from_secs(30);
/// So many count without a pause: Transmission sends one for each extended handshake.
pub const PEX_HEARD_AT_ONCE: u32 = 3;
