//! Torrents of the folder of which only a link is known. The session has them, and asks their
//! peers; `INFOHASH.magnet` says what is known. Once the metadata are there, and nobody else has
//! the files that they name, `INFOHASH.torrent` takes its place and the files are opened.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::arrivals::Opening;
use super::brought::Brought;
use super::finding::{Description, Finding, Next};
use super::library::Library;
use super::offers::{Answer, Asker, Offer};
use super::record::Record;
use super::shelf;
use crate::base::{InfoHash, Time, TorrentKey, limits};
use crate::io::disk::threads::finding::Sought;
use crate::io::disk::threads::opening::Opened;
use crate::io::disk::{Store, state};
use crate::io::setup::Setup;
use crate::io::{merging, pending};
use crate::rpc::{Added, Merged, Trouble};
use crate::session::{Session, command, extending, reopening, view};
use crate::torrent::Source;
use crate::wire::Metainfo;
use crate::wire::magnet::{self, Link};

impl Library {
    /// The session takes on a torrent whose link is kept; an answer for whoever asked for it.
    pub(super) fn begin_linked(
        &mut self,
        opening: Opening,
        session: &mut Session,
        now: Time,
    ) -> Option<Answer> {
        let Opening {
            asker,
            setup,
            record,
            ..
        } = opening;
        let link = setup.origin.wanted.as_ref()?.link.clone();
        // Whatever is there is claimed, so this one is not.
        let begin = |session: &mut Session| pending::add_linked(&setup, &link, session, now).ok();
        let torrent = self.enrol((link.info_hash, record), session, begin, now)?;
        self.linked.insert(link.info_hash, link);
        let added = session.torrent(torrent).map(|it| self.added(it, false));
        asker.zip(added.map(Ok))
    }

    /// Takes up what lies in this file of the folder.
    pub(super) fn take_file(
        &mut self,
        path: &Path,
        store: &mut Store,
        session: &mut Session,
        now: Time,
    ) {
        match Brought::read(path) {
            Ok(brought) => self.take_up(brought, store, session, now),
            Err(trouble) => self.take_damaged(path, &trouble.text(), (store, session), now),
        }
    }

    /// The files of a torrent are closed that has failed and is resumed: it is taken up as at a
    /// start. If its `.torrent` is just being written, that is waited for: the torrent that takes
    /// its place is to be made of that, and to claim its files.
    pub(super) fn reopen(
        &mut self,
        info_hash: &InfoHash,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        let is_found = self.finding.described(info_hash).is_none();
        if !is_found || self.arrivals.has(info_hash) {
            self.late.insert(*info_hash);
            return;
        }
        self.linked.remove(info_hash);
        let [torrent, link] = ["torrent", "magnet"].map(|it| self.kept_at(info_hash, it));
        let path = if torrent.exists() || !link.exists() {
            torrent
        } else {
            link
        };
        self.take_file(&path, store, session, now);
    }

    /// The `.torrent` of a torrent is written, or cannot be: it is opened anew, if that has waited.
    pub(super) fn reopen_late(
        &mut self,
        info_hash: &InfoHash,
        parts: (&mut Store, &mut Session),
        now: Time,
    ) {
        if self.late.remove(info_hash) && reopening::find(parts.1, info_hash).is_some() {
            self.reopen(info_hash, parts, now);
        }
    }

    /// A torrent of the folder cannot be opened: it is shown as one that has failed, and may be
    /// resumed.
    pub(super) fn begin_failed(
        &mut self,
        setup: &Setup,
        record: Record,
        why: String,
        session: &mut Session,
        now: Time,
    ) {
        let info_hash = setup.metainfo.info_hash;
        if let Some(torrent) = reopening::find(session, &info_hash) {
            return session.fail(torrent, why, now);
        }
        let link = Link {
            name: Some(setup.metainfo.name.clone()),
            ..Link::bare(info_hash)
        };
        let setup = self.setup.setup_of_link(link.clone(), setup.dir.clone());
        let begin = |session: &mut Session| pending::add_linked(&setup, &link, session, now).ok();
        if let Some(torrent) = self.enrol((info_hash, record), session, begin, now) {
            session.fail(torrent, why, now);
        }
    }

    /// A torrent of the folder, or its link, cannot be read: the name of its file says which it is,
    /// so it is fetched anew.
    pub(super) fn take_damaged(
        &mut self,
        path: &Path,
        why: &str,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        let Some(info_hash) = shelf::info_hash(path) else {
            return session.warn(None, why.to_string());
        };
        let blocked = state::look(&self.kept_at(&info_hash, "torrent"));
        let again = if blocked.is_ok() {
            ": it is fetched from peers again"
        } else {
            ""
        };
        session.warn(None, format!("{why}{again}"));
        let link = Brought::Link(Box::new(Link::bare(info_hash)));
        self.take_up(link, store, session, now);
        let torrent = view::find(session, &info_hash).map(|it| it.key);
        if let (Some(torrent), Err(error)) = (torrent, blocked) {
            session.fail(torrent, error.to_string(), now);
        }
    }

