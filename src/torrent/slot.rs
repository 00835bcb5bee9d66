//! A connection and what is kept beside it. A slot's key is also its socket's.

use std::net::SocketAddr;

use super::exchanged::Exchanged;
use super::punches::Punches;
use super::way::{Transport, Way};
use crate::base::reach::canonical;
use crate::base::{Block, Geometry, PeerId, Rng, Time, TorrentKey, limits, sooner, web_seed_addr};
use crate::mse::Shield;
use crate::peer::{EndReason, Greeting, Peer, Phase, Segment};
use crate::webseed::Pull;

/// One connection.
#[derive(Debug)]
pub struct Slot {
    /// The torrent that we dialed for, or that the peer's handshake named. `None`: the peer dialed
    /// us and has not said which torrent it wants. Then no torrent knows of the connection.
    pub torrent: Option<TorrentKey>,
    /// Its protocol machine.
    pub machine: Machine,
    /// What its bytes go through first, if they are or were encrypted.
    pub shield: Option<Box<Shield>>,
    /// How its bytes travel.
    pub way: Way,
    /// Addresses among the candidates at which its peer listens, as far as that is known. They are
    /// not dialed while it is connected.
    pub listens_at: Vec<SocketAddr>,
    /// It is on the list of those to write to.
    pub unflushed: bool,
    /// When a reminder to look at it comes up.
    pub armed: Option<Time>,
}

/// The protocol machine of a connection.
#[derive(Debug)]
pub enum Machine {
    /// Before both handshakes are done.
    Greeting(Greeting),
    /// After that: it is a peer of a torrent.
    Peer(Box<Member>),
    /// A web seed of a torrent.
    Web(Box<Pull>),
}

impl Slot {
    /// A slot for a connection that we dial for this torrent, or that a peer began.
    pub fn new(greeting: Greeting, torrent: Option<TorrentKey>) -> Slot {
        let listens_at = if greeting.is_outbound() {
            vec![greeting.addr()]
        } else {
            Vec::new()
        };
        Slot {
            torrent,
            machine: Machine::Greeting(greeting),
            shield: None,
            way: Way::default(),
            listens_at,
            unflushed: false,
            armed: None,
        }
    }

    /// A slot for a connection to a web seed of this torrent.
    pub fn of_web_seed(pull: Pull, torrent: TorrentKey) -> Slot {
        Slot {
            torrent: Some(torrent),
            machine: Machine::Web(Box::new(pull)),
            shield: None,
            way: Way::default(),
            listens_at: Vec::new(),
            unflushed: false,
            armed: None,
        }
    }

    /// The machine of a connection to a web seed.
    pub fn web(&self) -> Option<&Pull> {
        match &self.machine {
            Machine::Web(pull) => Some(pull),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn web_mut(&mut self) -> Option<&mut Pull> {
        match &mut self.machine {
            Machine::Web(pull) => Some(pull),
            _ => None,
        }
    }

    /// What sends blocks over it: its torrent, and the address by which blocks are judged.
    pub fn sender(&self) -> Option<(TorrentKey, SocketAddr)> {
        let addr = match &self.machine {
            Machine::Greeting(_) => return None,
            Machine::Peer(member) => member.peer.addr(),
            Machine::Web(pull) => web_seed_addr(pull.site),
        };
        Some((self.torrent?, addr))
    }

    /// A block that was asked of it has come from elsewhere.
    pub fn cancel(&mut self, block: Block) {
        match &mut self.machine {
            Machine::Greeting(_) => {}
            Machine::Peer(member) => member.peer.cancel(block),
            Machine::Web(pull) => pull.wanted.cancel(block),
        }
    }

    /// The peer of a torrent that it is, once both handshakes are done.
    pub fn member(&self) -> Option<&Member> {
        match &self.machine {
            Machine::Peer(member) => Some(member),
            Machine::Greeting(_) | Machine::Web(_) => None,
        }
    }

    /// The same, to change it.
    pub fn member_mut(&mut self) -> Option<&mut Member> {
        match &mut self.machine {
            Machine::Peer(member) => Some(member),
            Machine::Greeting(_) | Machine::Web(_) => None,
        }
    }

    /// The peer of a torrent that it is, once both handshakes are done, and that torrent.
    pub fn peer_of(&self) -> Option<(TorrentKey, &Member)> {
        Some((self.torrent?, self.member()?))
    }

    /// The same, to change it.
    pub fn peer_of_mut(&mut self) -> Option<(TorrentKey, &mut Member)> {
        Some((self.torrent?, self.member_mut()?))
    }

    /// The machine before both handshakes are done.
    pub fn greeting(&self) -> Option<&Greeting> {
        match &self.machine {
            Machine::Greeting(greeting) => Some(greeting),
            Machine::Peer(_) | Machine::Web(_) => None,
        }
    }

    /// Where the other end is.
    pub fn addr(&self) -> SocketAddr {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.addr(),
            Machine::Peer(member) => member.peer.addr(),
            Machine::Web(pull) => pull.addr(),
        }
    }

    /// Whether we dialed it.
    pub fn is_outbound(&self) -> bool {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.is_outbound(),
            Machine::Peer(member) => member.peer.is_outbound(),
            Machine::Web(_) => true,
        }
    }

