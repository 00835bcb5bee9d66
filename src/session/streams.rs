//! Connections over uTP: peers that call, our calls, and which connections have something to read
//! or room to write. `io` takes from [`next`] what concerns its links, and sends what
//! [`Utp::transmit`](crate::utp::Utp::transmit) says.

use super::punching;
use super::session::Session;
use crate::base::{Duration, PeerKey, Time, TorrentKey, limits};
use crate::peer::EndReason;
use crate::torrent::candidates::Tcp;
use crate::torrent::{Effect, Slot, Transport};
use crate::utp::{Event, Gone, Key, Reason};
use crate::wire::extended::exchange::UTP;

/// What `io` has to know of a connection over uTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// It is up: reads and writes under this key go there.
    Up(PeerKey, Key),
    /// There is something to read.
    Readable(PeerKey),
    /// It takes more.
    Writable(PeerKey),
}

/// What happened next to a connection over uTP.
pub fn next(session: &mut Session, now: Time) -> Option<Stream> {
    loop {
        let stream = match session.utp.as_mut()?.next_event()? {
            Event::Accepted(call, from) => match session.handle_accepted(from, now) {
                Some(key) => Some(accepted(session, key, call, now)),
                None => {
                    close(session, Some(call), Reason::Full, now);
                    None
                }
            },
            Event::Connected(key, call) => connected(session, key, call, now),
            Event::Readable(key) => Some(Stream::Readable(key)),
            Event::Writable(key) => Some(Stream::Writable(key)),
            Event::Gone(key, call, why) => {
                gone(session, (key, call), why, now);
                None
            }
        };
        if stream.is_some() {
            return stream;
        }
    }
}

fn accepted(session: &mut Session, key: PeerKey, call: Key, now: Time) -> Stream {
    let slot = &mut session.slots[key];
    slot.way.transport = Transport::Utp;
    slot.way.utp = Some(call);
    if let Some(utp) = &mut session.utp {
        utp.own(call, key, now);
    }
    Stream::Up(key, call)
}

/// Our call was answered before TCP.
fn connected(session: &mut Session, key: PeerKey, call: Key, now: Time) -> Option<Stream> {
    let slot = session.slots.get_mut(key);
    let slot = slot.filter(|slot| slot.is_dialing() && slot.way.utp == Some(call))?;
    slot.way.transport = Transport::Utp;
    let (addr, torrent) = (slot.addr(), slot.torrent);
    if let Some(torrent) = torrent.and_then(|torrent| session.torrents.get_mut(torrent)) {
        torrent.candidates.mark(addr, UTP);
    }
    session.handle_connected(key, now);
    Some(Stream::Up(key, call))
}

fn gone(session: &mut Session, (key, call): (PeerKey, Key), why: Gone, now: Time) {
    let slot = session.slots.get_mut(key);
    let Some(slot) = slot.filter(|slot| slot.way.utp == Some(call)) else {
        return;
    };
    slot.way.utp = None;
    if slot.is_dialing() {
        let (addr, torrent, punching) = (slot.addr(), slot.torrent, slot.way.punching);
        if let Some(torrent) = torrent.filter(|_| why == Gone::NoAnswer && !punching) {
            punching::ask(session, torrent, addr, now);
        }
        // TCP may still be answered.
        give_up(session, key, now);
        return;
    }
    let words = match why {
        Gone::Refused | Gone::NoAnswer | Gone::Reset => "it reset the connection",
        Gone::Silent => "it does not answer any more",
    };
    session.hang_up(key, EndReason::Network(words.into()), now);
}

/// How many bytes there are to be sent up to the end of our handshake, if messages follow it.
pub fn unsaid_greeting(session: &Session, key: PeerKey) -> usize {
    session.slots.get(key).map_or(0, Slot::unsaid_greeting)
}

/// Dials a peer over TCP, and calls it over uTP later; or over uTP alone.
pub(super) fn dial(session: &mut Session, mut slot: Slot, torrent: TorrentKey, now: Time) {
    let addr = slot.addr();
    let tcp = session.utp.is_none() || prepare_call(session, &mut slot, torrent, now);
    let key = session.add_slot(slot);
    if tcp {
        session.effects.push_back(Effect::Dial { key, addr });
    }
}