    /// Has the peers looked up that a torrent's link has named.
    pub(super) fn name_peers(&mut self, info_hash: InfoHash, peers: &[String]) {
        let named = peers.iter().filter_map(|peer| magnet::host_and_port(peer));
        let named = named.map(|(host, port)| (Some(info_hash), host, port));
        self.hosts.peers.extend(named);
    }

    /// Has a torrent connect to the peers that the options name.
    pub(super) fn connect_named(&mut self, torrent: TorrentKey, session: &mut Session, now: Time) {
        for (host, port) in &self.setup.handling.peers {
            if let Ok(ip) = host.parse() {
                let addr = SocketAddr::new(ip, *port);
                session.add_peers(torrent, &[addr], Source::User, now);
                continue;
            }
            let named = (None, host.clone(), *port);
            if !self.hosts.peers.contains(&named) {
                self.hosts.peers.push(named);
            }
        }
    }

    /// The metadata of a torrent have come.
    pub fn on_metadata(
        &mut self,
        torrent: TorrentKey,
        info: &[u8],
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        let info_hash = session.torrent(torrent).map(|it| it.order.info_hash);
        let Some(info_hash) = info_hash else { return };
        if let Some(description) = self.finding.described(&info_hash) {
            // They are in the `.torrent` that was brought.
            description.fails = true;
            return;
        }
        let Some(link) = self.linked.remove(&info_hash) else {
            return;
        };
        let description = Description {
            torrent,
            text: link.torrent(info),
            link,
            brought_by: None,
            fails: true,
        };
        if let Err((_, why)) = self.seek_described(Box::new(description), Record::default(), store)
        {
            session.fail(torrent, why, now);
        }
    }

    /// Has the files found of a torrent whose `.torrent` has come. `wanted`: what whoever brings it
    /// wants.
    ///
    /// # Errors
    /// It is not valid.
    fn seek_described(
        &mut self,
        description: Box<Description>,
        wanted: Record,
        store: &mut Store,
    ) -> Result<(), (Box<Description>, String)> {
        let link = &description.link;
        let parsed = pending::parse(&description.text, &link.title());
        let chosen = parsed.and_then(|metainfo| {
            pending::selected_by(link, &metainfo.files)?;
            Ok(metainfo)
        });
        let metainfo = match chosen {
            Ok(metainfo) => metainfo,
            Err(why) => return Err((description, why)),
        };
        let info_hash = link.info_hash;
        let sought = Sought {
            metainfo: Box::new(metainfo),
            dir: self.content_dir(&info_hash),
            trial: true,
        };
        let finding = Finding {
            info_hash,
            record: wanted,
            next: Next::Describe(description),
        };
        self.finding.begin(finding, sought, store);
        Ok(())
    }

    /// The files of such a torrent are found: its `.torrent` takes the place of its link, unless
    /// it is gone, or another torrent has its files.
    pub(super) fn on_described(
        &mut self,
        description: Description,
        (metainfo, place): (Metainfo, PathBuf),
        wanted: Record,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) -> Option<Answer> {
        let Description {
            torrent,
            text,
            brought_by,
            fails,
            ..
        } = description;
        let info_hash = metainfo.info_hash;
        if !Library::is_linked(session, torrent, &info_hash) {
            self.reopen_late(&info_hash, (store, session), now);
            let (asker, _) = brought_by?;
            let offer = Offer::again(asker, text, wanted);
            return offer.map(|offer| self.waiting.push(offer)).err();
        }
        let record = self.records.get(&info_hash).cloned();
        let record = record.unwrap_or_default();
        let (setup, chosen) = self.describe(metainfo, &record);
        let taken = chosen.and_then(|()| {
            let taken = self.claims.take_place(info_hash, place, true);
            taken.map_err(|taken| self.records.why_taken(&setup.metainfo.name, taken))
        });
        if let Err(why) = taken {
            if fails {
                self.linked.remove(&info_hash);
                session.fail(torrent, why.clone(), now);
            }
            self.reopen_late(&info_hash, (store, session), now);
            return brought_by.map(|(asker, _)| (asker, Err(Trouble::Failed(why))));
        }
        self.linked.remove(&info_hash);
        let trackers = &setup.metainfo.trackers;
        let brought_by = brought_by.map(|(asker, added)| {
            let merged = Merged {
                trackers: self.add_trackers((torrent, info_hash), trackers, session, now),
                peers: 0,
                described: true,
            };
            (asker, Added { merged, ..added })
        });
        let opening = Opening {
            asker: None,
            setup,
            record,
            torrent: Some(torrent),
            brought_by,
            is_again: false,
        };
        self.arrivals.replace_link(opening, text);
        None
    }

