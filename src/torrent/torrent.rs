//! One torrent among others: its state, and what the process asks about it. The connections and
//! other things that torrents share are lent to it as [`Lent`].

use std::net::SocketAddr;

use slab::Slab;

use super::awake::Awake;
use super::bans::Bans;
use super::candidates::Candidates;
use super::census::Census;
use super::effect::{Effect, Effects, Progress, Report, Snapshot};
use super::lent::{self, Lent};
use super::metadata::MetadataFetch;
use super::order::{KeptOrder, Order, Us};
use super::reporting::Reporting;
use super::resume_state::ResumeState;
use super::slot::{Ended, Slot};
use super::source::{Namer, Source};
use super::stage::{Life, Stage};
use super::traffic::Traffic;
use super::web_seeds::WebSeeds;
use crate::base::{Block, PeerKey, Rng, SortedSet, Time, TorrentKey, Totals, sooner, web_seed_at};
use crate::peer::Peer;
use crate::pieces::Taker;
use crate::tracker::{Shared, Trackers};

/// Only a torrent that is awake has peers, is checked, or downloads.
const AWAKE: &str = "the torrent is awake";

/// One torrent.
#[derive(Debug)]
pub struct Torrent {
    /// The key under which the process keeps it.
    pub key: TorrentKey,
    /// What is to be done with it.
    pub order: KeptOrder,
    /// How far it is.
    pub life: Life,
    /// What it has while it is awake. `None`: it sleeps, or is being opened anew. Connections may
    /// wait for it then, but none has done its handshakes. See [`Life::unchecked`], too.
    pub awake: Option<Box<Awake>>,
    /// Addresses of its peers.
    pub candidates: Candidates,
    /// Its trackers.
    pub trackers: Trackers,
    /// The slots of its connections, of dials under way and of peers that wait, too.
    pub connections: SortedSet<PeerKey>,
    /// How many of these are open, and the like.
    pub census: Census,
    /// Bytes of content received and sent in this run, and the torrent's own limits.
    pub traffic: Traffic,
    /// What its resume data say.
    pub resume_state: ResumeState,
    /// What its user has heard of its progress.
    pub reporting: Reporting,
    /// The connection that ended last, unless we ended it for a reason of our own.
    pub ended: Option<Box<Ended>>,
    /// The peers that owed us blocks when it began to ask in this turn, and one more: it bounds how
    /// many pieces are partial.
    pub active: u32,
    /// It stands on the list of those to plan for.
    pub stirred: bool,
}

/// What was asked of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Bytes of content.
    pub bytes: u64,
    /// It could take more than there was to ask for.
    pub wants_more: bool,
    /// It was not asked for more because that was not allowed.
    pub held_back: bool,
}

impl Torrent {
    /// A torrent that begins now, with the check of what is on disk or, where only a link is known,
    /// with the search for its metadata. `number`: what users call it.
    pub fn new(
        (key, number): (TorrentKey, u32),
        order: Order,
        (us, shared): (&Us, &mut Shared),
        rng: &mut Rng,
        now: Time,
    ) -> Torrent {
        let kept = order.kept();
        let mut trackers = Trackers::new(
            key,
            &order.trackers,
            kept.identity(us),
            us.families,
            shared,
            Rng::from_seed(rng.bits64()),
        );
        trackers.allow_local(us.allow_local);
        let [picks, candidates, chokes] = [(); 3].map(|()| Rng::from_seed(rng.bits64()));
        let awake = Awake::new(order, (picks, chokes), now);
        Torrent {
            key,
            life: Life::new(number, kept.is_undescribed(), now),
            awake: Some(Box::new(awake)),
            candidates: Candidates::new(candidates),
            trackers,
            connections: SortedSet::new(),
            census: Census::default(),
            traffic: Traffic::new(now),
            resume_state: ResumeState::new(now),
            reporting: Reporting::new(us.heartbeat, now),
            ended: None,
            active: 1,
            stirred: false,
            order: kept,
        }
    }

