//! How a connection becomes a peer of a torrent: the peer's handshake is read, the torrent that it
//! names is looked up, and of two connections to one peer one is chosen.

use slab::Slab;

use super::extending;
use super::impatient::Impatient;
use super::session::Session;
use super::torrents::Torrents;
use crate::base::{PeerKey, Time, TorrentKey, limits};
use crate::peer::{EndReason, Input, Peer, allowed_fast_set};
use crate::torrent::{Agenda, Effects, Machine, Member, Report, Slot, Stage, Torrent, Twins, Us};

/// What of the session a handshake needs.
pub(super) struct Meeting<'a> {
    pub slots: &'a mut Slab<Slot>,
    pub torrents: &'a mut Torrents,
    pub agenda: &'a mut Agenda,
    pub impatient: &'a Impatient,
    pub us: &'a Us,
    /// Whether uTP is spoken.
    pub utp: bool,
    pub effects: &'a mut Effects,
}

impl Meeting<'_> {
    /// Reads the peer's handshake, if that has not come yet. Whether both handshakes are done, so
    /// that what is left of the input are messages.
    ///
    /// # Errors
    /// The connection is to end.
    pub(super) fn greet(
        &mut self,
        key: PeerKey,
        input: &mut Input<'_>,
        now: Time,
    ) -> Result<bool, EndReason> {
        let Slot {
            torrent: owner,
            machine,
            ..
        } = &mut self.slots[key];
        let Machine::Greeting(greeting) = machine else {
            return Ok(true);
        };
        let came = input.rest();
        let Some(theirs) = greeting.next_handshake(input)? else {
            return Ok(false);
        };
        let named = match *owner {
            Some(dialed) if greeting.is_outbound() => dialed,
            _ => self.torrents.meet(&theirs.info_hash)?,
        };
        let torrent = &mut self.torrents[named];
        *owner = Some(named);
        torrent.connections.insert(key);
        if torrent.awake.is_none() {
            greeting.put_back(came);
            input.take(input.rest().len());
            torrent.wake(self.effects);
            return Ok(false);
        }
        let local = torrent.order.local(self.us);
        if !greeting.answer(&theirs, &local)? {
            return Ok(false);
        }
        let ids = (theirs.peer_id, local.peer_id);
        let mut twins = Twins::of(torrent, self.slots);
        if let Some(older) = twins.resolve(key, ids, &self.agenda.closing, now)? {
            self.agenda.closing.push((older, EndReason::Duplicate));
        }
        if let Machine::Greeting(greeting) = &mut self.slots[key].machine {
            let peer = Peer::opened(local, greeting, now);
            let mut member = Member::new(peer, theirs.peer_id);
            member.encrypted = self.slots[key].shield.is_some();
            member.transport = self.slots[key].way.transport;
            if member.peer.is_outbound() {
                let candidates = &mut self.torrents[named].candidates;
                candidates.on_form_taken(member.peer.addr());
            }
            self.introduce(named, &mut member);
            let torrent = &mut self.torrents[named];
            if torrent.order.pex {
                torrent.awake_mut().exchange.on_known(&mut member, now);
            }
            self.slots[key].machine = Machine::Peer(Box::new(member));
        }
        Ok(true)
    }

    /// Says what we have to a peer that has just greeted us.
    fn introduce(&mut self, torrent: TorrentKey, member: &mut Member) {
        let torrent = &self.torrents[torrent];
        let addr = member.peer.addr();
        if self.impatient.covers(&member.remote, addr) {
            member.peer.hurry_keep_alives();
        }
        let ours = extending::greeting(torrent, member, (self.us, self.utp));
        member.peer.extend(ours);
        match torrent.life.stage {
            Stage::Running => say_holdings(torrent, member),
            Stage::Metadata => member.peer.await_metadata(),
            _ => {}
        }
        // One port is for peers over TCP and for the DHT over UDP.
        member.peer.say_node(self.us.port);
        let report = Report::Connected {
            addr,
            client: member.remote.client(),
            encrypted: member.encrypted,
            transport: member.transport,
        };
        torrent.report(report, self.effects);
    }
}

/// Sends our pieces, and the allowed fast set: pieces that the peer may request while choked.
fn say_holdings(torrent: &Torrent, member: &mut Member) {
    let (info_hash, pieces) = (torrent.order.info_hash, torrent.order.geometry.pieces());
    let ip = member.peer.addr().ip();
    let mut allowed = allowed_fast_set(ip, info_hash, pieces, limits::ALLOWED_FAST);
    let mut have = torrent.awake().served();
    // Pieces that are not announced yet are left out: this peer gets their `have` with all other
    // peers.
    for &piece in &torrent.awake().haves.pending {
        have.clear(piece);
    }
    allowed.retain(|&piece| have.get(piece));
    member.peer.introduce(&have, allowed);
    member.introduced = true;
}

/// Sends our pieces to peers that connected before these were known. If the torrent has to wait in
/// the queue, they are disconnected.
pub(super) fn introduce_all(session: &mut Session, key: TorrentKey, now: Time) {
    let Some(torrent) = session.torrents.get(key) else {
        return;
    };
    let stage = torrent.life.stage;
    for peer in torrent.connections.clone() {
        match stage {
            Stage::Queued => session.hang_up(peer, EndReason::Stopping, now),
            Stage::Running => {
                let torrent = &session.torrents[key];
                let member = session.slots.get_mut(peer).and_then(Slot::member_mut);
                let member = member.filter(|it| it.peer.is_open() && !it.introduced);
                if let Some(member) = member {
                    say_holdings(torrent, member);
                    session.touch(peer);
                }
            }
            _ => {}
        }
    }
}
