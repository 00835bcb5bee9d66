//! Web seeds among peers: when they are connected, what they are asked for, and what comes of what
//! they send. A connection to one has a slot as a peer has, and its blocks go the way of those of
//! peers: into the piece table, to the disk, and before the judge.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::asking::{self, pull_of};
use super::session::Session;
use crate::base::{Block, InfoHash, PeerKey, Time, TorrentKey, limits};
use crate::peer::{EndReason, Input};
use crate::pieces::stretch;
use crate::torrent::{Effect, Report, Slot, WebSeeds};
use crate::webseed::site::Step;
use crate::webseed::timing::Lapse;
use crate::webseed::{Fault, Pull};

/// Connects the web seeds of a torrent that are to be, and leaves them once they are of no use.
pub(super) fn plan(session: &mut Session, key: TorrentKey, now: Time) {
    let Some(torrent) = session.torrents.get_mut(key) else {
        return;
    };
    let wanted = torrent.wants_web_seeds();
    let Some(web) = torrent.web_mut() else {
        return;
    };
    let wrong = std::mem::take(&mut web.wrong);
    if let Some(why) = web.unusable.take().filter(|_| wanted) {
        torrent.report(Report::Warning(why), &mut session.effects);
    }
    let Some(web) = torrent.web_mut() else {
        return;
    };
    if !wanted || wrong {
        let all: Vec<PeerKey> = web.connections.iter().map(|(peer, _)| *peer).collect();
        for peer in all {
            session.hang_up(peer, EndReason::NoUse, now);
        }
    }
    if !wanted {
        return;
    }
    let torrent = &mut session.torrents[key];
    let geometry = torrent.order.geometry;
    let due = |web: &WebSeeds| web.look_at <= now || !web.connections.is_empty();
    let web = torrent.web().filter(|web| due(web));
    let left = torrent.awake().pieces.left();
    let wanting = web.map_or(Vec::new(), |web| web.wanting(geometry, left, now));
    for site in wanting {
        let web = session.torrents[key].web();
        let full = web.is_none_or(|web| {
            let second = web.connections_of(site) > 0;
            let pieces = &session.torrents[key].awake().pieces;
            let have = || web.sites[site].holdings(&web.content, geometry);
            let free = || stretch::is_anything_free(pieces, &have());
            !web.wanting(geometry, left, now).contains(&site) || second && !free()
        });
        if full || !session.connections.may_dial() {
            continue;
        }
        connect(session, key, site, now);
    }
}

/// Does what is next to reach a site.
fn connect(session: &mut Session, key: TorrentKey, site: usize, now: Time) {
    let us = session.config.us;
    let torrent = &mut session.torrents[key];
    let (geometry, info_hash) = (torrent.order.geometry, torrent.order.info_hash);
    let awake = torrent.awake_mut();
    let (pieces, Some(web)) = (&awake.pieces, awake.web.as_deref_mut()) else {
        return;
    };
    let WebSeeds { content, sites, .. } = web;
    let have = sites[site].holdings(content, geometry);
    let file = stretch::first_needed(pieces, &have, |at| {
        let part = content.part(at);
        (!part.padding).then_some(part.file)
    });
    let Some(file) = file else {
        web.look_at = now + limits::WEB_LOOK;
        return;
    };
    let step = sites[site].step((content, file), us.allow_local, now);
    match step {
        Ok(Step::Wait) => {}
        Ok(Step::LookUp(host)) => {
            session
                .effects
                .push_back(Effect::LookUp { info_hash, host });
        }
        Ok(Step::Dial(ip, url)) => {
            let addr = SocketAddr::new(ip, url.port);
            let pull = Pull::dial(site, (&url, addr), (geometry, have), now);
            session.connections.on_dial(now);
            let peer = session.add_slot(Slot::of_web_seed(pull, key));
            let tls = url.tls().map(Arc::from);
            session.effects.push_back(Effect::Dial {
                key: peer,
                addr,
                tls,
            });
            if let Some(web) = session.torrents[key].web_mut() {
                web.connections.push((peer, site));
            }
        }
        Err(told) => tell(session, key, told),
    }
}

