//! Bounds of what peers tell us of each other, and of how they are found in the local network.

use super::KIB;
use crate::base::time::Duration;

// Addresses of peers

/// Addresses that are remembered over all torrents: a few MiB. Each torrent has an equal part.
pub const CANDIDATES_ALL: usize = 20_000;
/// A torrent's part is never less than this: each has a few peers to try.
pub const CANDIDATES_LEAST: usize = 16;
/// The part of a torrent that has nothing to download: it dials few, and is dialed by others.
pub const CANDIDATES_COMPLETE: usize = 40;
/// Addresses of a torrent that are not worth another dial: each has cost one.
pub const REFUSED: usize = 1_000;
/// Dials repeated after failures to an address that only nodes of the DHT or peers have named, and
/// that was never of use: they may name anybody, and name those again that are there.
pub const DIAL_FAILURES_DOUBTFUL: u32 = 1;
/// Connecting to such an address takes at most this long while others wait: the network tries three
/// times in it, and a list of dead addresses holds up the dials less.
pub const CONNECT_TIME_DOUBTFUL: Duration = Duration::from_secs(4);
/// Wait after a failure if the peer itself says meanwhile that it is there; doubled each time. Who
/// says so may be another, which must not have us dial it all the time.
pub const REDIAL_HEARD: Duration = Duration::from_secs(1);

// Peer exchange

/// Peers in one message of ours, new ones and lost ones each (BEP 11), and lost ones that are
/// remembered for it.
pub const PEX_NAMED: usize = 50;
/// Peers taken of one message, of each list: libtorrent sends up to 100.
pub const PEX_TAKEN: usize = 100;
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

// Hole punching

/// Addresses that one peer is asked to have us call at one time.
pub const PUNCH_ASKED: usize = 20;
/// It is asked for the same address again after this long: an address that was not reached is
/// hardly reached by trying at once.
pub const PUNCH_AGAIN: Duration = Duration::from_secs(2 * 60);
/// A peer may ask us for a rendezvous once in this time, is told of those that others ask for as
/// often, and may tell us to call as often: each costs two packets of 20 bytes to whoever is
/// called. What is more is ignored.
pub const PUNCH_GAP: Duration = Duration::from_secs(2);
/// So many come without a pause: a peer dials many addresses when it begins.
pub const PUNCH_AT_ONCE: u32 = 20;

// Local discovery

/// Torrents in one datagram that announces them: BEP 14 wants it to have 1,400 bytes at most.
pub const LSD_HASHES: usize = 20;
/// Time between two datagrams: a thousand torrents are announced within a minute.
pub const LSD_GAP: Duration = Duration::from_secs(1);
/// A torrent is announced again this long after it was announced first: multicast gets lost,
/// mostly where it goes by radio.
pub const LSD_AGAIN: Duration = Duration::from_secs(5);
/// It is announced this often after that (BEP 14).
pub const LSD_EVERY: Duration = Duration::from_secs(5 * 60);
/// Bytes of a datagram that is read: longer than what BEP 14 allows.
pub const LSD_DATAGRAM: usize = 2 * KIB;
/// Datagrams read a second, of each family: what comes beyond that is not even looked at.
pub const LSD_HEARD: usize = 50;
/// Ports of one host that count: it may have that many clients.
pub const LSD_PORTS: usize = 8;
/// Once there are so many, one more takes the place of another each time that this has passed:
/// others may have written in its name, and its true port comes last.
pub const LSD_PORT_GAP: Duration = Duration::from_secs(30);
/// Hosts that are remembered, the latest ones: a large local network.
pub const LSD_HOSTS: usize = 256;
/// Peers that `brooklet peers` lists of one source: a liar may name any number.
pub const PEERS_LISTED: usize = 2_000;
/// `brooklet peers` waits so long for peers in the local network: those that hear its announcement
/// dial within a second or two, and the second one, after [`LSD_AGAIN`], is to be heard, too.
pub const NEARBY_WAIT: Duration = Duration::from_secs(7);
/// Peers that have dialed it at one time and have not said yet where they listen.
pub const NEARBY_CALLERS: usize = 32;
/// Bytes that one of them may send before it says so: a bit field of 250,000 pieces may come first.
pub const NEARBY_BYTES: usize = 32 * KIB;
/// How long the ports of a host are remembered: clients announce every five minutes.
pub const LSD_KNOWN: Duration = Duration::from_secs(10 * 60);
