//! Two ends with a line in between: everything from the first to the second passes one bottleneck.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use brooklet::base::{Rng, Time};
use brooklet::utp::{Event, Fragments, Key, Read, Reason, Utp};

use brooklet::wire::utp_packet::{Extensions, Packet};

use crate::talk::assert_taken_by_libutp;
use crate::tcp::{self, Reno};

/// What IP and UDP put in front of a datagram.
const HEADS: usize = 28;

/// One direction of a line.
#[derive(Clone, Debug)]
pub struct Pipe {
    /// Bytes a second.
    pub rate: f64,
    /// Microseconds that a packet is under way, without a queue.
    pub delay: u64,
    /// Bytes that may queue.
    pub queue: f64,
    /// Packets of a thousand that are lost.
    pub loss: u64,
    /// Packets of a thousand that others overtake.
    pub late: u64,
    /// Bytes of a datagram that go through.
    pub mtu: usize,
    /// Packets that are lost, by their place among all.
    pub lost: Vec<u64>,
    carried: u64,
    /// When it has sent all that queues, in microseconds.
    busy: f64,
    /// The queueing delays of packets, with the moments.
    pub queued: Vec<(u64, u64)>,
}

impl Pipe {
    /// A line of so many megabits a second and milliseconds, and a queue of so many milliseconds.
    pub fn new(megabits: f64, delay: u64, queue: u64) -> Pipe {
        let rate = megabits * 125_000.0;
        Pipe {
            rate,
            delay: delay * 1_000,
            queue: rate * queue as f64 / 1_000.0,
            loss: 0,
            late: 0,
            mtu: 1_472,
            lost: Vec::new(),
            carried: 0,
            busy: 0.0,
            queued: Vec::new(),
        }
    }

    /// When a packet arrives that is sent now; `None`: it does not.
    fn carry(&mut self, bytes: usize, rng: &mut Rng, now: u64) -> Option<u64> {
        let waits = (self.busy - now as f64).max(0.0);
        let queued = waits * self.rate / 1_000_000.0;
        let cost = (bytes + HEADS) as f64;
        self.carried += 1;
        if self.lost.contains(&self.carried) {
            return None;
        }
        if bytes > self.mtu || queued + cost > self.queue || rng.below(1_000) < self.loss {
            return None;
        }
        self.queued.push((now, waits as u64));
        self.busy = self.busy.max(now as f64) + cost * 1_000_000.0 / self.rate;
        let late = if rng.below(1_000) < self.late {
            rng.below(20_000)
        } else {
            0
        };
        Some(self.busy as u64 + self.delay + late)
    }
}

/// An end, and what its connections have done.
#[derive(Debug)]
pub struct End {
    pub utp: Utp,
    pub addr: SocketAddr,
    /// Its clock: how far ahead it is, and by how many parts in a million it is fast.
    clock: (u64, i64),
    pub keys: BTreeMap<usize, Key>,
    /// Bytes that each connection is still to write.
    pub unwritten: BTreeMap<usize, u64>,
    /// Bytes that each has written, and read.
    pub written: BTreeMap<usize, u64>,
    pub read: BTreeMap<usize, u64>,
    /// Connections of which everything was read.
    pub ended: Vec<usize>,
    /// Those that were lost.
    pub gone: Vec<(usize, brooklet::utp::Gone)>,
    owners: usize,
    /// Nothing is read.
    pub lazy: bool,
}

#[derive(Clone, Debug)]
enum Parcel {
    /// To this end.
    Utp(usize, Vec<u8>),
    Tcp(usize, u64),
    Acked(usize, u64),
}

/// The world.
pub struct World {
    pub ends: [End; 2],
    /// From the first end, and from the second.
    pub pipes: [Pipe; 2],
    pub reno: Vec<Reno>,
    /// Bytes of the extension by which the second end names packets that came after a gap, if they
    /// are fewer than it says.
    pub names: Option<usize>,
    parcels: BTreeMap<(u64, u64), Parcel>,
    count: u64,
    pub rng: Rng,
    pub now: u64,
    /// Bytes of datagrams of each end, and their number.
    pub sent: [(u64, u64); 2],
    buffer: Vec<u8>,
}