/// A host was looked up, for the web seeds of this torrent.
pub fn handle_found(
    session: &mut Session,
    of: &InfoHash,
    host: &str,
    found: &Result<Vec<IpAddr>, String>,
    now: Time,
) {
    let families = session.config.us.families;
    let usable = |ip: &IpAddr| {
        if ip.is_ipv4() {
            families.v4
        } else {
            families.v6
        }
    };
    let Some(key) = session.torrents.find(of) else {
        return;
    };
    let Some(web) = session.torrents[key].web_mut() else {
        return;
    };
    let sites = web.sites.iter_mut();
    let told = sites.map(|site| site.handle_found(host, found, usable, now));
    let told: Vec<Option<String>> = told.collect();
    web.look_at = web.look_at.min(now);
    told.into_iter().for_each(|told| tell(session, key, told));
    session.stir(key);
}

/// A line for the user about a web seed.
fn tell(session: &mut Session, key: TorrentKey, told: Option<String>) {
    if let Some(why) = told {
        session.torrents[key].report(Report::Warning(why), &mut session.effects);
    }
}

/// The connection to a web seed is up.
pub(super) fn on_connected(session: &mut Session, key: PeerKey) {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return;
    };
    let (addr, site, have) = (pull.addr(), pull.site, pull.have.clone());
    let torrent = &mut session.torrents[torrent];
    torrent.awake_mut().pieces.joined(&have);
    let url = torrent
        .web()
        .map_or(String::new(), |web| web.sites[site].name());
    torrent.report(Report::WebSeed { addr, url }, &mut session.effects);
}

/// Leaves of what was read from a web seed the bytes of the content; how many they are. `None`: it
/// is none.
pub(super) fn open(session: &mut Session, key: PeerKey, bytes: &mut [u8]) -> Option<usize> {
    let (torrent, pull) = pull_of(session, key)?;
    let content = pull.open(bytes);
    let (site, turn) = (pull.site, pull.turn);
    let web = session.torrents[torrent].web_mut();
    if let Some(web) = web.filter(|_| turn.whole_only || turn.ranged) {
        let site = &mut web.sites[site];
        site.whole_only |= turn.whole_only;
        site.ranged |= turn.ranged;
    }
    Some(content)
}

/// The next block of a web seed in this input: its torrent, its place, its data.
pub(super) fn receive<'a>(
    session: &mut Session,
    key: PeerKey,
    input: &mut Input<'a>,
    now: Time,
) -> Option<(TorrentKey, Block, &'a [u8])> {
    let (torrent, pull) = pull_of(session, key)?;
    pull.hear(now);
    if let Some(block) = pull.next_block(input.rest().len(), now) {
        let data = input.take(block.len as usize)?;
        let site = pull.site;
        if let Some(web) = session.torrents[torrent].web_mut() {
            web.sites[site].on_content();
        }
        return Some((torrent, block, data));
    }
    pull.wanted.keep(input.rest());
    input.take(input.rest().len());
    asking::take_padding(session, key, now);
    let (_, pull) = pull_of(session, key)?;
    let fault = pull.take_fault().filter(|_| !pull.is_closing());
    if let Some(fault) = fault {
        on_fault(session, key, &fault, now);
    }
    None
}

/// Whether a web seed is not to be read, since a limit does not allow it or the disk is `behind`.
pub fn waits(session: &Session, key: PeerKey, behind: bool) -> bool {
    let pull = session.slots.get(key).and_then(Slot::web);
    pull.is_some_and(|pull| behind || pull.turn.limited && pull.turn.allowance == 0)
}

/// It is not read for a while, or read again.
pub(super) fn suspend(session: &mut Session, key: PeerKey, suspended: bool, now: Time) {
    if let Some((_, pull)) = pull_of(session, key) {
        pull.suspend(suspended, now);
    }
}

/// A connection is looked at: what it is to be asked for next. False: it is none to a web seed.
pub(super) fn update(session: &mut Session, key: PeerKey, now: Time) -> bool {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return false;
    };
    pull.turn.touched = false;
    if pull.is_closing() {
        return true;
    }
    if !pull.is_dialing() {
        if !session.torrents[torrent].wants_web_seeds() {
            session.hang_up(key, EndReason::NoUse, now);
            return true;
        }
        asking::claim(session, key, now);
        asking::take_padding(session, key, now);
        if let Err(reason) = asking::ask(session, key, now) {
            session.hang_up(key, reason, now);
            return true;
        }
        asking::await_limit(session, key);
    }
    let deadline = session.slots[key].next_deadline(now);
    session.arm(key, deadline);
    true
}

