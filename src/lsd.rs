//! Rank 3: local service discovery (BEP 14): when which torrents are announced to the local
//! network, and whom of those who announce theirs to believe. The messages are in `wire/lsd.rs`.
//!
//! A torrent is announced when it begins, once more soon after, since multicast gets lost, and then
//! every few minutes. Several go in one datagram. Whoever announces may be anybody in the network,
//! and name any port of its own host: a few of each host count.

use std::net::{IpAddr, SocketAddr};

use crate::base::{InfoHash, Rng, SortedMap, Time, limits, sooner};
use crate::wire::lsd::Search;

/// What is announced, and who was heard.
#[derive(Debug)]
pub struct Lsd {
    /// Where peers may dial us.
    port: u16,
    /// By which we know our own messages, which come back to us.
    cookie: String,
    wanted: SortedMap<InfoHash, Wanted>,
    /// When the next datagram is due.
    at: Option<Time>,
    /// When the last one was sent.
    sent: Option<Time>,
    /// Hosts that were heard.
    hosts: SortedMap<IpAddr, Heard>,
}

/// A host that was heard.
#[derive(Clone, Debug)]
struct Heard {
    /// It is forgotten then.
    until: Time,
    /// Ports that it has named, the one heard last at the end.
    ports: Vec<u16>,
    /// When a port was added last.
    added: Time,
}

/// What the cookie of one begins with that is no peer itself.
const ASKER: &str = "ask-";

/// One torrent that is announced.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    next: Time,
    /// It was announced before.
    told: bool,
}

impl Lsd {
    /// Nothing is announced yet. `port`: where peers may dial us; `seed` decides the cookie.
    pub fn new(port: u16, seed: u64) -> Lsd {
        Lsd {
            port,
            cookie: format!("{:08x}", Rng::from_seed(seed).bits32()),
            wanted: SortedMap::new(),
            at: None,
            sent: None,
            hosts: SortedMap::new(),
        }
    }

    /// The same for one that is no peer and asks who is: others of its kind do not count it.
    pub fn asker(port: u16, seed: u64) -> Lsd {
        let lsd = Lsd::new(port, seed);
        Lsd {
            cookie: format!("{ASKER}{}", lsd.cookie),
            ..lsd
        }
    }

    /// A torrent is announced from now on, if it was not yet.
    pub fn want(&mut self, info_hash: InfoHash, now: Time) {
        if !self.wanted.contains_key(&info_hash) {
            let wanted = Wanted {
                next: now,
                told: false,
            };
            self.wanted.insert(info_hash, wanted);
            self.at = sooner(self.at, Some(now));
        }
    }

    /// A torrent is no longer announced.
    pub fn unwant(&mut self, info_hash: &InfoHash) {
        self.wanted.remove(info_hash);
    }

    /// All torrents are announced as at their beginning: there is a network that was not there
    /// before.
    pub fn renew(&mut self, now: Time) {
        for wanted in self.wanted.values_mut() {
            *wanted = Wanted {
                next: now,
                told: false,
            };
            self.at = Some(now);
        }
    }