impl World {
    /// Two ends with the same line in both directions.
    pub fn new(there: Pipe, seed: u64) -> World {
        let mut back = there.clone();
        back.rate = back.rate.max(1_000_000.0);
        let end = |last, clock| End {
            utp: Utp::new(8 << 20, 256 << 10, seed + u64::from(last)),
            addr: SocketAddr::from(([192, 0, 2, last], 6881)),
            clock,
            keys: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            written: BTreeMap::new(),
            read: BTreeMap::new(),
            ended: Vec::new(),
            gone: Vec::new(),
            owners: 0,
            lazy: false,
        };
        World {
            ends: [end(1, (5_000_000, 0)), end(2, (4_294_000_000, 0))],
            pipes: [there, back],
            reno: Vec::new(),
            names: None,
            parcels: BTreeMap::new(),
            count: 0,
            rng: Rng::from_seed(seed),
            now: 0,
            sent: [(0, 0); 2],
            buffer: Vec::new(),
        }
    }

    /// The second end's clock is fast by so many parts in a million.
    pub fn drift(&mut self, parts: i64) {
        self.ends[1].clock.1 = parts;
    }

    /// The time by an end's clock.
    pub fn time(&self, end: usize) -> Time {
        let (ahead, fast) = self.ends[end].clock;
        let now = self.now as i64;
        Time::from_micros(
            (now + now / 1_000_000 * fast + now % 1_000_000 * fast / 1_000_000) as u64 + ahead,
        )
    }

    /// The first end calls the second, and is to write so many bytes: the number of the connection.
    pub fn call(&mut self, bytes: u64) -> usize {
        let (to, now) = (self.ends[1].addr, self.time(0));
        let end = &mut self.ends[0];
        let owner = end.owners;
        end.owners += 1;
        let key = end.utp.connect(to, owner, now).unwrap();
        end.keys.insert(owner, key);
        end.unwritten.insert(owner, bytes);
        self.settle(0);
        owner
    }

    /// A sender like TCP begins.
    pub fn begin_tcp(&mut self) {
        self.reno.push(Reno::default());
        self.send_tcp(self.reno.len() - 1);
    }

    /// Lets so many milliseconds pass.
    pub fn pass(&mut self, millis: u64) {
        let until = self.now + millis * 1_000;
        loop {
            let timers = [0, 1].map(|end| self.timer(end));
            let next = self.parcels.keys().next().map(|&(at, _)| at);
            let next = timers.into_iter().chain([next]).flatten().min();
            let Some(at) = next.filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            while let Some((&(at, count), _)) = self.parcels.first_key_value() {
                if at > self.now {
                    break;
                }
                let parcel = self.parcels.remove(&(at, count)).unwrap();
                self.deliver(parcel);
            }
            for end in [0, 1] {
                let now = self.time(end);
                self.ends[end].utp.handle_timeout(now);
                self.settle(end);
            }
            for place in 0..self.reno.len() {
                self.send_tcp(place);
            }
        }
        self.now = until;
    }

    /// Lets time pass until this is so, at most so many milliseconds.
    pub fn until(&mut self, most: u64, mut is_so: impl FnMut(&World) -> bool) -> bool {
        for _ in 0..most / 10 {
            if is_so(self) {
                return true;
            }
            self.pass(10);
        }
        is_so(self)
    }

    /// When an end has something to do by itself, in the world's time.
    fn timer(&self, end: usize) -> Option<u64> {
        let at = self.ends[end].utp.next_deadline()?;
        // A little later than it may be, since its clock may be slow.
        let left = at.since(self.time(end)).as_micros() as u64;
        Some(self.now + left + left / 1_000 + 1)
    }

    fn post(&mut self, from: usize, bytes: usize, parcel: Parcel) {
        let at = self.pipes[from].carry(bytes, &mut self.rng, self.now);
        self.count += 1;
        if let Some(at) = at {
            self.parcels.insert((at, self.count), parcel);
        }
    }

    fn send_tcp(&mut self, place: usize) {
        for packet in self.reno[place].send(self.now) {
            self.post(0, tcp::PACKET + 12, Parcel::Tcp(place, packet));
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::Utp(to, bytes) => self.arrive(to, &bytes),
            Parcel::Tcp(place, packet) => self.post(1, 12, Parcel::Acked(place, packet)),
            Parcel::Acked(place, packet) => {
                self.reno[place].acked(packet);
                self.send_tcp(place);
            }
        }
    }

