//! The names that are looked up: hosts of trackers and of web seeds, the peers that a user names,
//! and nodes of the DHT.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::Waker;

use super::resolve::{Found, Resolver};
use crate::base::{InfoHash, Reach, Time};
use crate::socks::Place;
use crate::tracker::Id;

/// The torrent of a web seed, its host, and the addresses of that or why there are none.
pub type FoundWebSeed = (InfoHash, String, Result<Vec<IpAddr>, String>);

/// Who names a host that may be a node of the DHT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedBy {
    /// The user, perhaps one in a local network.
    User,
    /// All clients.
    Usage,
    /// A torrent: it can wait.
    Torrent,
}

/// For what a name is looked up.
#[derive(Debug)]
enum Asker {
    Tracker(Id),
    Peer {
        of: Option<InfoHash>,
        host: String,
        port: u16,
    },
    Node {
        host: String,
        port: u16,
        by: NamedBy,
    },
    WebSeed {
        of: InfoHash,
        host: String,
    },
}

/// Look-ups under way, and what they found.
#[derive(Debug)]
pub struct LookUps {
    resolver: Resolver<Asker>,
    /// Addresses of peers, and their torrents.
    peers: Vec<(Option<InfoHash>, SocketAddr)>,
    /// The same of nodes of the DHT.
    nodes: Vec<SocketAddr>,
    /// The same of web seeds.
    web_seeds: Vec<FoundWebSeed>,
    /// Nodes that are being looked up.
    unresolved: usize,
}

impl LookUps {
    /// None yet. `waker` is that of the poll loop, which then calls [`LookUps::on_woken`].
    /// `by_proxy`: nothing is looked up here, and each name gets an address that stands for it.
    pub fn new(waker: Arc<Waker>, by_proxy: bool) -> LookUps {
        LookUps {
            resolver: Resolver::new(waker, by_proxy),
            peers: Vec::new(),
            nodes: Vec::new(),
            web_seeds: Vec::new(),
            unresolved: 0,
        }
    }

    /// Names may have been found. `hear` is told of those of trackers.
    pub fn on_woken(&mut self, now: Time, mut hear: impl FnMut(Id, &Found)) {
        while let Some((asker, found)) = self.resolver.next_found(now) {
            self.unresolved -= usize::from(matches!(asker, Asker::Node { .. }));
            match (asker, found) {
                (Asker::Tracker(id), found) => hear(id, &found),
                (Asker::WebSeed { of, host }, found) => self.web_seeds.push((of, host, found)),
                (Asker::Peer { of, port, .. }, Ok(ips)) => {
                    let addrs = ips.into_iter().map(|ip| (of, SocketAddr::new(ip, port)));
                    self.peers.extend(addrs);
                }
                (Asker::Node { host, port, by }, Ok(ips)) => {
                    let ips = ips.into_iter().filter(|ip| may_be_node(&host, by, *ip));
                    self.nodes.extend(ips.map(|ip| SocketAddr::new(ip, port)));
                }
                // There may be no network, or the name is unknown: other hosts are asked, too.
                (Asker::Node { host, .. }, Err(why)) => log::info!("DHT node {host}: {why}"),
                (Asker::Peer { host, .. }, Err(why)) => log::warn!("peer {host}: {why}"),
            }
        }
    }

    /// Looks up the host of a tracker.
    pub fn look_up_tracker(&mut self, id: Id, host: String, now: Time) {
        self.resolver.look_up(Asker::Tracker(id), host, now);
    }

    /// Looks up a peer of this torrent (none: perhaps of all) that the user named; see
    /// [`LookUps::take_peers`].
    pub fn look_up_peer(&mut self, of: Option<InfoHash>, host: String, port: u16, now: Time) {
        let asker = Asker::Peer {
            of,
            host: host.clone(),
            port,
        };
        if of.is_some() {
            self.resolver.look_up_later(asker, host, now);
        } else {
            self.resolver.look_up(asker, host, now);
        }
    }

    /// Addresses of the user's peers found since the last call, each with its torrent.
    pub fn take_peers(&mut self) -> Vec<(Option<InfoHash>, SocketAddr)> {
        std::mem::take(&mut self.peers)
    }

    /// Looks up the host of a web seed of this torrent; see [`LookUps::take_web_seeds`].
    pub fn look_up_web_seed(&mut self, of: InfoHash, host: String, now: Time) {
        let asker = Asker::WebSeed {
            of,
            host: host.clone(),
        };
        self.resolver.look_up_later(asker, host, now);
    }

    /// What was found of web seeds since the last call.
    pub fn take_web_seeds(&mut self) -> Vec<FoundWebSeed> {
        std::mem::take(&mut self.web_seeds)
    }

    /// Looks up a host that may be a node of the DHT; see [`LookUps::take_nodes`].
    pub fn look_up_node(&mut self, host: String, port: u16, by: NamedBy, now: Time) {
        self.unresolved += 1;
        let asker = Asker::Node {
            host: host.clone(),
            port,
            by,
        };
        if by == NamedBy::Torrent {
            self.resolver.look_up_later(asker, host, now);
        } else {
            self.resolver.look_up(asker, host, now);
        }
    }

    /// Whether nodes are being looked up.
    pub fn is_looking(&self) -> bool {
        self.unresolved > 0
    }

    /// Addresses of nodes found since the last call.
    pub fn take_nodes(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.nodes)
    }

    /// What an address leads to: itself, or the name that it stands for.
    ///
    /// # Errors
    /// That is not known any more.
    pub fn place(&self, addr: SocketAddr) -> Result<Place, String> {
        self.resolver.place(addr)
    }
}

/// Whether a host to begin with may be at this address: a public name that leads to a local one is
/// none, unless the user has named it.
fn may_be_node(host: &str, by: NamedBy, ip: IpAddr) -> bool {
    let is_address = host.parse::<IpAddr>().is_ok();
    by == NamedBy::User || is_address || !Reach::of(ip).is_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_name_leads_to_no_local_node() {
        let may_be = |host, by, ip: &str| may_be_node(host, by, ip.parse().unwrap());
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.1.2.3",
        ] {
            for by in [NamedBy::Usage, NamedBy::Torrent] {
                assert!(!may_be("router.example", by, ip), "{ip}");
                assert!(may_be(ip, by, ip), "no name leads there");
            }
            assert!(may_be("router.example", NamedBy::User, ip));
        }
        for ip in ["203.0.113.7", "2001:db8::7"] {
            assert!(may_be("router.example", NamedBy::Usage, ip));
        }
    }
}