    /// When [`Lsd::turn`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        self.at
    }

    /// What is to be announced now.
    pub fn turn(&mut self, now: Time) -> Option<Search> {
        self.at.filter(|&at| at <= now)?;
        let free = self.sent.map_or(now, |sent| sent + limits::LSD_GAP);
        if free > now {
            self.at = Some(free);
            return None;
        }
        let mut info_hashes = Vec::new();
        let mut next: Option<Time> = None;
        for (&info_hash, wanted) in self.wanted.iter_mut() {
            if wanted.next <= now && info_hashes.len() < limits::LSD_HASHES {
                info_hashes.push(info_hash);
                let again = std::mem::replace(&mut wanted.told, true);
                let gap = if again {
                    limits::LSD_EVERY
                } else {
                    limits::LSD_AGAIN
                };
                wanted.next = now + gap;
            }
            next = sooner(next, Some(wanted.next));
        }
        self.at = next;
        if info_hashes.is_empty() {
            return None;
        }
        self.sent = Some(now);
        Some(Search {
            port: self.port,
            info_hashes,
            cookie: Some(self.cookie.clone()),
        })
    }

    /// A datagram came: a peer, and the torrents of ours that it has.
    pub fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Time,
    ) -> Option<(SocketAddr, Vec<InfoHash>)> {
        let mut search = Search::parse(datagram).ok()?;
        let asks = |cookie: &String| cookie.starts_with(ASKER);
        let both_ask = asks(&self.cookie) && search.cookie.as_ref().is_some_and(asks);
        if search.cookie.as_ref() == Some(&self.cookie) || both_ask {
            return None;
        }
        search.info_hashes.retain(|it| self.wanted.contains_key(it));
        if search.info_hashes.is_empty() || !self.believes(from.ip(), search.port, now) {
            return None;
        }
        let mut addr = from;
        addr.set_port(search.port);
        Some((addr, search.info_hashes))
    }

    /// Whether this port of a host counts: one of the few that it has named lately.
    fn believes(&mut self, ip: IpAddr, port: u16, now: Time) -> bool {
        self.hosts.retain(|_, heard| heard.until > now);
        if self.hosts.len() >= limits::LSD_HOSTS && !self.hosts.contains_key(&ip) {
            // A flood of made-up hosts shuts out none that is new.
            let oldest = self.hosts.iter().min_by_key(|(_, heard)| heard.until);
            if let Some(oldest) = oldest.map(|(&ip, _)| ip) {
                self.hosts.remove(&oldest);
            }
        }
        let heard = self.hosts.get_or_insert_with(ip, || Heard {
            until: now + limits::LSD_KNOWN,
            ports: Vec::new(),
            added: now,
        });
        let known = heard.ports.iter().position(|&known| known == port);
        let is_full = known.is_none() && heard.ports.len() >= limits::LSD_PORTS;
        // Others may have written in its name, and its true port comes last.
        if is_full && now < heard.added + limits::LSD_PORT_GAP {
            return false;
        }
        if let Some(place) = known.or(is_full.then_some(0)) {
            heard.ports.remove(place);
        }
        if known.is_none() {
            heard.added = now;
        }
        heard.ports.push(port);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;
    use crate::base::Duration;
    use crate::wire::Family;

    fn at(millis: u64) -> Time {
        Time::default() + Duration::from_millis(millis)
    }

    fn hash(number: usize) -> InfoHash {
        let mut hash = [0; 20];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        InfoHash(hash)
    }

    /// All that is announced until then: the moments, and what.
    fn run(lsd: &mut Lsd, until: Time) -> Vec<(Time, Vec<InfoHash>)> {
        let mut said = Vec::new();
        while let Some(due) = lsd.next_deadline().filter(|&due| due <= until) {
            if let Some(search) = lsd.turn(due) {
                said.push((due, search.info_hashes));
            }
        }
        said
    }

    #[test]
    fn a_torrent_is_announced_at_once_soon_again_and_then_every_five_minutes() {
        let mut lsd = Lsd::new(6881, 1);
        lsd.want(hash(1), at(0));
        let again = limits::LSD_AGAIN.as_millis() as u64;
        let every = limits::LSD_EVERY.as_millis() as u64;
        let said = run(&mut lsd, at(700_000));
        let expected = [0, again, again + every, again + 2 * every];
        assert_eq!(said, expected.map(|it| (at(it), vec![hash(1)])));
        lsd.renew(at(800_000));
        let said = run(&mut lsd, at(850_000));
        let moments: Vec<Time> = said.into_iter().map(|it| it.0).collect();
        assert_eq!(moments, [at(800_000), at(800_000 + again)]);
        lsd.unwant(&hash(1));
        assert_eq!(run(&mut lsd, at(10_000_000)), []);
    }

    #[test]
    fn many_torrents_share_datagrams_that_are_spaced() {
        let mut lsd = Lsd::new(6881, 1);
        let count = 10 * limits::LSD_HASHES + 3;
        (0..count).for_each(|number| lsd.want(hash(number), at(0)));
        let said = run(&mut lsd, at(299_999));
        let gaps = said.windows(2).map(|two| two[1].0.since(two[0].0));
        assert!(gaps.min().unwrap() >= limits::LSD_GAP);
        let hashes: Vec<InfoHash> = said.iter().flat_map(|(_, hashes)| hashes.clone()).collect();
        assert!(
            (0..count).all(|it| hashes.iter().filter(|&&other| other == hash(it)).count() == 2)
        );
        let search = Search {
            port: u16::MAX,
            info_hashes: vec![hash(0); limits::LSD_HASHES],
            cookie: Some("12345678".into()),
        };
        // BEP 14: a datagram "should not exceed" 1400 bytes.
        assert!(search.encode(Family::V6).len() <= 1400);
    }

    /// A message of somebody at this host.
    fn search(port: u16, hashes: &[InfoHash]) -> Vec<u8> {
        let search = Search {
            port,
            info_hashes: hashes.to_vec(),
            cookie: Some("x".into()),
        };
        search.encode(Family::V4).into_bytes()
    }

    #[test]
    fn a_peer_of_ours_is_found_and_we_are_not() {
        let mut lsd = Lsd::new(6881, 1);
        lsd.want(hash(1), at(0));
        let from = "10.0.0.2:6771".parse().unwrap();
        let said = search(7000, &[hash(2), hash(1)]);
        let found = ("10.0.0.2:7000".parse().unwrap(), vec![hash(1)]);
        assert_eq!(lsd.receive(from, &said, at(0)), Some(found));
        assert_eq!(lsd.receive(from, &search(7000, &[hash(2)]), at(0)), None);
        assert_eq!(lsd.receive(from, b"BT-SEARCH", at(0)), None);
        let ours = lsd.turn(at(0)).unwrap().encode(Family::V4);
        assert_eq!(lsd.receive(from, ours.as_bytes(), at(0)), None);
        // The zone of a link-local address stays.
        let link: SocketAddr = SocketAddrV6::new("fe80::2".parse().unwrap(), 6771, 0, 3).into();
        let (addr, _) = lsd.receive(link, &said, at(0)).unwrap();
        let SocketAddr::V6(addr) = addr else {
            panic!("it is IPv6")
        };
        assert_eq!((addr.port(), addr.scope_id()), (7000, 3));
    }

    #[test]
    fn those_that_ask_are_peers_for_peers_alone() {
        let from = "10.0.0.2:6771".parse().unwrap();
        let hears = |mut lsd: Lsd, mut other: Lsd| {
            lsd.want(hash(1), at(0));
            other.want(hash(1), at(0));
            let said = other.turn(at(0)).unwrap().encode(Family::V4);
            lsd.receive(from, said.as_bytes(), at(0)).is_some()
        };
        let asker = |seed| Lsd::asker(6881, seed);
        assert!(hears(Lsd::new(6881, 1), asker(2)));
        assert!(hears(asker(1), Lsd::new(6881, 2)));
        assert!(!hears(asker(1), asker(2)));
    }

    #[test]
    fn a_host_names_a_few_ports_and_hosts_are_bounded() {
        let mut lsd = Lsd::new(6881, 1);
        lsd.want(hash(1), at(0));
        let mut heard = |host: u32, port: u16, now| {
            let ip = IpAddr::from((0x0a00_0000 + host).to_be_bytes());
            let said = search(port, &[hash(1)]);
            lsd.receive(SocketAddr::new(ip, 6771), &said, now).is_some()
        };
        let named = (1..=1000).filter(|&port| heard(1, port, at(0))).count();
        assert_eq!(named, limits::LSD_PORTS);
        assert!(heard(1, 1, at(1)) && !heard(1, 999, at(1)));
        let hosts = limits::LSD_HOSTS as u32;
        assert!((2..=hosts).all(|host| heard(host, 7, at(1))));
        assert!(!heard(1, 999, at(1)), "it is remembered");
        assert!(heard(hosts + 1, 7, at(2)), "one that is new counts");
        assert!(heard(1, 999, at(2)), "it took the place of the oldest");
        let named = (8..=1000).filter(|&port| heard(hosts, port, at(3))).count();
        assert_eq!(named, limits::LSD_PORTS - 1);
        assert!(heard(hosts, 999, at(3) + limits::LSD_KNOWN));
    }

    /// Anybody in the network may write in its name.
    #[test]
    fn a_port_that_is_named_late_takes_the_place_of_the_one_heard_longest_ago() {
        let mut lsd = Lsd::new(6881, 1);
        lsd.want(hash(1), at(0));
        let mut heard = |port: u16, now| {
            let from = "10.0.0.2:6771".parse().unwrap();
            lsd.receive(from, &search(port, &[hash(1)]), now).is_some()
        };
        let most = limits::LSD_PORTS as u16;
        assert!((1..=most).all(|port| heard(port, at(0))));
        assert!(heard(1, at(1)));
        let gap = limits::LSD_PORT_GAP.as_millis() as u64;
        assert!(!heard(6881, at(gap - 1)) && heard(6881, at(gap)));
        assert!(
            heard(1, at(gap + 1)) && !heard(2, at(gap + 1)),
            "2 has gone"
        );
        // A list of ports is no scan.
        let more = (1000..2000).filter(|&port| heard(port, at(gap + u64::from(port) * 100)));
        assert!(more.count() as u64 <= 100_000 / gap + 2);
    }
}
