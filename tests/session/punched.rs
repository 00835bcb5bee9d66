//! Three whole sessions and two routers in memory: one end has the content, the other wants it, and
//! a third peer, outside, leads them to each other (BEP 55). Nothing but datagrams gets anywhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use brooklet::base::{Duration, PeerId, PeerKey, Time};
use brooklet::peer::{EndReason, Segment};
use brooklet::session::datagrams;
use brooklet::session::streams::{self, Stream};
use brooklet::torrent::{Effect, Report, Source, Transport};
use brooklet::utp::{Key, Read};
use brooklet::wire::message::piece_header;

use crate::exchange::addr;
use crate::session::Bench;

const LATENCY: Duration = Duration::from_millis(20);

/// What a router does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Nat {
    /// There is none.
    Open,
    /// It lets datagrams in from addresses to which some went out.
    Address,
    /// The same for addresses with their ports.
    Port,
    /// The same, and each that is called sees another port.
    Symmetric,
}

struct End {
    bench: Bench,
    links: BTreeMap<PeerKey, Key>,
    outside: SocketAddr,
    nat: Nat,
    /// Who was called.
    called: Vec<SocketAddr>,
}

impl End {
    fn new(bench: Bench, outside: &str, nat: Nat) -> End {
        let (links, called) = (BTreeMap::new(), Vec::new());
        End {
            bench,
            links,
            outside: addr(outside),
            nat,
            called,
        }
    }

    /// Where it seems to be to this one.
    fn seen_by(&mut self, to: SocketAddr) -> SocketAddr {
        let place = self.called.iter().position(|&it| it == to);
        let place = place.unwrap_or_else(|| {
            self.called.push(to);
            self.called.len() - 1
        });
        let mut seen = self.outside;
        if self.nat == Nat::Symmetric {
            seen.set_port(seen.port() + place as u16);
        }
        seen
    }

    fn lets_in(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let mut called = self.called.iter().enumerate();
        let same_port = to.port() == self.outside.port();
        match self.nat {
            Nat::Open => same_port,
            Nat::Address => same_port && called.any(|(_, it)| it.ip() == from.ip()),
            Nat::Port => same_port && called.any(|(_, it)| *it == from),
            Nat::Symmetric => called
                .any(|(place, it)| *it == from && to.port() == self.outside.port() + place as u16),
        }
    }

    fn dials(&mut self, to: SocketAddr) {
        let Bench {
            session,
            torrent,
            now,
            ..
        } = &mut self.bench;
        session.add_peers(*torrent, &[to], Source::User, *now);
    }

    /// The session's turns until it has nothing to do; the datagrams that it sends.
    fn turn(&mut self, now: Time) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        self.bench.now = now;
        loop {
            while let Some(stream) = streams::next(&mut self.bench.session, now) {
                match stream {
                    Stream::Up(key, call) => {
                        self.links.insert(key, call);
                        self.flush(key);
                    }
                    Stream::Readable(key) => self.read(key),
                    Stream::Writable(key) => self.flush(key),
                }
            }
            self.bench.session.plan(now);
            while let Some(effect) = self.bench.session.next_effect() {
                match effect {
                    Effect::Dial { key, .. } => {
                        let reason = EndReason::Network("nothing gets there".into());
                        self.bench.session.handle_closed(key, reason, now);
                    }
                    Effect::Hangup { key } => {
                        self.links.remove(&key);
                    }
                    Effect::Report { report, .. } => self.bench.reports.push(report),
                    _ => {}
                }
            }
            for key in self.bench.session.take_unflushed() {
                self.flush(key);
            }
            let (utp, mut out) = (self.bench.session.utp.as_mut().unwrap(), Vec::new());
            while let Some(datagrams) = utp.transmit(&mut out, now) {
                let each = out.chunks(datagrams.each);
                sent.extend(each.map(|bytes| (datagrams.to, bytes.to_vec())));
            }
            if !self.bench.session.is_pending() {
                return sent;
            }
        }
    }

    fn read(&mut self, key: PeerKey) {
        let Some(&call) = self.links.get(&key) else {
            return;
        };
        let Bench {
            session,
            setting,
            disk,
            now,
            ..
        } = &mut self.bench;
        let mut buffer = [0; 20_000];
        loop {
            let utp = session.utp.as_mut().unwrap();
            let len = match utp.read(call, &mut buffer, *now) {
                Read::Bytes(len, _) => len,
                Read::Nothing => return,
                Read::End => return session.handle_closed(key, EndReason::Closed, *now),
            };
            let kept = session.unparsed(key).unwrap_or_default();
            let mut bytes = [kept, &buffer[..len]].concat();
            let mut input = session.open(key, &mut bytes);
            while let Some(write) = session.receive(key, &mut input, *now) {
                let start = setting.local.geometry.offset(write.block) as usize;
                disk[start..start + write.data.len()].copy_from_slice(write.data);
                session.handle_written(write.torrent, &[(write.block, write.data)]);
            }
        }
    }

    fn flush(&mut self, key: PeerKey) {
        let Some(&call) = self.links.get(&key) else {
            return;
        };
        let Bench {
            session,
            setting,
            disk,
            now,
            ..
        } = &mut self.bench;
        let mut bytes: Vec<u8> = Vec::new();
        for segment in session.transmit(key) {
            match segment {
                Segment::Bytes(part) => bytes.extend(part),
                Segment::Block { block, skip } => {
                    let start = setting.local.geometry.offset(block) as usize;
                    let data = &disk[start..start + block.len as usize];
                    bytes.extend(&[&piece_header(block)[..], data].concat()[skip..]);
                }
            }
        }
        if !bytes.is_empty() {
            session.seal(key, &mut bytes);
            let utp = session.utp.as_mut().unwrap();
            let taken = utp.write(call, &bytes, *now);
            session.transmitted(key, taken, *now);
        }
    }

    /// Over what it is connected with a peer of this host.
    fn connected(&self, ip: IpAddr) -> Option<Transport> {
        self.bench.reports.iter().find_map(|report| match report {
            Report::Connected {
                addr, transport, ..
            } if addr.ip() == ip => Some(*transport),
            _ => None,
        })
    }
}

