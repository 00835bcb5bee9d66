//! Torrents of the folder of which only a link is known. The session has them, and asks their
//! peers; `INFOHASH.magnet` says what is known. Once the metadata are there, and nobody else has
//! the files that they name, `INFOHASH.torrent` takes its place and the files are opened.

use super::library::{Library, Opening};
use super::offers::Answer;
use super::records::Record;
use crate::base::{InfoHash, Now, TorrentKey};
use crate::io::disk::Store;
use crate::io::disk::threads::opening::Opened;
use crate::io::pending;
use crate::io::setup::Setup;
use crate::session::{Session, extending};
use crate::wire::Metainfo;
use crate::wire::magnet::{self, Link};

impl Library {
    /// The session takes on a torrent whose link is kept; an answer for whoever asked for it.
    pub(super) fn begin_linked(
        &mut self,
        opening: Opening,
        session: &mut Session,
        now: Now,
    ) -> Option<Answer> {
        let Opening {
            asker,
            setup,
            record,
            ..
        } = opening;
        let link = setup.origin.wanted.as_ref()?.link.clone();
        // Whatever is there is claimed, so this one is not.
        let begin = |session: &mut Session| pending::begin(&setup, &link, session, now).ok();
        let torrent = self.enrol((link.info_hash, record), session, begin, now)?;
        self.linked.insert(link.info_hash, link);
        let added = session.torrent(torrent).map(|it| self.added(it, false));
        asker.zip(added.map(Ok))
    }

    /// Has the peers looked up that a torrent's link has named.
    pub(super) fn name_peers(&mut self, info_hash: InfoHash, record: &Record) {
        let named = record.peers.iter();
        let named = named.filter_map(|peer| magnet::host_and_port(peer));
        let named = named.map(|(host, port)| (info_hash, host, port));
        self.hosts.peers.extend(named);
    }

    /// The metadata of a torrent have come.
    pub fn on_metadata(
        &mut self,
        torrent: TorrentKey,
        info: &[u8],
        session: &mut Session,
        now: Now,
    ) {
        let info_hash = session.torrent(torrent).map(|it| it.order.info_hash);
        let link = info_hash.and_then(|info_hash| self.linked.remove(&info_hash));
        let Some(link) = link else { return };
        let text = link.torrent(info);
        match self.accept(&link, &text) {
            Ok(opening) => {
                let path = self.kept_at(&link.info_hash, "torrent");
                let before = self.kept_at(&link.info_hash, "magnet");
                let ticket = self.keeper.write_instead(path, text, Some(before));
                let torrent = Some(torrent);
                self.writing.insert(ticket, Opening { torrent, ..opening });
            }
            Err(why) => session.fail(torrent, why, now),
        }
    }

    /// Takes the files of a torrent whose metadata have come.
    fn accept(&mut self, link: &Link, text: &[u8]) -> Result<Opening, String> {
        let metainfo = Metainfo::parse(text).map_err(|why| {
            let name = link.title();
            format!("{name}: its metadata are not those of a valid torrent: {why}")
        })?;
        let record = self.records.get(&link.info_hash).cloned();
        let record = record.unwrap_or_default();
        pending::selected_by(link, &metainfo.files)?;
        let setup = self.describe(metainfo, &record);
        let taken = self.claims.take_place(&setup.request());
        taken.map_err(|taken| self.refusal(&setup.metainfo.name, taken))?;
        Ok(Opening {
            asker: None,
            setup,
            record,
            torrent: None,
        })
    }

    /// The files of such a torrent are open: it goes on as any other, unless it is gone.
    pub(super) fn learn(
        torrent: TorrentKey,
        setup: Setup,
        result: Result<Opened, String>,
        (store, session): (&mut Store, &mut Session),
        now: Now,
    ) {
        if !Library::is_linked(session, torrent, &setup.metainfo.info_hash) {
            return;
        }
        match result {
            Ok(opened) if extending::expects(session, torrent) => {
                let (order, content, keeping) = setup.order(opened);
                store.insert(torrent, content, keeping);
                extending::learn(session, torrent, order, now);
            }
            Ok(_) => {}
            Err(why) => session.fail(torrent, why, now),
        }
    }

    /// Whether the session has this torrent and does not know more of it than a link says.
    pub(super) fn is_linked(session: &Session, torrent: TorrentKey, info_hash: &InfoHash) -> bool {
        let known = session.torrent(torrent);
        known.is_some_and(|it| it.order.info_hash == *info_hash && it.order.is_undescribed())
    }
}
