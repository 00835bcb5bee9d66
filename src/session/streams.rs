//! Connections over uTP: peers that call, our calls, and which connections have something to read
//! or room to write. `io` takes from [`next`] what concerns its links, and sends what
//! [`Utp::transmit`](crate::utp::Utp::transmit) says.

use super::session::Session;
use crate::base::{PeerKey, Time, TorrentKey, limits};
use crate::peer::EndReason;
use crate::torrent::{Slot, Transport};
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
        // TCP may still be answered.
        if let Some(reason) = slot.way.failed.take() {
            session.hang_up(key, reason, now);
        }
        return;
    }
    let words = match why {
        Gone::Refused | Gone::NoAnswer | Gone::Reset => "it reset the connection",
        Gone::Silent => "it does not answer any more",
    };
    session.hang_up(key, EndReason::Network(words.into()), now);
}

/// Says when the peer of a dial that is begun now, over TCP, is called over uTP as well.
pub(super) fn prepare_call(session: &Session, slot: &mut Slot, torrent: TorrentKey, now: Time) {
    let marks = session.torrents[torrent].candidates.flags(slot.addr());
    let wait = if marks & UTP != 0 {
        limits::UTP_AFTER_TCP_KNOWN
    } else {
        limits::UTP_AFTER_TCP
    };
    slot.way.call_at = session.utp.is_some().then(|| now + wait);
}

/// Deadlines of connections over uTP that have passed.
pub(super) fn handle_timeout(session: &mut Session, now: Time) {
    if let Some(utp) = &mut session.utp {
        utp.handle_timeout(now);
    }
}

/// Calls a peer over uTP if TCP was not answered for so long.
pub(super) fn call_if_due(session: &mut Session, key: PeerKey, now: Time) {
    let slot = &mut session.slots[key];
    if slot.call_at().is_some_and(|at| at <= now) {
        slot.way.call_at = None;
        call(session, key, now);
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
    let way = &mut session.slots[key].way;
    if way.utp.is_some() {
        way.failed = Some(reason.clone());
    }
    way.utp.is_some()
}

/// A connection is over.
pub(super) fn hang_up(session: &mut Session, key: PeerKey, reason: &EndReason, now: Time) {
    let call = session.slots[key].way.utp.take();
    close(session, call, told(reason), now);
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