struct World {
    ends: [End; 3],
    /// By when they arrive: from whom, to whom, what.
    parcels: BTreeMap<(Time, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    count: u64,
    now: Time,
}

impl World {
    /// The one that has the content, the one that wants it, and the one outside.
    fn new(nats: [Nat; 2]) -> World {
        let peer = |bench: fn() -> Bench, name: u8, pex: bool| {
            let mut bench = bench();
            bench.begins(|config, order| {
                config.utp = Some(1 << 22);
                config.us.peer_id = PeerId([name; 20]);
                // The one outside would leave the one that has the content, once it has all.
                config.down = (name == b'c').then_some(1);
                order.pex = pex;
                // It is not private.
                order.metadata_size = NonZeroU32::new(7);
            });
            bench
        };
        let getter = || Bench::getter(4, &[]);
        // It calls only if it is told to.
        let seed = peer(|| Bench::seeder(4), b'a', false);
        World {
            ends: [
                End::new(seed, "203.0.113.1:40001", nats[0]),
                End::new(peer(getter, b'b', true), "192.0.2.2:40002", nats[1]),
                End::new(peer(getter, b'c', true), "198.51.100.3:6881", Nat::Open),
            ],
            parcels: BTreeMap::new(),
            count: 0,
            now: Time::default() + Duration::from_secs(1),
        }
    }

    fn runs(&mut self, until: Time) {
        while self.now < until {
            for end in &mut self.ends {
                for (to, bytes) in end.turn(self.now) {
                    let from = end.seen_by(to);
                    let place = (self.now + LATENCY, self.count);
                    self.parcels.insert(place, (from, to, bytes));
                    self.count += 1;
                }
            }
            let arrives = self.parcels.keys().next().map(|(at, _)| *at);
            let ends = self.ends.iter_mut();
            let due = ends.filter_map(|end| end.bench.session.next_deadline());
            let next = due.chain(arrives).min().unwrap_or(until);
            self.now = next.max(self.now + Duration::from_millis(1));
            while let Some(first) = self.parcels.first_entry() {
                if first.key().0 > self.now {
                    break;
                }
                let (from, to, bytes) = first.remove();
                let ends = self.ends.iter_mut();
                let mut there = ends.filter(|it| it.outside.ip() == to.ip());
                let there = there.find(|it| it.lets_in(from, to));
                if let Some(there) = there {
                    datagrams::handle(&mut there.bench.session, from, &bytes, self.now);
                }
            }
        }
    }
}

fn meet(nats: [Nat; 2]) -> World {
    let mut world = World::new(nats);
    let relay = world.ends[2].outside;
    let second = Duration::from_secs(1);
    world.ends[0].dials(relay);
    world.runs(world.now + second * 5);
    assert_eq!(
        world.ends[2].connected(world.ends[0].outside.ip()),
        Some(Transport::Utp)
    );
    world.ends[1].dials(relay);
    world.runs(world.now + second * 30);
    world
}

#[test]
fn two_behind_routers_meet_and_the_content_arrives() {
    for one in [Nat::Address, Nat::Port] {
        for two in [Nat::Address, Nat::Port] {
            let world = meet([one, two]);
            let [seed, getter, _] = &world.ends;
            assert_eq!(getter.connected(seed.outside.ip()), Some(Transport::Utp));
            assert_eq!(seed.connected(getter.outside.ip()), Some(Transport::Utp));
            assert!(getter.bench.disk == getter.bench.setting.content);
            world
                .ends
                .iter()
                .for_each(|end| end.bench.session.assert_invariants());
        }
    }
}

/// Where each end seems to be elsewhere to everybody, nobody can lead them to each other.
#[test]
fn two_behind_routers_that_give_each_another_port_do_not() {
    let world = meet([Nat::Symmetric, Nat::Symmetric]);
    let [seed, getter, _] = &world.ends;
    assert_eq!(getter.connected(seed.outside.ip()), None);
}