    /// When the network connection came up; before that, when we began to dial.
    pub fn since(&self) -> Time {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.since(),
            Machine::Peer(member) => member.peer.since(),
            Machine::Web(pull) => pull.since(),
        }
    }

    /// Whether it is over.
    pub fn is_closing(&self) -> bool {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.is_closing(),
            Machine::Peer(member) => member.peer.is_closing(),
            Machine::Web(pull) => pull.is_closing(),
        }
    }

    /// Whether the network has not answered our dial.
    pub fn is_dialing(&self) -> bool {
        self.greeting().is_some_and(Greeting::is_dialing)
            || self.web().is_some_and(Pull::is_dialing)
    }

    /// When its peer is to be called over uTP, or the call to be given up.
    pub fn call_deadline(&self) -> Option<Time> {
        sooner(self.way.call_at, self.way.until).filter(|_| self.is_dialing())
    }

    /// When a slot whose handshakes are not done is to be looked at.
    pub fn greeting_deadline(&self) -> Option<Time> {
        let greeting = self.greeting().and_then(Greeting::next_deadline);
        sooner(greeting, self.call_deadline())
    }

    /// Whether the network connection is up and the peer has sent nothing but its handshake.
    pub fn is_silent(&self) -> bool {
        match &self.machine {
            Machine::Greeting(greeting) => *greeting.phase() == Phase::Greeting,
            Machine::Peer(member) => *member.peer.phase() == Phase::Opening,
            Machine::Web(_) => false,
        }
    }

    /// The shield, until both ends have agreed: the machine neither hears nor says anything yet.
    pub fn handshaking(&self) -> Option<&Shield> {
        self.shield.as_deref().filter(|it| it.is_shaking_hands())
    }

    /// What is to be sent as it is, before anything that the machine says.
    pub fn unsealed(&self) -> &[u8] {
        self.shield.as_deref().map_or(&[], Shield::out)
    }

    /// Our dial was answered.
    pub fn handle_connected(&mut self, rng: &mut Rng, now: Time) {
        match &mut self.machine {
            Machine::Greeting(greeting) => greeting.handle_connected(now),
            Machine::Web(pull) => pull.handle_connected(now),
            Machine::Peer(_) => {}
        }
        if let Some(shield) = &mut self.shield {
            shield.begin(rng);
        }
    }

    /// Bytes that are read and not parsed yet: see [`Peer::unparsed`].
    pub fn unparsed(&self) -> &[u8] {
        if let Some(shield) = self.handshaking() {
            return shield.kept();
        }
        match &self.machine {
            Machine::Greeting(greeting) => greeting.unparsed(),
            Machine::Peer(member) => member.peer.unparsed(),
            Machine::Web(pull) => pull.unparsed(),
        }
    }

    /// Whether there is anything to send.
    pub fn wants_to_send(&self) -> bool {
        if !self.unsealed().is_empty() || self.handshaking().is_some() {
            return !self.unsealed().is_empty();
        }
        match &self.machine {
            Machine::Greeting(greeting) => !greeting.transmit().is_empty(),
            Machine::Peer(member) => member.peer.wants_to_send(true),
            Machine::Web(pull) => !pull.transmit().is_empty(),
        }
    }

    /// What to send, in order: see [`Peer::transmit`].
    pub fn transmit(&self) -> impl Iterator<Item = Segment<'_>> {
        let agreed = self.handshaking().is_none();
        let handshake = self.greeting().filter(|_| agreed).map(Greeting::transmit);
        let request = self.web().map_or(&[][..], Pull::transmit);
        let bytes = [self.unsealed(), handshake.unwrap_or_default(), request];
        let bytes = bytes.into_iter().filter(|bytes| !bytes.is_empty());
        let messages = self.member().map(|member| member.peer.transmit());
        let messages = messages.into_iter().flatten();
        bytes.map(Segment::Bytes).chain(messages)
    }

    /// How many bytes of that come up to the end of our handshake, if messages follow it.
    pub fn unsaid_greeting(&self) -> usize {
        let handshake = self.member().map(|member| member.peer.unsaid_handshake());
        let handshake = handshake.filter(|&bytes| bytes > 0);
        handshake.map_or(0, |bytes| self.unsealed().len() + bytes)
    }

    /// When to call [`Slot::handle_timeout`].
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        match &self.machine {
            Machine::Greeting(greeting) => greeting.next_deadline(),
            Machine::Peer(member) => member.peer.next_deadline(now),
            Machine::Web(pull) => pull.next_deadline(),
        }
    }

    /// Deadlines that have passed.
    ///
    /// # Errors
    /// The connection is to end.
    pub fn handle_timeout(&mut self, now: Time) -> Result<(), EndReason> {
        match &mut self.machine {
            Machine::Greeting(greeting) => greeting.handle_timeout(now),
            Machine::Peer(member) => member.peer.handle_timeout(now),
            Machine::Web(_) => Ok(()),
        }
    }
}