    /// The files of such a torrent are open: it goes on as any other, unless it is gone.
    pub(super) fn learn(
        torrent: TorrentKey,
        setup: Setup,
        result: Result<Opened, String>,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        if !Library::is_linked(session, torrent, &setup.metainfo.info_hash) {
            return;
        }
        match result {
            Ok(opened) if extending::expects(session, torrent) => {
                let (order, content, params) = setup.order(opened);
                store.insert(torrent, content, params);
                extending::learn(session, torrent, order, now);
            }
            Ok(_) => {}
            Err(why) => session.fail(torrent, why, now),
        }
    }

    /// Whether the session has this torrent and does not know more of it than a link says. One that
    /// is being opened anew is taken for another: what was begun before is of no use to it.
    pub(super) fn is_linked(session: &Session, torrent: TorrentKey, info_hash: &InfoHash) -> bool {
        let known = session.torrent(torrent);
        known.is_some_and(|it| {
            it.order.info_hash == *info_hash
                && it.order.is_undescribed()
                && !reopening::is_under_way(it)
        })
    }

    /// Adds what was brought to the torrent that is there; an answer, if it is known at once.
    pub(super) fn merge(
        &mut self,
        (asker, (torrent, added)): (Asker, (TorrentKey, Added)),
        (brought, wanted): (Brought, Record),
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) -> Option<Answer> {
        let info_hash = brought.info_hash();
        let merged = match brought {
            Brought::Link(link) => self.add_link((torrent, &link), session, now),
            Brought::Torrent(metainfo, text) => {
                let link = self.linked.get(&info_hash).cloned();
                let is_linked = Library::is_linked(session, torrent, &info_hash);
                if let Some(link) = link.filter(|_| is_linked) {
                    let description = Description {
                        torrent,
                        link,
                        text,
                        brought_by: Some((asker, added)),
                        fails: false,
                    };
                    return self.describe_linked(Box::new(description), wanted, store);
                }
                let trackers = &metainfo.trackers;
                Merged {
                    trackers: self.add_trackers((torrent, info_hash), trackers, session, now),
                    peers: 0,
                    described: false,
                }
            }
        };
        Some((asker, Ok(Added { merged, ..added })))
    }

    fn add_link(
        &mut self,
        (torrent, link): (TorrentKey, &Link),
        session: &mut Session,
        now: Time,
    ) -> Merged {
        let info_hash = link.info_hash;
        let fresh = self.records.change(info_hash, |special| {
            merging::add_names(&mut special.peers, &link.peers, limits::LINK_PEERS)
        });
        self.name_peers(info_hash, &fresh);
        if let Some(known) = self.linked.get_mut(&info_hash) {
            let seeds = &mut known.web_seeds;
            merging::add_names(seeds, &link.web_seeds, limits::WEB_SEEDS);
        }
        let key = (torrent, info_hash);
        Merged {
            trackers: self.add_trackers(key, &link.trackers, session, now),
            peers: fresh.len(),
            described: false,
        }
    }

    /// Has trackers asked that were not known. How many these are.
    fn add_trackers(
        &mut self,
        (torrent, info_hash): (TorrentKey, InfoHash),
        tiers: &[Vec<String>],
        session: &mut Session,
        now: Time,
    ) -> usize {
        if !self.setup().sources.trackers {
            return 0;
        }
        let added = command::add_trackers(session, torrent, tiers, now);
        if added > 0 {
            self.records.change(info_hash, |special| {
                merging::add_tiers(&mut special.trackers, tiers);
            });
            if let Some(known) = self.linked.get_mut(&info_hash) {
                merging::add_tiers(&mut known.trackers, tiers);
            }
        }
        added
    }

    /// Goes on with a torrent of which only a link was known, now that its `.torrent` was brought.
    fn describe_linked(
        &mut self,
        description: Box<Description>,
        wanted: Record,
        store: &mut Store,
    ) -> Option<Answer> {
        let link = &description.link;
        // The link's own trackers stay.
        self.records.change(link.info_hash, |special| {
            merging::add_tiers(&mut special.trackers, &link.trackers);
        });
        let (description, why) = self.seek_described(description, wanted, store).err()?;
        let (asker, _) = description.brought_by?;
        Some((asker, Err(Trouble::Failed(why))))
    }
}
