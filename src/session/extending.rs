//! Extended handshakes (BEP 10), and the metadata of torrents (BEP 9): fetched where only the info
//! hash is known, and sent to peers that ask.

use super::early_bitfields;
use super::session::Session;
use crate::base::reach::canonical;
use crate::base::{CLIENT_NAME, Holdings, PeerKey, Time, TorrentKey, limits};
use crate::peer::{EndReason, Event};
use crate::torrent::exchanged::Exchanged;
use crate::torrent::metadata::{MetadataFetch, length};
use crate::torrent::{Effect, Member, Order, Report, Slot, Stage, Torrent, Us};
use crate::wire::{ExtendedGreeting, Extension, MetadataMessage};

/// How rtorrent's name begins. It stops to answer if it is asked for several blocks at once.
const ORDERLY: &str = "libTorrent ";

/// Our extended handshake for a peer of this torrent. A private torrent offers nothing by which
/// a peer could be found or the torrent passed on (BEP 27).
pub(super) fn greeting(
    torrent: &Torrent,
    member: &Member,
    (us, utp): (&Us, bool),
) -> ExtendedGreeting {
    let order = &torrent.order;
    let only = !order.download || torrent.life.complete_at.is_some();
    ExtendedGreeting {
        exchange: order.pex.then_some(Extension::Exchange.ours()),
        metadata: (!order.is_private()).then_some(Extension::Metadata.ours()),
        // Routers let uTP through alone.
        punch: utp.then_some(Extension::HolePunch.ours()),
        metadata_size: order.metadata_size.map(u32::from),
        port: (us.port != 0).then_some(us.port),
        encryption: us.encryption.prefers().then_some(true),
        queue: Some(limits::UPLOADS_FULL as u32),
        upload_only: only.then_some(true),
        client: Some(CLIENT_NAME.to_string()),
        your_ip: Some(member.peer.addr().ip().to_canonical()),
    }
}