/// A peer of a torrent, and what is kept beside its machine.
#[derive(Debug)]
pub struct Member {
    /// The protocol machine.
    pub peer: Peer,
    /// Its name.
    pub remote: PeerId,
    /// What carries its bytes.
    pub transport: Transport,
    /// How many of its pieces we need, or needed when pieces were last announced: we are interested
    /// while there are any.
    pub useful: u32,
    /// It could take more requests than there was to ask.
    pub wants_more: bool,
    /// Whether it may be asked for more blocks than when it was asked last.
    pub askable: bool,
    /// Bytes of content that the disk was told to read ahead for it.
    pub read_ahead: u64,
    /// When it was unchoked, or asked for something after that.
    pub offered: Time,
    /// When it was choked last, or else connected.
    pub waits_since: Time,
    /// When it was choked after it had not used its upload slot.
    pub wasted: Option<Time>,
    /// It is on the list of those to plan for.
    pub touched: bool,
    /// It was told what we have.
    pub introduced: bool,
    /// The connection began with an encrypted handshake.
    pub encrypted: bool,
    /// What it was told of other peers, and what it may tell.
    pub exchanged: Exchanged,
    /// What it was asked and told about hole punching.
    pub punches: Punches,
    /// What it counts as in its torrent's census.
    pub counted: Counted,
}

impl Member {
    /// A peer that has just greeted us.
    pub fn new(peer: Peer, remote: PeerId) -> Member {
        Member {
            peer,
            remote,
            transport: Transport::Tcp,
            useful: 0,
            wants_more: false,
            askable: false,
            read_ahead: 0,
            offered: Time::default(),
            waits_since: Time::default(),
            wasted: None,
            touched: false,
            introduced: false,
            encrypted: false,
            exchanged: Exchanged::default(),
            punches: Punches::default(),
            counted: Counted::default(),
        }
    }

    /// Where it can be dialed: where we dialed it, or at the port that it named (BEP 10).
    pub fn dialable_at(&self) -> Option<SocketAddr> {
        let addr = self.peer.addr();
        let named = || self.peer.extensions()?.theirs().port;
        let port = if self.peer.is_outbound() {
            Some(addr.port())
        } else {
            named()
        };
        let mut at = canonical(addr);
        at.set_port(port?);
        Some(at)
    }

    /// What the disk is to read ahead for this block, which it asked for. A stretch of the piece is
    /// read ahead at a time, since peers ask for what follows, too: so most requests need no call.
    pub fn next_read_ahead(&mut self, block: Block, geometry: Geometry) -> Option<Block> {
        let stretch = limits::READ_AHEAD_AT_ONCE as u32;
        let most = self.peer.up().total() + limits::READ_AHEAD;
        if block.begin % stretch != 0 || self.read_ahead > most {
            return None;
        }
        let left = geometry.piece_size(block.piece) - block.begin;
        let len = left.min(stretch);
        self.read_ahead += u64::from(len);
        Some(Block { len, ..block })
    }

    /// Whether it may ask, says that it wants something, and for [`limits::UNUSED`] neither asked
    /// nor got anything.
    pub fn is_unused(&self, now: Time) -> bool {
        let choke = self.peer.choke_state();
        let may_ask = self.peer.is_open() && choke.peer_interested && !choke.am_choking;
        let served = self.peer.uploads_waiting() > 0 || self.peer.up().rate(now) > 0;
        may_ask && !served && now.since(self.offered) >= limits::UNUSED
    }

    /// Whether that is so, or was so when it might ask last. It is forgotten after
    /// [`limits::BARREN`], so that it is tried again.
    pub fn is_idle_unchoked(&self, now: Time) -> bool {
        let lately = |at| now.since(at) < limits::BARREN;
        self.wasted.is_some_and(lately) || self.is_unused(now)
    }
}

/// What one connection counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// Both ends have sent their handshakes.
    pub open: bool,
    /// It owes us blocks.
    pub active: bool,
    /// It wants something of us.
    pub interested: bool,
    /// It wants something of us and may ask for it.
    pub served: bool,
}

impl Counted {
    /// What a connection with this machine counts as.
    pub fn of(peer: &Peer) -> Counted {
        let (open, choke) = (peer.is_open(), peer.choke_state());
        let interested = open && choke.peer_interested;
        Counted {
            open,
            active: open && peer.in_flight() > 0,
            interested,
            served: interested && !choke.am_choking,
        }
    }
}

/// A connection that ended otherwise than by a decision about its peer.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The other end.
    pub addr: SocketAddr,
    /// Its name, if it greeted us.
    pub remote: Option<PeerId>,
    /// Whether we dialed it.
    pub outbound: bool,
    /// When it ended.
    pub at: Time,
}