    /// A datagram arrives at an end.
    pub fn arrive(&mut self, to: usize, bytes: &[u8]) {
        let (from, now) = (self.ends[1 - to].addr, self.time(to));
        self.ends[to].utp.receive(from, bytes, || true, now);
        self.settle(to);
    }

    /// Lets an end read, write and send.
    pub fn settle(&mut self, end: usize) {
        let now = self.time(end);
        let it = &mut self.ends[end];
        while let Some(event) = it.utp.next_event() {
            match event {
                Event::Accepted(key, _) => {
                    let owner = it.owners;
                    it.owners += 1;
                    it.keys.insert(owner, key);
                    it.utp.own(key, owner, now);
                }
                Event::Readable(owner) if !it.lazy => it.read_all(owner, now),
                Event::Readable(_) => {}
                Event::Connected(owner, _) | Event::Writable(owner) => it.write(owner, now),
                Event::Gone(owner, _, why) => {
                    it.keys.remove(&owner);
                    it.gone.push((owner, why));
                }
            }
        }
        let mut out = std::mem::take(&mut self.buffer);
        while let Some(datagrams) = self.ends[end].utp.transmit(&mut out, now) {
            assert_eq!(datagrams.to, self.ends[1 - end].addr);
            for bytes in out.chunks(datagrams.each) {
                assert_taken_by_libutp(bytes);
                let bytes = &*match self.names.filter(|_| end == 1) {
                    Some(names) => naming(bytes, names),
                    None => bytes.to_vec(),
                };
                self.sent[end].0 += bytes.len() as u64;
                self.sent[end].1 += 1;
                let cut = datagrams.fragments == Fragments::Allowed;
                let size = if cut {
                    bytes.len().min(500)
                } else {
                    bytes.len()
                };
                self.post(end, size, Parcel::Utp(1 - end, bytes.to_vec()));
            }
        }
        self.buffer = out;
    }
}

/// A packet that names no more of those after a gap than so many bytes of bits hold.
fn naming(bytes: &[u8], names: usize) -> Vec<u8> {
    let (packet, body) = Packet::read(bytes).unwrap();
    let extensions = Extensions {
        sack: &body.sack[..names.min(body.sack.len())],
        reason: body.reason,
        padding: 0,
    };
    let mut out = Vec::new();
    packet.encode_with(extensions, &mut out);
    out.extend(body.content);
    out
}

/// The byte at this place of each stream.
fn byte_at(place: u64) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}

impl End {
    /// Reads what there is: its bytes count up.
    pub fn read_all(&mut self, owner: usize, now: Time) {
        let mut buffer = [0; 16_384];
        let Some(&key) = self.keys.get(&owner) else {
            return;
        };
        loop {
            match self.utp.read(key, &mut buffer, now) {
                Read::Bytes(n, _) => {
                    let read = self.read.entry(owner).or_default();
                    for &byte in &buffer[..n] {
                        assert_eq!(byte, byte_at(*read));
                        *read += 1;
                    }
                }
                Read::Nothing => return,
                Read::End => {
                    self.ended.push(owner);
                    self.close(owner, now);
                    return;
                }
            }
        }
    }

    /// Writes what is to be written, as much as is taken; at its end it closes the connection.
    pub fn write(&mut self, owner: usize, now: Time) {
        let (Some(&key), Some(&left)) = (self.keys.get(&owner), self.unwritten.get(&owner)) else {
            return;
        };
        let mut left = left;
        let written = self.written.entry(owner).or_default();
        while left > 0 {
            let len = left.min(20_000);
            let bytes: Vec<u8> = (*written..*written + len).map(byte_at).collect();
            let taken = self.utp.write(key, &bytes, now) as u64;
            *written += taken;
            left -= taken;
            if taken < len {
                break;
            }
        }
        self.unwritten.insert(owner, left);
        if left == 0 {
            self.close(owner, now);
        }
    }

    pub fn close(&mut self, owner: usize, now: Time) {
        if let Some(key) = self.keys.remove(&owner) {
            self.utp.close(key, Reason::None, now);
        }
    }
}
