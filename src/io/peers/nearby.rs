//! Peers of a torrent in the local network (BEP 14). There is no question in that protocol: who
//! looks for peers announces the torrent, and those that have it dial the port that is named, or
//! have announced it themselves. So we announce, listen, and hang up on those that dial, as soon as
//! their extended handshake (BEP 10) has said where they listen.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::base::{InfoHash, Now, PeerId, limits, sooner};
use crate::io::net::{Outreach, link};
use crate::lsd::Lsd;
use crate::wire::extended::{ExtendedGreeting, HANDSHAKE};
use crate::wire::handshake::{self, Handshake};
use crate::wire::message::{self, Message};

/// Listeners at most: one a family.
const LISTENERS: usize = 2;

/// The search.
#[derive(Debug)]
pub struct Nearby {
    ours: Handshake,
    lsd: Lsd,
    listeners: link::Listeners,
    tokens: Range<usize>,
    callers: Vec<Option<Caller>>,
    found: Vec<SocketAddr>,
    until: Now,
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
        (port, bind): (Option<u16>, Option<IpAddr>),
        (registry, tokens): (&Registry, Range<usize>),
        seed: u64,
        now: Now,
    ) -> Result<Nearby, String> {
        let mut listeners = link::Listeners::open(Some(port.unwrap_or(0)), bind)?;
        for (socket, token) in listeners.sockets.iter_mut().zip(tokens.clone()) {
            registry
                .register(socket, Token(token), Interest::READABLE)
                .map_err(|error| format!("poll: {}", link::plain(&error)))?;
        }
        let mut lsd = Lsd::new(listeners.port, seed);
        lsd.want(info_hash, now);
        Ok(Nearby {
            ours: Handshake::ours(info_hash, ours),
            lsd,
            listeners,
            tokens,
            callers: Vec::new(),
            found: Vec::new(),
            until: now + limits::NEARBY_WAIT,
        })
    }

    /// Announces what is due.
    pub fn turn(&mut self, outreach: &mut Outreach, registry: &Registry, now: Now) {
        if let Some(search) = self.lsd.turn(now) {
            outreach.search(&search, registry);
        }
    }

    /// A datagram came to the group.
    pub fn receive(&mut self, from: SocketAddr, bytes: &[u8], now: Now) {
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
    pub fn is_over(&self, now: Now) -> bool {
        self.until <= now
    }

    /// When [`Nearby::turn`] has something to do, or it is over.
    pub fn next_deadline(&self) -> Option<Now> {
        sooner(self.lsd.next_deadline(), Some(self.until))
    }

    fn accept(&mut self, listener: usize, registry: &Registry) {
        // Those that come when all slots are taken are hung up on.
        while let Some((mut stream, from)) = self.next_caller(listener) {
            let free = self.callers.iter().position(Option::is_none);
            let slot = free.unwrap_or(self.callers.len());
            if slot >= limits::NEARBY_CALLERS {
                continue;
            }
            let token = Token(self.tokens.start + LISTENERS + slot);
            let known = registry.register(&mut stream, token, Interest::READABLE);
            if known.is_err() {
                continue;
            }
            let caller = Caller {
                stream,
                from,
                input: Vec::new(),
                greeted: false,
            };
            if slot == self.callers.len() {
                self.callers.push(Some(caller));
            } else {
                self.callers[slot] = Some(caller);
            }
            // What it has sent before is not told of.
            self.hear(slot);
        }
    }

    fn next_caller(&self, listener: usize) -> Option<(TcpStream, SocketAddr)> {
        self.listeners.sockets.get(listener)?.accept().ok()
    }

    fn hear(&mut self, slot: usize) {
        let Some(caller) = self.callers.get_mut(slot).and_then(Option::as_mut) else {
            return;
        };
        match caller.read(&self.ours) {
            Step::Wait => return,
            Step::Over => {}
            Step::Listens(port) => self.found.push(SocketAddr::new(caller.from.ip(), port)),
        }
        // It is closed by being dropped.
        self.callers[slot] = None;
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
