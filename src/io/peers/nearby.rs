//! Peers of a torrent in the local network (BEP 14). There is no question in that protocol: who
//! looks for peers announces the torrent, and those that have it dial the port that is named, or
//! have announced it themselves. So we announce, listen, and hang up on those that dial, as soon as
//! their extended handshake (BEP 10) has said where they listen.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::ops::Range;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;

use crate::base::reach::canonical;
use crate::base::{InfoHash, PeerId, Time, limits, sooner};
use crate::io::net::{Bind, Outreach, tcp};
use crate::lsd::Lsd;
use crate::wire::extended::HANDSHAKE;
use crate::wire::{ExtendedGreeting, Handshake, Message, handshake, message};

/// Listeners at most: one a family.
const LISTENERS: usize = 2;

/// The search.
#[derive(Debug)]
pub struct Nearby {
    ours: Handshake,
    lsd: Lsd,
    listeners: tcp::Listeners,
    tokens: Range<usize>,
    callers: Slab<Caller>,
    found: Vec<SocketAddr>,
    until: Time,
}

/// Bytes read at a time.
const READ: usize = 4 * limits::KIB;

/// One that has dialed us.
#[derive(Debug)]
struct Caller {
    stream: TcpStream,
    from: SocketAddr,
    input: Vec<u8>,
    greeted: bool,
}

/// What becomes of a caller.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It may say more.
    Wait,
    /// It has another torrent, breaks the rules, or is gone.
    Over,
    /// It listens at this port.
    Listens(u16),
}

impl Nearby {
    /// Tokens that are needed: two listeners', and one for each caller.
    pub const TOKENS: usize = LISTENERS + limits::NEARBY_CALLERS;

    /// Listens, and is about to announce. `ours`: how we greet those that dial; `seed` decides by
    /// what we know our own datagrams; `tokens` are [`Nearby::TOKENS`] of the poll.
    ///
    /// # Errors
    /// No port can be listened on: a line for the user.
    pub fn new(
        (info_hash, ours): (InfoHash, PeerId),
        (port, bind): (Option<u16>, Option<Bind>),
        (registry, tokens): (&Registry, Range<usize>),
        seed: u64,
        now: Time,
    ) -> Result<Nearby, String> {
        let mut listeners = tcp::Listeners::open(Some(port.unwrap_or(0)), bind)?;
        for (socket, token) in listeners.sockets.iter_mut().zip(tokens.clone()) {
            registry
                .register(socket, Token(token), Interest::READABLE)
                .map_err(|error| format!("poll: {}", tcp::plain(&error)))?;
        }
        let mut lsd = Lsd::asker(listeners.port, seed);
        lsd.want(info_hash, now);
        Ok(Nearby {
            ours: Handshake::ours(info_hash, ours),
            lsd,
            listeners,
            tokens,
            callers: Slab::new(),
            found: Vec::new(),
            until: now + limits::NEARBY_WAIT,
        })
    }

    /// Announces what is due.
    pub fn turn(&mut self, outreach: &mut Outreach, registry: &Registry, now: Time) {
        if let Some(search) = self.lsd.turn(now) {
            outreach.search(&search, registry);
        }
    }

    /// A datagram came to the group.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Time) {
        let heard = self.lsd.receive(from, bytes, now);
        self.found.extend(heard.map(|(addr, _)| addr));
    }

    /// A socket is ready, perhaps one of these.
    pub fn on_event(&mut self, event: &Event, registry: &Registry) {
        let Token(token) = event.token();
        let place = token.checked_sub(self.tokens.start);
        let Some(place) = place.filter(|place| *place < Nearby::TOKENS) else {
            return;
        };
        match place.checked_sub(LISTENERS) {
            None => self.accept(place, registry),
            Some(slot) => self.hear(slot),
        }
    }

    /// The next peer that was found.
    pub fn next_found(&mut self) -> Option<SocketAddr> {
        self.found.pop()
    }

    /// Whether no more is waited for.
    pub fn is_over(&self, now: Time) -> bool {
        self.until <= now
    }

    /// When [`Nearby::turn`] has something to do, or it is over.
    pub fn next_deadline(&self) -> Option<Time> {
        sooner(self.lsd.next_deadline(), Some(self.until))
    }

    fn accept(&mut self, listener: usize, registry: &Registry) {
        // Those that come when all slots are taken are hung up on.
        while let Some((mut stream, from)) = self.next_caller(listener) {
            if self.callers.len() >= limits::NEARBY_CALLERS {
                continue;
            }
            // Keys are given anew, so there are as many at most.
            let slot = self.callers.vacant_key();
            let token = Token(self.tokens.start + LISTENERS + slot);
            let known = registry.register(&mut stream, token, Interest::READABLE);
            if known.is_err() {
                continue;
            }
            self.callers.insert(Caller {
                stream,
                from,
                input: Vec::new(),
                greeted: false,
            });
            // What it has sent before is not told of.
            self.hear(slot);
        }
    }

    fn next_caller(&self, listener: usize) -> Option<(TcpStream, SocketAddr)> {
        self.listeners.sockets.get(listener)?.accept().ok()
    }

    fn hear(&mut self, slot: usize) {
        let Some(caller) = self.callers.get_mut(slot) else {
            return;
        };
        match caller.read(&self.ours) {
            Step::Wait => return,
            Step::Over => {}
            Step::Listens(port) => {
                let mut addr = canonical(caller.from);
                addr.set_port(port);
                self.found.push(addr);
            }
        }
        // It is closed by being dropped.
        self.callers.remove(slot);
    }
}