    // What it says.

    /// Tells the user.
    pub fn report(&self, report: Report, effects: &mut Effects) {
        let torrent = Some(self.key);
        effects.push_back(Effect::Report { torrent, report });
    }

    /// Tells the user that it begins.
    pub fn report_start(&self, port: u16, effects: &mut Effects) {
        let content = match &self.awake {
            _ if self.order.is_undescribed() => None,
            Some(awake) if self.order.download => {
                Some((awake.pieces.wanted(), awake.wanted.count()))
            }
            _ => Some((self.order.size, self.order.geometry.pieces())),
        };
        let report = Report::Start {
            name: self.order.name.clone(),
            info_hash: self.order.info_hash,
            content,
            port,
        };
        self.report(report, effects);
    }

    /// Tells the user how far it is.
    pub fn report_progress(&mut self, effects: &mut Effects, now: Time) {
        let progress = self.progress(now);
        self.reporting.on_reported(progress, self.totals(), now);
        if let Some(fetch) = self.fetch() {
            let report = Report::Waiting {
                nodes: self.awake().search.looked().map(|(nodes, _)| nodes),
                found: self.candidates.len(),
                reached: fetch.reached(),
            };
            self.report(report, effects);
        }
        self.report(Report::Progress(progress), effects);
    }

    /// Has what is known saved. While it sleeps there is nothing new.
    pub fn save(&mut self, clean: bool, effects: &mut Effects, now: Time) {
        let Some(awake) = &self.awake else { return };
        let verified = awake.served();
        let clean = clean && awake.damage.allows_clean(&verified);
        let totals = self.totals();
        self.resume_state.on_saved(totals, clean, now);
        let snapshot = Snapshot {
            verified,
            totals: self.order.earlier + totals,
            clean,
        };
        let torrent = self.key;
        effects.push_back(Effect::Save { torrent, snapshot });
    }

    // What is known of it.

    /// How far it is.
    pub fn progress(&self, now: Time) -> Progress {
        if let Some(unchecked) = &self.life.unchecked {
            return **unchecked;
        }
        let (done, size) = match &self.awake {
            Some(awake) if self.order.download => (awake.pieces.done(), awake.pieces.wanted()),
            Some(awake) => (awake.pieces.verified_bytes(), self.order.size),
            None => (self.order.size, self.order.size),
        };
        let checking = self.awake.as_ref().and_then(|it| it.checking.as_ref());
        let (down_rate, up_rate) = self.traffic.rates(now);
        Progress {
            done,
            size,
            down_rate,
            up_rate,
            peers: self.census.open,
            web_seeds: self.web().map_or(0, WebSeeds::connected),
            checking: checking.map(|checking| checking.progress()),
        }
    }

    /// Bytes of content received and sent since the start.
    pub fn totals(&self) -> Totals {
        self.traffic.totals()
    }

    /// Bytes of the files that are not there.
    pub fn left(&self) -> u64 {
        let verified = self.awake.as_ref().map(|it| it.pieces.verified_bytes());
        let verified = verified.or(self.life.unchecked.as_ref().map(|it| it.done));
        verified.map_or(0, |verified| self.order.size - verified)
    }

    /// The part that is there while it is awake.
    ///
    /// # Panics
    /// It sleeps: an error of the caller, since it has no peers then.
    pub fn awake(&self) -> &Awake {
        self.awake.as_deref().expect(AWAKE)
    }

    /// The same, to change it. It panics as [`Torrent::awake`] does.
    pub fn awake_mut(&mut self) -> &mut Awake {
        self.awake.as_deref_mut().expect(AWAKE)
    }

    /// Whether it is in its swarm and its pieces are known.
    pub fn is_running(&self) -> bool {
        self.life.stage == Stage::Running
    }

    /// The search for its metadata, as long as it lasts.
    pub fn fetch(&self) -> Option<&MetadataFetch> {
        self.awake.as_ref()?.fetch.as_deref()
    }