/// Takes what a peer said of extensions.
pub(super) fn observe(
    session: &mut Session,
    key: PeerKey,
    event: Event<'_>,
    now: Time,
) -> Result<(), EndReason> {
    let Some((torrent, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return Ok(());
    };
    let torrent = &mut session.torrents[torrent];
    match event {
        Event::Extended => {
            if torrent.order.pex {
                torrent.awake_mut().exchange.on_known(member, now);
            }
            let host = (key, member.peer.addr().ip().to_canonical());
            let theirs = member.peer.extensions().map(|it| it.theirs());
            let speaks = theirs.filter(|it| it.number(Extension::Metadata).is_some());
            match (&mut torrent.awake_mut().fetch, speaks) {
                (Some(fetch), Some(said)) => {
                    let client = said.client.as_deref().unwrap_or_default();
                    fetch.on_peer(host, said.metadata_size, client.starts_with(ORDERLY), now);
                }
                (Some(fetch), None) => fetch.on_gone(key),
                (None, _) => {}
            }
        }
        Event::LongBitfield(bytes) => return early_bitfields::grant(session, (key, bytes), now),
        Event::Node(port) if torrent.order.dht => {
            let mut node = canonical(member.peer.addr());
            node.set_port(port);
            session.finding.add_nodes(&[node]);
        }
        Event::Exchange(message) => {
            let port = session.config.us.port;
            if torrent.order.pex && member.exchanged.hear(now) {
                torrent.add_exchanged(message, (key, member, port), &session.bans, now);
            }
        }
        Event::Metadata(MetadataMessage::Request(piece)) => {
            let size = torrent.order.metadata_size.map(u32::from);
            if size.and_then(|size| length(size, piece)).is_some() {
                member.peer.queue_metadata(piece);
            } else {
                member.peer.say_metadata(MetadataMessage::Reject(piece));
            }
        }
        Event::Metadata(MetadataMessage::Data { piece, total, data }) => {
            if let Some(fetch) = &mut torrent.awake_mut().fetch {
                fetch.on_data(key, (piece, total), data, now);
            }
        }
        Event::Metadata(MetadataMessage::Reject(piece)) => {
            if let Some(fetch) = &mut torrent.awake_mut().fetch {
                fetch.on_reject(key, piece, now);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Tells peers of others, asks peers for metadata, ends connections to peers that sent wrong
/// metadata, and passes the metadata on once they are whole.
pub(super) fn plan(session: &mut Session, key: TorrentKey, now: Time) {
    session.with_torrent(key, |torrent, lent| torrent.tell_peers(lent, now));
    share_memory(session, key, now);
    let Some(fetch) = session.torrents.get_mut(key).and_then(fetch_of) else {
        return;
    };
    let (liars, asks) = (fetch.take_liars(), fetch.plan(now));
    let whole = fetch.take_whole();
    for (peer, piece) in asks {
        if let Some(member) = session.member(peer) {
            member.peer.say_metadata(MetadataMessage::Request(piece));
            session.touch(peer);
        }
    }
    for liar in liars {
        session.hang_up(liar, EndReason::BadMetadata, now);
    }
    if let Some(info) = whole {
        let torrent = key;
        session
            .effects
            .push_back(Effect::Metadata { torrent, info });
    }
}

/// Says how much of the memory for metadata a torrent needs now, or none any more. Those whose turn
/// begins or ends by that are planned for, too.
fn share_memory(session: &mut Session, key: TorrentKey, now: Time) {
    let short = session.torrents.fetching.short();
    let fetch = session.torrents.get_mut(key).and_then(fetch_of);
    let needs = fetch.map(|fetch| fetch.needs(short));
    if needs.is_none() && session.torrents.fetching.is_idle() {
        return;
    }
    let fetching = &mut session.torrents.fetching;
    let changed = fetching.ask(key, needs.unwrap_or_default(), now);
    for other in changed.into_iter().chain([key]) {
        let room = session.torrents.fetching.room(other);
        if let Some(fetch) = session.torrents.get_mut(other).and_then(fetch_of) {
            fetch.set_room(room);
            session.stir(other);
        }
    }
}

fn fetch_of(torrent: &mut Torrent) -> Option<&mut Box<MetadataFetch>> {
    torrent.awake.as_mut()?.fetch.as_mut()
}

/// Has the next block of metadata read that a peer waits for, if its queue is short enough; under
/// an upload limit it waits for that as others do. A peer that has pieces hears that we are
/// interested before we have the metadata: it may have unchoked us by then.
pub(super) fn plan_peer(session: &mut Session, key: PeerKey, now: Time) {
    let Some((torrent, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return;
    };
    let life = &session.torrents[torrent].life;
    if life.stage == Stage::Metadata && member.peer.is_open() && member.peer.has_early() {
        member.peer.set_interested(true);
    }
    if member.peer.metadata_at().is_none_or(|at| at > now) {
        return;
    }
    if session.upload_allowance(key) == 0 {
        session.up.queue.join(torrent, key);
    } else {
        session.sending().read_metadata(key, now);
    }
}

/// A block of a torrent's metadata that [`Effect::ReadMetadata`] asked for. `None`: it cannot be
/// had.
pub fn handle_metadata(
    session: &mut Session,
    (torrent, key): (TorrentKey, PeerKey),
    piece: u32,
    data: Option<&[u8]>,
) {
    let total = session
        .torrents
        .get(torrent)
        .and_then(|it| it.order.metadata_size)
        .map(u32::from);
    let found = session.slots.get_mut(key).and_then(Slot::peer_of_mut);
    let of_torrent = found.filter(|(of, it)| *of == torrent && it.peer.is_open());
    let Some((_, member)) = of_torrent else {
        return;
    };
    let message = match data {
        Some(data) => MetadataMessage::Data { piece, total, data },
        None => MetadataMessage::Reject(piece),
    };
    member.peer.answer_metadata(piece, message);
    session.touch(key);
}

/// Tells the user that the metadata of a torrent are there: its name, bytes, pieces.
pub fn report_metadata(
    session: &mut Session,
    key: TorrentKey,
    (name, size, pieces): &(String, u64, u32),
    now: Time,
) {
    if let Some(torrent) = session.torrents.get(key) {
        let report = Report::Metadata {
            name: name.clone(),
            size: *size,
            pieces: *pieces,
            seconds: now.since(torrent.life.started).as_secs_f64(),
        };
        torrent.report(report, &mut session.effects);
    }
}

/// Whether a torrent goes on once its metadata are there: it may be paused meanwhile.
pub fn expects(session: &Session, key: TorrentKey) -> bool {
    let torrent = session.torrents.get(key);
    torrent.is_some_and(|torrent| torrent.order.is_undescribed() && !torrent.life.is_ending())
}

/// Tells a peer that was met before the metadata were there that it can have them from us now; of a
/// private torrent, that it can have neither these nor other peers (BEP 10: number 0 is off).
fn greet_again(session: &mut Session, key: PeerKey) {
    let us = (&session.config.us, session.utp.is_some());
    let Some((torrent, member)) = session.slots.get_mut(key).and_then(Slot::peer_of_mut) else {
        return;
    };
    let ours = greeting(&session.torrents[torrent], member, us);
    member.peer.extend(ExtendedGreeting {
        metadata: ours.metadata.or(Some(0)),
        exchange: ours.exchange.or(Some(0)),
        ..ours
    });
}

/// A torrent that has turned out to be private leaves the peers that the DHT, other peers and the
/// local network have found (BEP 27). One that dialed us may have found us in the same way: where
/// there are trackers, these may have told it of us, too, so it stays.
fn leave_found(session: &mut Session, key: TorrentKey, now: Time) {
    session.torrents[key].candidates.forget_found();
    let torrent = &session.torrents[key];
    let has_trackers = !torrent.trackers.is_empty();
    let is_found = |peer: &PeerKey| {
        session.slots.get(*peer).is_some_and(|slot| {
            let addr = slot.addr();
            if slot.is_outbound() {
                !torrent.candidates.knows(addr)
            } else {
                !has_trackers && !torrent.candidates.knows_host(addr.ip())
            }
        })
    };
    let found: Vec<PeerKey> = torrent
        .connections
        .iter()
        .copied()
        .filter(is_found)
        .collect();
    for peer in found {
        session.hang_up(peer, EndReason::Private, now);
    }
}

/// The metadata of a torrent are there, and its files opened: it goes on as if it had begun with
/// them. Peers that it has met stay.
pub fn learn(session: &mut Session, key: TorrentKey, order: Order, now: Time) {
    let us = session.config.us;
    if !expects(session, key) {
        return;
    }
    let about = (order.name.clone(), order.size, order.geometry.pieces());
    report_metadata(session, key, &about, now);
    if order.kept().is_private() {
        leave_found(session, key, now);
    }
    session.torrents.describe(key, order, now);
    let (local, connections) = {
        let torrent = &session.torrents[key];
        (torrent.order.local(&us), torrent.connections.clone())
    };
    for peer in connections {
        let pex = session.torrents[key].order.pex;
        let Some(member) = session.member(peer).filter(|it| it.peer.is_open()) else {
            continue;
        };
        if !pex {
            member.exchanged = Exchanged::default();
        }
        let learned = member.peer.learn(local);
        let before = Holdings::nothing(local.geometry.pieces());
        let learned = learned.and_then(|()| session.observe(peer, Event::Holdings(before), now));
        match learned {
            Ok(()) => {
                greet_again(session, peer);
                session.touch(peer);
            }
            Err(reason) => session.hang_up(peer, reason, now),
        }
    }
    session.stir(key);
}
