//! A connection that is not open yet: the network has not answered our dial, or the peer's
//! handshake has not come. The end that dialed speaks first (BEP 3), and its handshake names the
//! torrent: so a connection that a peer began belongs to no torrent before that.
//!
//! Feed it what was read through [`Greeting::next_handshake`]. The session looks up the torrent
//! that the peer's handshake names, answers with [`Greeting::answer`] and makes a peer of it by
//! `Peer::opened`: what follows the handshake in the same read is for the peer.

use std::net::SocketAddr;

use super::end_reason::EndReason;
use super::input::Input;
use super::local::Local;
use super::phase::{Capabilities, Phase, Step, step};
use crate::base::{Duration, Time, limits};
use crate::wire::message::Kind;
use crate::wire::{Foreign, Handshake, handshake};

/// One connection before both handshakes are done.
#[derive(Debug)]
pub struct Greeting {
    pub(super) addr: SocketAddr,
    pub(super) outbound: bool,
    /// Dialing, then Greeting, and Opening once the handshakes are done.
    phase: Phase,
    pub(super) caps: Capabilities,
    /// What it speaks instead of BitTorrent.
    foreign: Option<Foreign>,
    /// The peer is this very client: what it sends is ignored from now on.
    ignored: bool,
    /// The start of the peer's handshake; or all that has come, while the torrent sleeps.
    cut: Vec<u8>,
    /// The torrent that the handshake names sleeps.
    waits: bool,
    /// The peer has sent something, of an encrypted handshake perhaps.
    heard: bool,
    /// What came is wrong: the connection is to end.
    refused: Option<EndReason>,
    /// What is to be sent of our handshake.
    pub(super) out: Vec<u8>,
    /// When the network connection came up; before that, when we began to dial.
    pub(super) since: Time,
    /// When something was sent last.
    pub(super) said: Time,
    /// How long the network may take to answer our dial.
    patience: Duration,
    /// How long the peer may take to send anything at all.
    silence: Duration,
}

impl Greeting {
    /// A connection that we begin, for the torrent of `local`.
    pub fn dial(local: &Local, addr: SocketAddr, now: Time) -> Greeting {
        Greeting::dial_for(limits::CONNECT_TIME, local, addr, now)
    }

    /// The same; the network is to answer the dial within this time.
    pub fn dial_for(patience: Duration, local: &Local, addr: SocketAddr, now: Time) -> Greeting {
        let mut greeting = Greeting::new(addr, Phase::Dialing, now);
        greeting.patience = patience;
        greeting.outbound = true;
        local.handshake().encode(&mut greeting.out);
        greeting
    }

    /// A connection that a peer began: its handshake will say for which torrent.
    pub fn accept(addr: SocketAddr, now: Time) -> Greeting {
        Greeting::new(addr, Phase::Greeting, now)
    }

    fn new(addr: SocketAddr, phase: Phase, now: Time) -> Greeting {
        Greeting {
            addr,
            outbound: false,
            phase,
            caps: Capabilities::default(),
            foreign: None,
            ignored: false,
            cut: Vec::new(),
            waits: false,
            heard: false,
            refused: None,
            out: Vec::new(),
            since: now,
            said: now,
            patience: limits::CONNECT_TIME,
            silence: limits::HANDSHAKE_TIME,
        }
    }

    // Getters.

    /// Where the peer is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether we dialed it.
    pub fn is_outbound(&self) -> bool {
        self.outbound
    }