    /// Whether something is still to be downloaded.
    pub fn is_downloading(&self) -> bool {
        self.order.download && self.life.complete_at.is_none()
    }

    /// Whether content is to be read from disk.
    pub fn wants_reads(&self) -> bool {
        let Some(awake) = &self.awake else {
            return false;
        };
        let checking = awake
            .checking
            .as_ref()
            .and_then(|checking| checking.next_slice());
        let checks = checking.is_some() && self.life.stage == Stage::Checking;
        checks || awake.pieces.is_reread_due()
    }

    /// Bytes of content to be read from disk next; `None`: none.
    pub fn next_read(&mut self) -> Option<Block> {
        let awake = self.awake.as_mut()?;
        match &awake.checking {
            Some(checking) if self.life.stage == Stage::Checking => checking.next_slice(),
            Some(_) => None,
            None => awake.pieces.next_reread(),
        }
    }

    /// When it has something to do though nothing happens, dials aside.
    pub fn next_deadline(&self) -> Option<Time> {
        let mut next = sooner(self.trackers.next_deadline(), self.report_deadline());
        match self.life.stage {
            Stage::Checking | Stage::Queued | Stage::Paused | Stage::Reopening { .. } => {}
            Stage::Metadata => {
                let fetch = self.fetch().and_then(MetadataFetch::next_deadline);
                next = sooner(next, sooner(fetch, self.swarm_deadline()));
            }
            Stage::Running => {
                if let Some(awake) = &self.awake {
                    let round = Some(awake.choking.next_round());
                    next = sooner(next, round.filter(|_| self.census.interested > 0));
                    next = sooner(next, awake.haves.deadline(self.census.open));
                    next = sooner(next, sooner(self.swarm_deadline(), self.drowsy_deadline()));
                } else if !self.life.waking {
                    next = sooner(next, self.candidates.next_deadline());
                }
                next = sooner(next, sooner(self.stay_deadline(), self.web_deadline()));
                next = sooner(next, self.resume_state.deadline());
            }
            Stage::Leaving { until, .. } => next = sooner(next, Some(until)),
            Stage::Over => return None,
        }
        next
    }

    /// Progress is reported while there is any: an idle seed sleeps.
    fn report_deadline(&self) -> Option<Time> {
        let stale = self.reporting.is_stale(self.totals(), self.census.open);
        let lively = self.is_running() && (self.is_downloading() || stale);
        let early = self.is_checking() || self.life.stage == Stage::Metadata;
        (lively || early).then(|| self.reporting.next())
    }

    /// Reports progress, if it is time.
    pub fn update_report(&mut self, effects: &mut Effects, now: Time) {
        if self.report_deadline().is_some_and(|at| at <= now) {
            self.report_progress(effects, now);
        }
    }

    /// Whether what is counted as it changes is what a look at all its connections gives. For debug
    /// builds: it costs a pass over the pieces of each peer.
    pub fn counts_agree(&self, slots: &Slab<Slot>) -> bool {
        let useful = lent::greeted(slots, &self.connections).all(|(_, member)| {
            let (have, awake) = (member.peer.holdings(), self.awake());
            let pending = awake.haves.pending.iter();
            let pending = pending.filter(|&&piece| have.has(piece));
            let useful = awake.pieces.wants_of(have) + pending.count() as u32;
            !member.peer.is_open() || member.useful == useful
        });
        let of_us = |&(_, slot): &(usize, &Slot)| slot.torrent == Some(self.key);
        let members = slots.iter().filter(of_us).map(|(key, _)| key);
        useful
            && members.eq(self.connections.iter().copied())
            && self.census == Census::of(lent::greeted(slots, &self.connections))
    }

    // Its peers.

    /// Adds addresses of peers, except those that are barred.
    pub fn add_peers(&mut self, addrs: &[SocketAddr], by: Namer, bans: &Bans, now: Time) {
        if let (Source::User | Source::Link, Some(awake)) = (by.source, &mut self.awake) {
            awake.search.add_named(addrs);
        }
        let mixed = self.candidates.mix(addrs).into_iter();
        for addr in mixed.filter(|&addr| !bans.bars(addr, by.source)) {
            self.candidates.add(addr, by, now);
        }
    }