/// Its deadline has come. False: it is none to a web seed.
pub(super) fn handle_timeout(session: &mut Session, key: PeerKey, now: Time) -> bool {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return false;
    };
    match pull.handle_timeout(now) {
        Lapse::None => {}
        Lapse::Unanswered => session.hang_up(key, EndReason::ConnectTimeout, now),
        Lapse::Silent => session.hang_up(key, EndReason::Silent, now),
        Lapse::Idle => session.hang_up(key, EndReason::NoUse, now),
        Lapse::Late => {
            let owed: Vec<Block> = pull.wanted.blocks().collect();
            let pieces = &mut session.torrents[torrent].awake_mut().pieces;
            owed.into_iter().for_each(|block| pieces.late(key, block));
        }
    }
    session.touch(key);
    true
}

/// An answer is of no use: the connection ends, and its site waits or is asked for other files.
fn on_fault(session: &mut Session, key: PeerKey, fault: &Fault, now: Time) {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return;
    };
    let (site, file) = (pull.site, pull.last_file());
    // What was cut short is gone on with at once, if there was any of it.
    let went_on = pull.meter().total() > 0 && *fault == Fault::CutShort;
    let fault = if went_on { &Fault::Last } else { fault };
    let told = session.torrents[torrent].web_mut().and_then(|web| {
        let place = (&web.content, file);
        web.sites[site].on_fault(fault, place, now)
    });
    tell(session, torrent, told);
    end(session, key, fault.to_string(), now);
}

/// Ends a connection to a web seed, whatever ended it. False: it is none.
pub(super) fn hang_up(session: &mut Session, key: PeerKey, reason: &EndReason, now: Time) -> bool {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return false;
    };
    if pull.is_closing() {
        return true;
    }
    let (site, dialing) = (pull.site, pull.is_dialing());
    let lost = matches!(reason, EndReason::Closed | EndReason::Network(_));
    if lost && !dialing {
        pull.handle_closed();
        if let Some(fault) = pull.take_fault() {
            on_fault(session, key, &fault, now);
            return true;
        }
    }
    if let Some(web) = session.torrents[torrent].web_mut() {
        let site = &mut web.sites[site];
        let told = match reason {
            EndReason::Silent => site.fail("it sends nothing", None, now),
            EndReason::Closed | EndReason::Network(_) | EndReason::ConnectTimeout => {
                site.on_unreached(reason.to_string());
                None
            }
            _ => None,
        };
        tell(session, torrent, told);
    }
    end(session, key, reason.to_string(), now);
    true
}

/// What a connection to a web seed owes us goes back, and it is gone.
fn end(session: &mut Session, key: PeerKey, reason: String, now: Time) {
    let slot = &mut session.slots[key];
    session.timers.disarm(key, slot);
    let (Some(torrent), Some(pull)) = (slot.torrent, slot.web_mut()) else {
        return;
    };
    let (addr, dialing, site) = (pull.addr(), pull.is_dialing(), pull.site);
    let rest = pull.wanted.take_rest();
    let fruitless = !dialing && pull.meter().total() == 0;
    let blocks = pull.close();
    session.connections.on_closed(dialing);
    session.agenda.wants_more.retain(|&other| other != key);
    let owner = &mut session.torrents[torrent];
    if let Some(awake) = &mut owner.awake {
        let pieces = &mut awake.pieces;
        if !dialing {
            if let Some(pull) = session.slots[key].web() {
                pieces.left_swarm(&pull.have);
            }
        }
        blocks.iter().for_each(|&block| pieces.release(key, block));
        pieces.forget(key);
        if let Some(web) = &mut awake.web {
            web.forget(key);
            if let Some((at, bytes)) = rest {
                web.sites[site].keep_rest(at, bytes);
            }
            if fruitless {
                web.sites[site].on_fruitless(now);
            }
            web.look_at = web.look_at.min(now);
        }
    }
    if !dialing {
        owner.report(Report::WebSeedOver { addr, reason }, &mut session.effects);
    }
    session.down.queue.forget(torrent, key);
    session.effects.push_back(Effect::Hangup { key });
    session.stir(torrent);
}
