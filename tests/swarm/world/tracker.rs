//! The tracker of the simulated swarm: it reads the announces that sessions really send and answers
//! as trackers do, with up to fifty peers drawn at random.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};

use brooklet::base::{Duration, Rng, Time};

/// Where it is said to be.
pub const URL: &str = "http://192.0.2.1:6969/announce";
/// Seconds between announces that it asks for, and those that it bears.
const INTERVAL: (u64, u64) = (300, 60);
/// Peers in a reply.
const PEERS: usize = 50;

/// Who takes part in which torrent, as far as announced, and when each announced last.
#[derive(Default)]
pub struct Tracker {
    torrents: BTreeMap<String, BTreeMap<SocketAddrV4, Time>>,
    /// Those that do not announce, and take part in all.
    mute: Vec<SocketAddrV4>,
    /// The only peer that is named; none: all are.
    pub only: Option<SocketAddrV4>,
}

impl Tracker {
    /// Somebody takes part who does not announce.
    pub fn enter(&mut self, addr: SocketAddrV4) {
        self.mute.push(addr);
    }

    /// The response to an HTTP request from this address.
    pub fn answer(&mut self, from: Ipv4Addr, request: &[u8], now: Time, rng: &mut Rng) -> Vec<u8> {
        let request = String::from_utf8_lossy(request);
        let field = |name: &str| {
            let rest = request.split_once(&format!("{name}="))?.1;
            rest.split(['&', ' ']).next()
        };
        let port = field("port").and_then(|port| port.parse().ok());
        let addr = SocketAddrV4::new(from, port.expect("an announce names a port"));
        let (interval, least) = INTERVAL;
        let patience = Duration::from_secs(2 * interval);
        let torrent = field("info_hash").expect("an announce names a torrent");
        let swarm = self.torrents.entry(torrent.to_string()).or_default();
        swarm.retain(|_, at| now.since(*at) < patience);
        for &mute in &self.mute {
            swarm.insert(mute, now);
        }
        if field("event") == Some("stopped") {
            swarm.remove(&addr);
        } else {
            swarm.insert(addr, now);
        }
        let named = |&other: &SocketAddrV4| {
            let only = self.only.is_none_or(|only| only == other);
            other != addr && only
        };
        let others = swarm.keys().copied().filter(named);
        let mut others: Vec<SocketAddrV4> = others.collect();
        let peers = draw(&mut others, PEERS, rng);
        let mut body = String::new();
        let _ = write!(
            body,
            "d8:intervali{interval}e12:min intervali{least}e5:peers{}:",
            peers.len() * 6
        );
        let mut body = body.into_bytes();
        for peer in peers {
            body.extend(peer.ip().octets());
            body.extend(peer.port().to_be_bytes());
        }
        body.push(b'e');
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    }
}

/// Some of these, at random.
fn draw<'a>(all: &'a mut [SocketAddrV4], most: usize, rng: &mut Rng) -> &'a [SocketAddrV4] {
    let count = all.len().min(most);
    for place in 0..count {
        let other = place + rng.below((all.len() - place) as u64) as usize;
        all.swap(place, other);
    }
    &all[..count]
}