    /// How far the connection is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether the network has not answered our dial.
    pub fn is_dialing(&self) -> bool {
        self.phase == Phase::Dialing
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing(_))
    }

    /// What the peer speaks instead of BitTorrent, as far as the bytes tell that had come by then.
    pub fn foreign(&self) -> Option<Foreign> {
        self.foreign
    }

    /// Whether the peer turned out to be this very client, which dialed itself.
    pub fn is_ourselves(&self) -> bool {
        self.ignored
    }

    /// Whether the peer has sent anything.
    pub fn was_heard(&self) -> bool {
        self.heard
    }

    /// When the network connection came up; before that, when we began to dial.
    pub fn since(&self) -> Time {
        self.since
    }

    /// The start of a handshake that the last read cut in two, or what was put back. It belongs in
    /// front of what is read next.
    pub fn unparsed(&self) -> &[u8] {
        &self.cut
    }

    /// How many bytes of [`Greeting::unparsed`] were put back: the peer waits until the torrent
    /// that its handshake names is awake. 0: it does not wait.
    pub fn put_back_len(&self) -> usize {
        if self.waits { self.cut.len() } else { 0 }
    }

    /// What is to be sent: nothing before the network connection is up.
    pub fn transmit(&self) -> &[u8] {
        if self.is_dialing() { &[] } else { &self.out }
    }

    /// When to call [`Greeting::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Dialing => Some(self.since.later(self.patience)),
            Phase::Greeting if self.heard => Some(self.since.later(limits::HANDSHAKE_TIME)),
            Phase::Greeting => Some(self.since.later(self.silence)),
            Phase::Opening | Phase::Open | Phase::Closing(_) => None,
        }
    }

    // What happens.

    /// The peer is to send something within this time: else it is dialed in another form.
    pub fn expect_within(&mut self, silence: Duration) {
        self.silence = silence;
    }

    /// The peer has sent something.
    pub fn hear(&mut self) {
        self.heard = true;
    }

    /// It seems to speak this protocol, and it is not known yet whether that is so.
    pub fn suspect(&mut self, foreign: Foreign) {
        self.foreign = Some(foreign);
    }

    /// The peer has begun an encrypted handshake: what it has sent belongs to that.
    pub fn yield_unparsed(&mut self) {
        self.cut = Vec::new();
    }

    /// What came is no handshake: [`Greeting::next_handshake`] says so next.
    pub fn refuse(&mut self, reason: EndReason) {
        self.refused = Some(reason);
    }

    /// Our handshake is on its way as a part of the encrypted one.
    pub fn said_handshake(&mut self) {
        self.out = Vec::new();
    }

    /// The network connection is up.
    pub fn handle_connected(&mut self, now: Time) {
        if self.is_dialing() {
            self.phase = Phase::Greeting;
            self.since = now;
        }
    }

    /// Deadlines that have passed: an error ends the connection.
    ///
    /// # Errors
    /// The network or the peer took too long.
    pub fn handle_timeout(&mut self, now: Time) -> Result<(), EndReason> {
        if self.next_deadline().is_none_or(|at| now < at) {
            Ok(())
        } else if self.is_dialing() {
            Err(EndReason::ConnectTimeout)
        } else {
            Err(EndReason::HandshakeTimeout)
        }
    }

    /// Takes the peer's handshake off the input. `None`: it is not whole; its start is kept.
    ///
    /// # Errors
    /// What came is no BitTorrent handshake: known by the first byte that is wrong.
    pub fn next_handshake(
        &mut self,
        input: &mut Input<'_>,
    ) -> Result<Option<Handshake>, EndReason> {
        if self.ignored || self.is_closing() {
            input.take(input.rest().len());
            return Ok(None);
        }
        if let Some(reason) = self.refused.take() {
            return Err(reason);
        }
        if let Step::Refuse(reason) = step(&self.phase, Kind::Handshake, self.caps) {
            return Err(reason);
        }
        let theirs = Handshake::parse(input.rest()).map_err(|_| {
            self.foreign = Some(Foreign::of(input.rest()));
            EndReason::NotBitTorrent
        })?;
        (self.cut, self.waits) = (Vec::new(), false);
        if theirs.is_some() {
            input.take(handshake::LEN);
        } else {
            let rest = input.take(input.rest().len()).unwrap_or_default();
            self.cut.extend_from_slice(rest);
        }
        Ok(theirs)
    }

    /// The torrent that the handshake names sleeps. Keeps what has come, from the handshake on: it
    /// is to be handed in again.
    pub fn put_back(&mut self, came: &[u8]) {
        (self.cut, self.waits) = (came.to_vec(), true);
    }

    /// Answers the peer's handshake for the torrent of `local`. True: both handshakes are done.
    /// False: the peer is this very client. Then the end that dialed hangs up and forgets the
    /// address that it dialed; the other end lets our handshake reach it and ignores the rest.
    ///
    /// # Errors
    /// The handshake names another torrent; or we dialed ourselves.
    pub fn answer(&mut self, theirs: &Handshake, local: &Local) -> Result<bool, EndReason> {
        if theirs.info_hash != local.info_hash {
            return Err(EndReason::OtherTorrent);
        }
        if !self.outbound {
            local.handshake().encode(&mut self.out);
        }
        if theirs.peer_id == local.peer_id {
            self.ignored = true;
            return if self.outbound {
                Err(EndReason::Ourselves)
            } else {
                Ok(false)
            };
        }
        self.caps = Capabilities {
            fast: theirs.fast(),
            extended: theirs.extended(),
            dht: local.dht && theirs.dht(),
        };
        if let Step::Enter(phase) = step(&self.phase, Kind::Handshake, self.caps) {
            self.phase = phase;
        }
        Ok(true)
    }

    /// Notes how many bytes of [`Greeting::transmit`] were sent.
    pub fn transmitted(&mut self, bytes: usize, now: Time) {
        if bytes > 0 {
            self.said = now;
            self.out.drain(..bytes.min(self.out.len()));
        }
    }

    /// Ends the connection.
    pub fn close(&mut self, reason: EndReason) {
        if !self.is_closing() {
            self.phase = Phase::Closing(reason);
        }
        (self.out, self.cut) = (Vec::new(), Vec::new());
    }
}

#[cfg(test)]
mod tests;