impl Caller {
    fn read(&mut self, ours: &Handshake) -> Step {
        let mut buffer = [0; READ];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Step::Over,
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Wait,
                Err(_) => return Step::Over,
            }
            match self.take(ours) {
                Step::Wait if self.input.len() <= limits::NEARBY_BYTES => {}
                Step::Wait => return Step::Over,
                step => return step,
            }
        }
    }

    /// Looks at what has come so far.
    fn take(&mut self, ours: &Handshake) -> Step {
        if !self.greeted {
            let theirs = match Handshake::parse(&self.input) {
                Ok(None) => return Step::Wait,
                Ok(Some(theirs)) => theirs,
                Err(_) => return Step::Over,
            };
            let mut answer = Vec::new();
            ours.encode(&mut answer);
            // A new connection takes so few bytes at once.
            let sent = self.stream.write_all(&answer).is_ok();
            if theirs.info_hash != ours.info_hash || !theirs.extended() || !sent {
                return Step::Over;
            }
            self.greeted = true;
            self.input.drain(..handshake::LEN);
        }
        listening(&self.input)
    }
}

/// The port that the extended handshake names, if it is among these frames.
fn listening(mut frames: &[u8]) -> Step {
    while let Some(length) = message::frame_len(frames) {
        let end = message::PREFIX + length as usize;
        if end > limits::NEARBY_BYTES {
            return Step::Over;
        }
        let Some(frame) = frames.get(message::PREFIX..end) else {
            return Step::Wait;
        };
        if let Ok(Message::Extended {
            id: HANDSHAKE,
            payload,
        }) = Message::parse(frame)
        {
            let said = ExtendedGreeting::parse(payload).ok();
            let port = said.and_then(|said| said.port);
            return port.map_or(Step::Over, Step::Listens);
        }
        frames = &frames[end..];
    }
    Step::Wait
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, TcpStream};
    use std::time::{Duration, Instant};

    use mio::{Events, Poll};

    use super::*;

    const HASH: InfoHash = InfoHash(*b"hhhhhhhhhhhhhhhhhhhh");
    const TOKENS: Range<usize> = 7..7 + Nearby::TOKENS;
    /// What nothing here takes.
    const DEADLINE: Duration = Duration::from_secs(20);

    fn open(poll: &Poll, now: Time) -> Nearby {
        let bind = Some(IpAddr::from(Ipv4Addr::LOCALHOST).into());
        let us = (HASH, PeerId(*b"-bk0100-abcdefghijkl"));
        Nearby::new(us, (None, bind), (poll.registry(), TOKENS), 1, now).unwrap()
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let id = HANDSHAKE;
        Message::Extended { id, payload }.encode(&mut out);
        out
    }

    #[test]
    fn the_port_is_in_the_extended_handshake_whatever_comes_before() {
        let said = frame(b"d1:pi7000ee");
        let mut before = Vec::new();
        Message::Bitfield(&[0; 100]).encode(&mut before);
        before.extend(&said);
        assert_eq!(listening(&before), Step::Listens(7000));
        (0..before.len()).for_each(|end| assert_eq!(listening(&before[..end]), Step::Wait));
        for none in [&b"de"[..], b"d1:pi0ee", b"d1:pi70000ee", b"nonsense"] {
            assert_eq!(listening(&frame(none)), Step::Over);
        }
        let bits = |bytes: usize| {
            let mut out = Vec::new();
            Message::Bitfield(&vec![0; bytes]).encode(&mut out);
            out
        };
        let most = limits::NEARBY_BYTES - message::PREFIX - 1;
        assert_eq!(listening(&bits(most)), Step::Wait);
        assert_eq!(listening(&bits(most + 1)[..10]), Step::Over);
    }

    #[test]
    fn callers_are_bounded_and_say_where_they_listen() {
        let mut poll = Poll::new().unwrap();
        let start = Time::default() + Duration::from_secs(3600);
        let mut nearby = open(&poll, start);
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, nearby.listeners.port));
        let callers = (0..=limits::NEARBY_CALLERS).map(|_| TcpStream::connect(addr).unwrap());
        let mut callers: Vec<TcpStream> = callers.collect();
        let mut events = Events::with_capacity(128);
        let mut turn = |nearby: &mut Nearby| {
            let patience = Some(Duration::from_millis(20));
            let _ = poll.poll(&mut events, patience);
            let registry = poll.registry();
            events.iter().for_each(|it| nearby.on_event(it, registry));
        };
        let deadline = Instant::now() + DEADLINE;
        let full = |nearby: &Nearby| nearby.callers.len() == limits::NEARBY_CALLERS;
        while !full(&nearby) && Instant::now() < deadline {
            turn(&mut nearby);
        }
        assert!(full(&nearby));
        // The one too many is hung up on.
        let mut last = callers.pop().unwrap();
        last.set_read_timeout(Some(DEADLINE)).unwrap();
        assert_eq!(last.read(&mut [0; 1]).unwrap(), 0);
        // One speaks of another torrent, one of ours.
        for (caller, hash) in callers.iter_mut().zip([InfoHash([0; 20]), HASH]) {
            let mut said = Vec::new();
            Handshake::ours(hash, PeerId([b'x'; 20])).encode(&mut said);
            said.extend(frame(b"d1:pi7000ee"));
            caller.write_all(&said).unwrap();
        }
        let mut found = None;
        while found.is_none() && Instant::now() < deadline {
            turn(&mut nearby);
            found = nearby.next_found();
        }
        assert_eq!(found, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7000))));
        assert_eq!(nearby.next_found(), None);
        let early = start + (limits::NEARBY_WAIT - Duration::from_micros(1));
        assert!(!nearby.is_over(early) && nearby.is_over(start + limits::NEARBY_WAIT));
    }
}
