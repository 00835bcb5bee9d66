//! What a web seed is asked for next: which blocks it is given, when it may be read under a limit,
//! and the requests that are sent to it.

use super::accepting;
use super::session::Session;
use crate::base::{BLOCK, PeerKey, Time, TorrentKey, limits, web_seed_addr};
use crate::peer::EndReason;
use crate::pieces::{Pieces, Taker, stretch};
use crate::torrent::{Effect, Machine, Slot, Torrent};
use crate::webseed::{Pull, Site};

/// The machine under this key, if it is one of a web seed, and its torrent.
pub(super) fn pull_of(session: &mut Session, key: PeerKey) -> Option<(TorrentKey, &mut Pull)> {
    let slot = session.slots.get_mut(key)?;
    let torrent = slot.torrent?;
    Some((torrent, slot.web_mut()?))
}

/// Under a limit a web seed waits for its turn to be read, as peers wait to be asked.
pub(super) fn await_limit(session: &mut Session, key: PeerKey) {
    let down = session.down.is_limited();
    let Some((torrent, pull)) = pull_of(session, key) else {
        return;
    };
    let (busy, allowance) = (pull.is_busy(), pull.turn.allowance);
    let own = session.torrents[torrent].traffic.down_limit.rate();
    let limited = down || own.is_some();
    if let Some((_, pull)) = pull_of(session, key) {
        pull.turn.limited = limited;
        if !limited {
            pull.turn.allowance = 0;
        }
    }
    if limited && busy && allowance < limits::ASKED_AT_ONCE {
        session.down.queue.join(torrent, key);
    }
}

/// It is the turn of a web seed to be read under a limit. False: it is none.
pub(super) fn grant(session: &mut Session, key: PeerKey, now: Time) -> bool {
    let Some((torrent, pull)) = pull_of(session, key) else {
        return false;
    };
    let bytes = u64::from(BLOCK);
    pull.turn.allowance += bytes;
    let again = pull.turn.allowance < limits::ASKED_AT_ONCE;
    session.down.bucket.take(bytes, now);
    let own = &mut session.torrents[torrent].traffic.down_limit;
    own.take(bytes, now);
    session.down.queue.charge(torrent, key, bytes);
    if again {
        session.down.queue.join(torrent, key);
    }
    true
}

/// Takes blocks for a web seed, if it owes us few.
pub(super) fn claim(session: &mut Session, key: PeerKey, now: Time) {
    let Slot {
        machine: Machine::Web(pull),
        torrent: Some(torrent),
        ..
    } = &mut session.slots[key]
    else {
        return;
    };
    let torrent = &mut session.torrents[*torrent];
    let (alone, most) = (is_alone(torrent), most_owed(torrent, pull, now));
    if pull.wanted.bytes() > most / 2 {
        return;
    }
    let (active, site) = (torrent.active as usize, pull.site);
    let geometry = torrent.order.geometry;
    let awake = torrent.awake_mut();
    let (pieces, Some(web)) = (&mut awake.pieces, awake.web.as_deref_mut()) else {
        return;
    };
    let second = web.is_second(key, site);
    let small = web.has_small_files(geometry);
    let site = &mut web.sites[site];
    let have = pull.have.clone();
    let reader = stretch::Reader {
        peer: key,
        addr: web_seed_addr(pull.site),
        have: &have,
    };
    go_on(pieces, (pull, site), reader, most, now);
    if !pull.wanted.is_empty() || pull.is_busy() {
        return;
    }
    let split = match (second, small) {
        (false, _) => limits::WEB_RANGE_FIRST,
        (true, true) => limits::WEB_RANGE_LEAST,
        (true, false) => limits::WEB_SPLIT,
    };
    let mut start = stretch::begin(pieces, reader, split);
    if let Some(at) = start.filter(|_| site.whole_only) {
        let file = web.content.part(at).bytes;
        start = stretch::next_missing(pieces, &have, file.start..at).or(start);
    }
    if let Some(at) = start {
        let end = stretch::follow(pieces, reader, at, most);
        if end > at {
            pull.want(at..end, now);
            if let Some(rest) = site.take_rest(at) {
                pull.wanted.resume(rest);
            }
            return;
        }
    }
    if !second {
        help(pieces, pull, reader, (most, active, alone), now);
    }
}

/// Takes what follows what a web seed owes us, as long as that is what it sends next, or not much
/// is dropped in front of it.
fn go_on(
    pieces: &mut Pieces,
    (pull, site): (&mut Pull, &Site),
    reader: stretch::Reader<'_>,
    most: u64,
    now: Time,
) {
    let answer_end = pull.asked_until();
    let gap = if site.whole_only {
        u64::MAX
    } else {
        limits::WEB_GAP
    };
    let mut from = pull.wanted.end().or_else(|| {
        let to_come = pull.to_come()?;
        stretch::next_block(pieces, to_come.start).filter(|at| *at < to_come.end)
    });
    while let Some(at) = from.filter(|_| pull.wanted.bytes() < most) {
        let end = stretch::follow(pieces, reader, at, most - pull.wanted.bytes());
        from = if end > at {
            pull.want(at..end, now);
            Some(end)
        } else {
            // Something that is not free: the answer goes on behind it.
            let until = answer_end.unwrap_or(at).min(at.saturating_add(gap));
            stretch::next_missing(pieces, reader.have, at + 1..until)
        };
    }
}

