//! Addresses of peers as others name them, in messages of peer exchange and otherwise: whatever is
//! named by whomever, no host is scanned, what cannot be a host is not dialed, no address is dialed
//! twice at one time, and what is kept stays within its bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::super::script::Script;
use brooklet::base::{Duration, Reach, Rng, Time, limits};
use brooklet::torrent::{Candidates, Namer, Source};
use brooklet::wire::PeerExchange;

/// Dials under way at one time.
const DIALS: usize = 30;
const SOURCES: [Source; 6] = [
    Source::User,
    Source::Link,
    Source::Tracker,
    Source::Local,
    Source::Dht,
    Source::Exchange,
];

/// What is known from outside of the addresses.
struct Known {
    candidates: Candidates,
    start: Time,
    now: Time,
    room: usize,
    /// Those that the user named.
    users: BTreeSet<SocketAddr>,
    busy: Vec<SocketAddr>,
    /// Ports that were dialed of each host in the world, but for those of the user.
    dialed: BTreeMap<IpAddr, BTreeSet<u16>>,
}

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let script = &mut Script::new(data);
    let start = Time::from_micros(1_000_000);
    let mut known = Known {
        candidates: Candidates::new(Rng::from_seed(script.byte().into())),
        start,
        now: start,
        room: limits::CANDIDATES,
        users: BTreeSet::new(),
        busy: Vec::new(),
        dialed: BTreeMap::new(),
    };
    while let Some(step) = script.step() {
        known.happen(step, script);
        known.check();
    }
}

impl Known {
    fn happen(&mut self, step: u8, script: &mut Script<'_>) {
        match step % 10 {
            0 => {
                let by = namer(script, Source::Exchange);
                let said = PeerExchange::parse(script.bytes()).unwrap_or_default();
                for (addr, flags) in said.added {
                    self.candidates.add(addr, by, self.now);
                    self.candidates.mark(addr, flags);
                }
            }
            1 => {
                let source = SOURCES[script.below(SOURCES.len())];
                let (by, addr) = (namer(script, source), addr(script));
                self.name(addr, by);
            }
            2 => {
                // A list of ports of one host.
                let (by, mut addr) = (namer(script, Source::Exchange), addr(script));
                for port in 0..script.byte() {
                    addr.set_port(7000 + u16::from(port));
                    self.name(addr, by);
                }
            }
            3 => self.now = self.now + Duration::from_millis(u64::from(script.short()) * 10),
            4 => {
                let due = self.candidates.next_deadline();
                self.now = due.map_or(self.now, |due| due.max(self.now));
            }
            5 | 6 => {
                for _ in 0..=script.below(16) {
                    self.dial();
                }
            }
            7 => self.end(script),
            8 => self.candidates.hear(addr(script), self.now),
            _ => {
                self.room = usize::from(script.byte());
                self.candidates.set_room(self.room, self.now);
            }
        }
    }

    fn name(&mut self, addr: SocketAddr, by: Namer) {
        if by.source == Source::User {
            self.users.insert(addr);
        }
        self.candidates.add(addr, by, self.now);
    }

    fn dial(&mut self) {
        let next = (self.busy.len() < DIALS).then(|| self.candidates.next(self.now));
        let Some(addr) = next.flatten() else {
            return;
        };
        let reach = Reach::of(addr.ip());
        assert!(addr.port() != 0 && reach != Reach::Nowhere, "{addr}");
        assert!(!self.busy.contains(&addr), "{addr} is being dialed");
        self.busy.push(addr);
        if !reach.is_local() && !self.users.contains(&addr) {
            let ports = self.dialed.entry(addr.ip()).or_default();
            ports.insert(addr.port());
            let gaps = self.now.since(self.start).as_secs() / limits::HOST_PORT_GAP.as_secs();
            // The first port that takes the place of another one does not wait.
            let most = limits::HOST_PORTS as u64 + 1 + gaps;
            assert!(ports.len() as u64 <= most, "{addr} is scanned: {ports:?}");
        }
    }

    /// A dial or a connection comes to its end.
    fn end(&mut self, script: &mut Script<'_>) {
        if self.busy.is_empty() {
            return;
        }
        let addr = self.busy.swap_remove(script.below(self.busy.len()));
        let (candidates, now) = (&mut self.candidates, self.now);
        match script.below(6) {
            0 => candidates.on_closed(addr, now),
            1 => candidates.on_lost(addr, now),
            2 => candidates.refuse(addr, now),
            3 => candidates.on_left(addr, now),
            4 => {
                candidates.on_failed(addr, now);
                candidates.on_crossed(addr, now);
            }
            _ => candidates.on_failed(addr, now),
        }
    }

    fn check(&self) {
        let waiting = self.candidates.waiting();
        assert!(waiting <= self.room + DIALS + self.users.len());
        assert!(self.candidates.len() <= waiting + self.busy.len());
        let due = self.candidates.next_deadline();
        let is_due = due.is_some_and(|due| due <= self.now);
        assert_eq!(self.candidates.peek(self.now).is_some(), is_due);
    }
}

/// One of few who name addresses, in networks of their own.
fn namer(script: &mut Script<'_>, source: Source) -> Namer {
    Namer::at(source, ([198, 51, script.byte() & 7, 1], 6881).into())
}

/// Few hosts, in the world, around us, and such as are none.
fn addr(script: &mut Script<'_>) -> SocketAddr {
    let (kind, number) = (script.below(8), script.byte());
    let port = u16::from(script.byte() & 31);
    let ip = match kind {
        0 => [10, 0, 0, number & 3].into(),
        1 => [224, 0, 0, number].into(),
        2 => std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number & 1)).into(),
        3 => [60, 1, number, 1].into(),
        _ => IpAddr::from([192, 0, 2, number & 1]),
    };
    (ip, port).into()
}