    /// Puts a connection on the agenda: something has happened to it, or something is to be sent.
    /// Each change of a peer's machine ends here, so that it is counted.
    pub fn enlist(&mut self, key: PeerKey, lent: &mut Lent<'_>) {
        if let Some(member) = lent.get(self.key, key) {
            self.census.recount(member);
            if !std::mem::replace(&mut member.touched, true) {
                lent.agenda.touched.push_back(key);
            }
        }
        self.stir(lent);
    }

    /// Something has happened to the torrent: it is planned for in this turn.
    pub fn stir(&mut self, lent: &mut Lent<'_>) {
        if !std::mem::replace(&mut self.stirred, true) {
            lent.agenda.torrents.push(self.key);
        }
    }

    /// Asks a peer for as many blocks as it can take, at most `most`. `picked` is scratch space.
    pub fn ask(
        &mut self,
        (key, peer): (PeerKey, &mut Peer),
        most: usize,
        picked: &mut Vec<Block>,
        now: Time,
    ) -> Asked {
        let room = peer.room(now);
        let active = self.active as usize;
        let pieces = &mut self.awake_mut().pieces;
        // While it chokes us there is mostly nothing to ask it for.
        let wanted = |&piece: &u32| pieces.needs(piece) && peer.holdings().has(piece);
        let choked = |only: &[u32]| !only.iter().any(wanted);
        if room == 0 || peer.allowed().is_some_and(choked) {
            return Asked::default();
        }
        let count = room.min(most);
        picked.clear();
        let mut taker = Taker {
            peer: key,
            addr: peer.addr(),
            have: peer.holdings(),
            only: peer.allowed(),
            count,
            active,
            repeat: false,
            snubs: peer.is_snubbing(now),
        };
        pieces.pick(taker, picked);
        if picked.is_empty() && peer.in_flight() == 0 {
            // A block that is asked for twice is mostly sent twice, so the end game asks only peers
            // that have nothing else to send, for one block at a time.
            (taker.repeat, taker.count) = (true, count.min(1));
            pieces.pick(taker, picked);
        }
        for &block in picked.iter() {
            peer.request(block, now);
        }
        Asked {
            bytes: picked.iter().map(|block| u64::from(block.len)).sum(),
            wants_more: picked.len() < room,
            held_back: count < room && picked.len() == count,
        }
    }

    /// Gives blocks back that a peer will not send.
    pub fn release(&mut self, key: PeerKey, blocks: &[Block]) {
        for &block in blocks {
            self.awake_mut().pieces.release(key, block);
        }
    }

    /// Takes the verdicts on pieces. Returns the addresses of the peers whose blocks made a piece
    /// wrong, and whether any piece was right.
    pub fn take_verdicts(&mut self, effects: &mut Effects) -> (Vec<SocketAddr>, bool) {
        let (mut guilty, mut new) = (Vec::new(), false);
        while let Some(verdict) = self.awake.as_mut().and_then(|it| it.next_verdict()) {
            let (index, ok) = (verdict.piece, verdict.ok);
            for site in verdict.guilty.iter().filter_map(|&addr| web_seed_at(addr)) {
                let geometry = self.order.geometry;
                let told = self
                    .web_mut()
                    .and_then(|web| web.on_wrong(geometry, site, index));
                told.into_iter()
                    .for_each(|why| self.report(Report::Warning(why), effects));
            }
            self.report(Report::Piece { index, ok }, effects);
            if ok {
                self.awake_mut().haves.pending.push(index);
            }
            new |= ok;
            let peers = verdict.guilty.into_iter();
            guilty.extend(peers.filter(|&addr| web_seed_at(addr).is_none()));
        }
        if new {
            self.resume_state.set_outdated();
        }
        (guilty, new)
    }
}
