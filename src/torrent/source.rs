//! Who names addresses of peers. Whoever names many must not keep those of others waiting, so each
//! who named one is told apart: see `dial_order`.

use std::net::{IpAddr, SocketAddr};

use crate::base::network;

/// Where an address came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The user, with `--peer`.
    User,
    /// A magnet link, with `x.pe` (BEP 9): whoever made it may name anybody. A private torrent
    /// takes it, as it takes the link's trackers: the user has chosen the link.
    Link,
    /// A tracker.
    Tracker,
    /// The local network: the peer itself (BEP 14).
    Local,
    /// A node of the DHT, which may name anybody.
    Dht,
    /// Another peer (BEP 11), which may name anybody.
    Exchange,
}

/// One of those that name addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Namer {
    /// What it is.
    pub source: Source,
    /// Which one it is.
    who: u64,
}

impl Namer {
    /// The one at this address. All in one network count as one: a liar may have as many addresses
    /// there as it likes.
    pub fn at(source: Source, addr: SocketAddr) -> Namer {
        // The networks around us are told apart by their hosts; the upper half of the bits is set.
        let who = network(addr).unwrap_or_else(|| match addr.ip().to_canonical() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()) | (u64::MAX << 32),
            IpAddr::V6(ip) => ip.to_bits() as u64 | (u64::MAX << 32),
        });
        Namer { source, who }
    }

    /// The tracker of this URL.
    pub fn tracker(url: &str) -> Namer {
        // FNV: whoever lists trackers that share a turn has nothing from it.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Namer {
            source: Source::Tracker,
            who: url.bytes().fold(0xcbf2_9ce4_8422_2325, mix),
        }
    }
}

impl From<Source> for Namer {
    /// Where there is but one of the kind.
    fn from(source: Source) -> Namer {
        Namer { source, who: 0 }
    }
}