/// Says when the peer of a dial is called over uTP, and whether it is dialed over TCP.
fn prepare_call(session: &mut Session, slot: &mut Slot, torrent: TorrentKey, now: Time) -> bool {
    let (addr, candidates) = (slot.addr(), &mut session.torrents[torrent].candidates);
    slot.way.failed = match candidates.tcp(addr) {
        Tcp::Tried => None,
        Tcp::HungUp => Some(EndReason::Closed),
        Tcp::Silent => Some(EndReason::HandshakeTimeout),
    };
    let tcp = slot.way.failed.is_none();
    let wait = if !tcp {
        Duration::ZERO
    } else if candidates.flags(addr) & UTP != 0 {
        limits::UTP_AFTER_TCP_KNOWN
    } else {
        limits::UTP_AFTER_TCP
    };
    slot.way.call_at = Some(now + wait);
    tcp
}

/// Deadlines of connections over uTP that have passed.
pub(super) fn handle_timeout(session: &mut Session, now: Time) {
    if let Some(utp) = &mut session.utp {
        utp.handle_timeout(now);
    }
}

/// Calls a peer over uTP if TCP was not answered for so long, and gives a call up that is not
/// answered either.
pub(super) fn handle_call_timeout(session: &mut Session, key: PeerKey, now: Time) {
    let slot = &mut session.slots[key];
    if slot.call_deadline().is_none_or(|at| at > now) {
        return;
    }
    if slot.way.until.take_if(|at| *at <= now).is_some() {
        give_up(session, key, now);
    } else {
        slot.way.call_at = None;
        call(session, key, now);
        if session.slots[key].way.utp.is_none() {
            give_up(session, key, now);
        }
    }
}

/// A call is not answered: the dial is over if TCP has failed.
fn give_up(session: &mut Session, key: PeerKey, now: Time) {
    let slot = &mut session.slots[key];
    if let Some(reason) = slot.way.failed.take() {
        let (addr, torrent) = (slot.addr(), slot.torrent);
        if let Some(torrent) = torrent.and_then(|torrent| session.torrents.get_mut(torrent)) {
            torrent.candidates.on_unanswered(addr);
        }
        session.hang_up(key, reason, now);
    }
}

fn call(session: &mut Session, key: PeerKey, now: Time) {
    let slot = &mut session.slots[key];
    if let Some(utp) = &mut session.utp {
        slot.way.utp = utp.connect(slot.addr(), key, now);
    }
}

/// TCP was answered: a call is void.
pub(super) fn drop_call(session: &mut Session, key: PeerKey, now: Time) {
    let way = &mut session.slots[key].way;
    way.call_at = None;
    if way.transport == Transport::Tcp {
        let call = way.utp.take();
        close(session, call, Reason::None, now);
    }
}

/// Whether a dial goes on over uTP although TCP failed.
pub(super) fn goes_on(session: &mut Session, key: PeerKey, reason: &EndReason, now: Time) -> bool {
    let Some(slot) = session.slots.get_mut(key).filter(|slot| slot.is_dialing()) else {
        return false;
    };
    if slot.way.call_at.take().is_some() {
        call(session, key, now);
    }
    let slot = &mut session.slots[key];
    let goes_on = slot.way.utp.is_some();
    if goes_on {
        // A peer that refuses TCP is there: if it speaks uTP, it answers as soon.
        let trip = now.since(slot.since());
        slot.way.until = Some(now + limits::UTP_AFTER_REFUSED + trip * 2);
        slot.way.failed = Some(reason.clone());
        let deadline = slot.greeting_deadline();
        session.arm(key, deadline);
    }
    goes_on
}

/// A connection is over.
pub(super) fn hang_up(
    session: &mut Session,
    key: PeerKey,
    (reason, was_dialing): (&EndReason, bool),
    now: Time,
) {
    let slot = &mut session.slots[key];
    let (addr, torrent, call) = (slot.addr(), slot.torrent, slot.way.utp.take());
    let unanswered = was_dialing && !slot.way.punching;
    close(session, call, told(reason), now);
    if let Some(torrent) = torrent.filter(|_| unanswered) {
        punching::ask(session, torrent, addr, now);
    }
}

fn close(session: &mut Session, call: Option<Key>, reason: Reason, now: Time) {
    if let (Some(utp), Some(call)) = (&mut session.utp, call) {
        utp.close(call, reason, now);
    }
}

fn told(reason: &EndReason) -> Reason {
    match reason {
        EndReason::Duplicate => Reason::Duplicate,
        EndReason::Stopping => Reason::Leaving,
        EndReason::Poisoner => Reason::Blocked,
        EndReason::NoUse => Reason::NoUse,
        EndReason::Silent | EndReason::NotReading => Reason::Silent,
        EndReason::HandshakeTimeout => Reason::Handshake,
        EndReason::Replaced => Reason::Full,
        EndReason::NotServed | EndReason::OtherTorrent => Reason::OtherTorrent,
        EndReason::Ourselves => Reason::Ourselves,
        _ => Reason::None,
    }
}
