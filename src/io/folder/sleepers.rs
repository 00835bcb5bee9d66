//! Torrents of the folder that sleep: what is known of their files is let go of once everything is
//! saved, and found again, from the torrent in `torrents/`, when a peer dials us or is to be
//! dialed.

use std::collections::BTreeSet;

use super::library::Library;
use crate::base::{Now, TorrentKey};
use crate::io::disk::Store;
use crate::io::disk::threads::opening::{Reopened, Stored};
use crate::session::{Session, sleep};

/// Torrents that are about to fall asleep.
#[derive(Debug, Default)]
pub struct Sleepers(BTreeSet<TorrentKey>);

impl Sleepers {
    /// A torrent may fall asleep once everything of it is saved.
    pub fn add(&mut self, torrent: TorrentKey) {
        self.0.insert(torrent);
    }

    /// Has those fall asleep that may and of which everything is saved.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session) {
        self.0.retain(|&torrent| {
            let drowsy = session.torrent(torrent).is_some_and(|it| it.life.drowsy);
            if !drowsy || !store.is_settled(torrent) {
                return drowsy;
            }
            if sleep::fall_asleep(session, torrent) {
                store.forget(torrent);
                log::info!("{}: it sleeps", name(session, torrent));
            }
            false
        });
    }
}

/// Has a torrent found again that is to wake up.
pub fn wake(torrent: TorrentKey, library: &Library, store: &mut Store, session: &Session) {
    let Some(info_hash) = session.torrent(torrent).map(|it| it.order.info_hash) else {
        return;
    };
    let stored = Stored {
        info_hash,
        dir: library.place(&info_hash),
        state_dir: library.setup().state_dir(),
    };
    store.reopen(torrent, stored);
}

/// Torrents that were found again wake up; one that was not fails.
pub fn wake_up(library: &Library, store: &mut Store, session: &mut Session, now: Now) {
    while let Some((torrent, reopened)) = store.next_reopened() {
        let Reopened {
            info_hash,
            warnings,
            result,
        } = reopened;
        // It may have been removed meanwhile, and its key be another's.
        let same = session.torrent(torrent).map(|it| it.order.info_hash) == Some(info_hash);
        if !same || !sleep::is_asleep(session, torrent) {
            continue;
        }
        for warning in warnings {
            session.warn(Some(torrent), warning);
        }
        match result {
            Ok(found) => {
                let dir = library.place(&info_hash);
                let setup = library.setup().again((found.metainfo, found.hashes), dir);
                let (order, content, keeping) = setup.order(found.opened);
                store.insert(torrent, content, keeping);
                sleep::wake_up(session, torrent, order, now);
                log::info!("{}: it is awake", name(session, torrent));
            }
            Err(why) => session.fail(torrent, why, now),
        }
    }
}

fn name(session: &Session, torrent: TorrentKey) -> &str {
    let torrent = session.torrent(torrent);
    torrent.map_or("", |torrent| &torrent.order.name)
}
