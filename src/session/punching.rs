//! Hole punching (BEP 55) in its three parts. We are the one who asks: a peer has named an address
//! that does not answer, so it is asked to have both of us call each other. We are the one who is
//! asked, and tell two peers of one torrent to call each other. And we are told to call an address,
//! which we do at once over uTP alone: our first packet opens the way through our router, and the
//! second one, a second later, finds the other's router open.
//!
//! Nobody is told of an address that it would not be told of by peer exchange, and nobody calls an
//! address that it would not take from peer exchange. In a private torrent (BEP 27) only hosts that
//! its trackers or its user have named are called.

use std::net::SocketAddr;

use super::session::Session;
use crate::base::reach::{canonical, is_link_local, may_name};
use crate::base::{PeerKey, Reach, Time, TorrentKey, limits};
use crate::peer::EndReason;
use crate::torrent::{Member, Namer, Slot, Source, Transport, Twins, lent};
use crate::wire::extended::punch::{NO_SELF, NO_SUCH_PEER, NO_SUPPORT, NOT_CONNECTED};
use crate::wire::{Extension, HolePunch};

/// A dial was not answered: the peer that named the address, if it is still connected, is asked to
/// have both of us call each other.
pub(super) fn ask(session: &mut Session, torrent: TorrentKey, addr: SocketAddr, now: Time) {
    let Some(torrent) = session.torrents.get(torrent) else {
        return;
    };
    let may_call = session.utp.is_some() && torrent.life.is_among_peers();
    let Some(key) = torrent.candidates.introducer(addr).filter(|_| may_call) else {
        return;
    };
    if !torrent.connections.contains(&key) {
        return;
    }
    let relay = session.slots.get_mut(key).and_then(Slot::member_mut);
    let relay = relay.filter(|it| it.peer.is_open() && speaks(it));
    let Some(relay) = relay else {
        return;
    };
    if relay.punches.ask(addr, now) {
        relay.peer.say_punch(HolePunch::Rendezvous(addr));
        session.touch(key);
    }
}

/// Takes what a peer said about hole punching.
pub(super) fn hear(session: &mut Session, key: PeerKey, message: HolePunch, now: Time) {
    let Some((torrent, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return;
    };
    match message {
        // Whoever knows nothing of it could not be answered.
        HolePunch::Rendezvous(to) if speaks(member) && member.punches.on_asked(now) => {
            introduce(session, (torrent, key), canonical(to), now);
        }
        HolePunch::Connect(to) if member.punches.on_told(now) => {
            call(session, (torrent, key), canonical(to), now);
        }
        _ => {}
    }
}

/// Has two peers call each other, or tells the one who asks why not. One that was told of many
/// others is left alone.
fn introduce(
    session: &mut Session,
    (torrent, key): (TorrentKey, PeerKey),
    to: SocketAddr,
    now: Time,
) {
    match find(session, torrent, key, to) {
        Ok((other, theirs, own)) => {
            let Some(told) = session.member(other) else {
                return;
            };
            if !told.punches.may_tell(now) {
                return;
            }
            told.peer.say_punch(HolePunch::Connect(own));
            session.touch(other);
            if let Some(member) = session.member(key) {
                member.peer.say_punch(HolePunch::Connect(theirs));
            }
        }
        Err(code) => {
            if let Some(member) = session.member(key) {
                member.peer.say_punch(HolePunch::Error(to, code));
            }
        }
    }
    session.touch(key);
}

/// The peer of the torrent at this address, where it is to be called, and where the one who asks
/// is.
fn find(
    session: &Session,
    torrent: TorrentKey,
    key: PeerKey,
    to: SocketAddr,
) -> Result<(PeerKey, SocketAddr, SocketAddr), u32> {
    let torrent = &session.torrents[torrent];
    let peers = || lent::greeted(&session.slots, &torrent.connections);
    let is_at =
        |member: &Member| canonical(member.peer.addr()) == to || member.dialable_at() == Some(to);
    let (_, asking) = peers().find(|(it, _)| *it == key).ok_or(NO_SUCH_PEER)?;
    if to.port() == 0 || Reach::of(to.ip()) == Reach::Nowhere {
        return Err(NO_SUCH_PEER);
    }
    if is_at(asking) || is_ours(asking, session.config.us.port, to) {
        return Err(NO_SELF);
    }
    let other = peers().find(|(_, it)| it.peer.is_open() && is_at(it));
    let (other, member) = other.ok_or(NOT_CONNECTED)?;
    if !speaks(member) {
        return Err(NO_SUPPORT);
    }
    let ends = called_at(member).zip(called_at(asking));
    let ends = ends.filter(|&(theirs, own)| {
        let may = may_name(theirs, own) && may_name(own, theirs);
        may && theirs.is_ipv4() == own.is_ipv4() && !is_link_local(theirs) && !is_link_local(own)
    });
    let (theirs, own) = ends.ok_or(NO_SUCH_PEER)?;
    Ok((other, theirs, own))
}

/// Where a peer is to be called over uTP. A router may have given it another port for datagrams
/// than the one where it listens; it is known if the peer is connected over uTP.
fn called_at(member: &Member) -> Option<SocketAddr> {
    match member.transport {
        Transport::Utp => Some(canonical(member.peer.addr())),
        Transport::Tcp => member.dialable_at(),
    }
}

fn speaks(member: &Member) -> bool {
    let said = member.peer.extensions().map(|it| it.theirs());
    said.is_some_and(|it| it.number(Extension::HolePunch).is_some())
}

/// Whether this is where this peer sees us.
fn is_ours(member: &Member, port: u16, addr: SocketAddr) -> bool {
    let seen = member.peer.extensions().and_then(|it| it.theirs().your_ip);
    seen.is_some_and(|ip| SocketAddr::new(ip.to_canonical(), port) == addr)
}

/// A peer tells us to call this address now. A dial to it that is under way ends, since uTP alone
/// leads through routers.
fn call(session: &mut Session, (key, by): (TorrentKey, PeerKey), to: SocketAddr, now: Time) {
    let (us, torrent) = (session.config.us, &mut session.torrents[key]);
    let Some(member) = session.slots.get(by).and_then(Slot::member) else {
        return;
    };
    let from = member.peer.addr();
    let strange = !may_name(from, to)
        || is_link_local(to)
        || is_ours(member, us.port, to)
        || session.bans.bars(to, Source::Exchange)
        || (torrent.order.is_private() && !torrent.candidates.knows_host(to.ip()));
    if session.utp.is_none() || !torrent.life.is_among_peers() || strange {
        return;
    }
    if let Some(there) = Twins::of(torrent, &mut session.slots).connected_at(to) {
        let slot = &mut session.slots[there];
        if !slot.is_dialing() || slot.way.punching {
            return;
        }
        slot.way.punching = true;
        let why = EndReason::OtherWay(Box::new(EndReason::ConnectTimeout));
        session.hang_up(there, why, now);
    }
    let torrent = &mut session.torrents[key];
    if !session.connections.may_dial() {
        return;
    }
    torrent
        .candidates
        .add(to, Namer::at(Source::Exchange, from), now);
    if !torrent.candidates.occupy(to) {
        return;
    }
    let mut slot = torrent.dial_at(to, limits::CONNECT_TIME, &us, now);
    slot.way.punching = true;
    slot.way.failed = Some(EndReason::ConnectTimeout);
    slot.way.call_at = Some(now);
    session.connections.on_dial(now);
    session.add_slot(slot);
    session.torrents.refile(key);
}