/// Takes blocks of what others have begun, and in the end game what they are asked for.
fn help(
    pieces: &mut Pieces,
    pull: &mut Pull,
    reader: stretch::Reader<'_>,
    (most, active, alone): (u64, usize, bool),
    now: Time,
) {
    let mut blocks = Vec::new();
    let mut taker = Taker {
        peer: reader.peer,
        addr: reader.addr,
        have: reader.have,
        only: None,
        count: (most / u64::from(BLOCK)).max(1) as usize,
        active,
        repeat: false,
        snubs: false,
    };
    pieces.pick(taker, &mut blocks);
    if blocks.is_empty() && !alone {
        (taker.repeat, taker.count) = (true, limits::WEB_REPEATS);
        pieces.pick(taker, &mut blocks);
    }
    blocks.sort_unstable();
    for block in blocks {
        let start = stretch::place(pieces, block);
        pull.want(start..start + u64::from(block.len), now);
    }
}

/// Whether there are no peers, nor any that are being dialed.
fn is_alone(torrent: &Torrent) -> bool {
    let web = torrent.web().map_or(0, |web| web.connections.len());
    torrent.connections.len() <= web
}

/// Bytes that a web seed may owe us.
fn most_owed(torrent: &Torrent, pull: &Pull, now: Time) -> u64 {
    let (first, least) = (limits::WEB_RANGE_FIRST, limits::WEB_RANGE_LEAST);
    let time = limits::WEB_RANGE_TIME.as_secs();
    let mut most = if pull.meter().total() < first {
        first
    } else {
        pull.meter().rate(now) * time
    };
    if !is_alone(torrent) {
        let left = torrent.awake().pieces.left();
        most = most.min(left / limits::WEB_RANGE_PART);
    }
    most.clamp(least, limits::WEB_RANGE)
}

/// Puts in padding, and takes blocks that it completes: no server sends it. What is padding alone
/// need not be written.
pub(super) fn take_padding(session: &mut Session, key: PeerKey, now: Time) {
    loop {
        let Some((torrent, _)) = pull_of(session, key) else {
            return;
        };
        let Some(web) = session.torrents[torrent].web() else {
            return;
        };
        let pull = session.slots.get_mut(key).and_then(Slot::web_mut);
        let padded = pull.and_then(|pull| pull.next_padded(&web.content, now));
        let Some((block, data)) = padded else {
            return;
        };
        let zeros = data.is_none();
        let data = data.unwrap_or_else(|| vec![0; block.len as usize]);
        if !accepting::accept(session, key, (block, &data), now) {
            continue;
        }
        if zeros {
            session.handle_written(torrent, &[(block, &data)]);
        } else {
            let write = Effect::Write {
                torrent,
                block,
                data,
            };
            session.effects.push_back(write);
        }
    }
}

/// Sends the next request, if one is to be sent.
///
/// # Errors
/// The connection is to end: it leads elsewhere, or what comes over it is not wanted.
pub(super) fn ask(session: &mut Session, key: PeerKey, now: Time) -> Result<(), EndReason> {
    let Slot {
        machine: Machine::Web(pull),
        torrent: Some(torrent),
        ..
    } = &mut session.slots[key]
    else {
        return Ok(());
    };
    let torrent = &mut session.torrents[*torrent];
    let alone = is_alone(torrent);
    let awake = torrent.awake_mut();
    let (pieces, Some(web)) = (&awake.pieces, awake.web.as_deref_mut()) else {
        return Ok(());
    };
    let site = &mut web.sites[pull.site];
    if pull.is_busy() {
        let useless = pull.useless_bytes() > limits::WEB_GAP && !site.whole_only;
        let over = useless || pull.wanted.bytes() == 0 && pull.useless_bytes() > limits::WEB_GAP;
        return if over { Err(EndReason::NoUse) } else { Ok(()) };
    }
    let Some((part, at)) = pull.wanted.next(&web.content) else {
        if pull.wanted.bytes() == 0 && !pull.turn.wants_more {
            pull.turn.wants_more = true;
            session.agenda.wants_more.push(key);
        }
        return Ok(());
    };
    let Ok(url) = site.url_of(&web.content, part.file) else {
        return Err(EndReason::NoUse);
    };
    if !pull.is_at(&url) {
        return Err(EndReason::NoUse);
    }
    let behind = part.bytes.end - at;
    let skipped = if alone {
        u64::MAX
    } else {
        behind.max(limits::WEB_SKIP)
    };
    let mut end = pull
        .wanted
        .stretch_end(at, limits::WEB_GAP)
        .min(part.bytes.end);
    if alone && site.ranged && end < part.bytes.end {
        let reader = stretch::Reader {
            peer: key,
            addr: web_seed_addr(pull.site),
            have: &pull.have,
        };
        end = stretch::reach(pieces, reader, end).min(part.bytes.end);
    }
    let bytes = (!site.whole_only).then_some(at..end);
    let asked = pull.ask(&url, (part, bytes), (at, skipped), now);
    if session.tracer.is_some() {
        let words = match asked.bytes {
            Some(it) => format!("GET {}, bytes {}-{}", url.target, it.start, it.end - 1),
            None => format!("GET {}", url.target),
        };
        let (addr, ours) = (pull.addr(), true);
        session
            .effects
            .push_back(Effect::Trace { addr, ours, words });
    }
    Ok(())
}
