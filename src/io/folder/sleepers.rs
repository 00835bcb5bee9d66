//! Torrents of the folder that sleep: what is known of their files is let go of once everything is
//! saved, and found again, from the torrent in `torrents/`, when a peer dials us or is to be
//! dialed.

use std::collections::{BTreeSet, VecDeque};

use super::library::Library;
use crate::base::{Time, TorrentKey, limits};
use crate::io::disk::Store;
use crate::io::disk::threads::opening::{Due, Reloaded, Stored};
use crate::session::{Session, sleep, view};

/// Torrents that are about to fall asleep, or to wake up.
#[derive(Debug, Default)]
pub struct Sleepers {
    drowsy: BTreeSet<TorrentKey>,
    /// Those that are to be checked, once what was found out of others is saved: they stay awake
    /// until then, and a disk may take longer to sync than to read.
    late: VecDeque<TorrentKey>,
}

impl Sleepers {
    /// A torrent may fall asleep once everything of it is saved.
    pub fn add(&mut self, torrent: TorrentKey) {
        self.drowsy.insert(torrent);
    }

    /// Has a torrent found again that is to wake up.
    pub fn wake(
        &mut self,
        torrent: TorrentKey,
        library: &Library,
        store: &mut Store,
        session: &Session,
    ) {
        let sleeper = session.torrent(torrent);
        let is_new = sleeper.is_some_and(|it| it.life.unchecked.is_some());
        if is_new && store.saving() >= limits::CHECKS {
            self.late.push_back(torrent);
        } else {
            reload(torrent, library, store, session);
        }
    }

    /// Has those fall asleep that may and of which everything is saved, and others be found again
    /// that are to be checked.
    pub fn turn(&mut self, library: &Library, store: &mut Store, session: &mut Session) {
        while store.saving() < limits::CHECKS {
            let Some(torrent) = self.late.pop_front() else {
                break;
            };
            reload(torrent, library, store, session);
        }
        self.drowsy.retain(|&torrent| {
            let drowsy = session.torrent(torrent).is_some_and(|it| it.life.drowsy);
            if !drowsy || !store.is_settled(torrent) {
                return drowsy;
            }
            if sleep::fall_asleep(session, torrent) {
                store.forget(torrent);
                log::info!("{}: it sleeps", view::name(session, torrent));
            }
            false
        });
    }
}

fn reload(torrent: TorrentKey, library: &Library, store: &mut Store, session: &Session) {
    let Some(sleeper) = session.torrent(torrent) else {
        return;
    };
    let info_hash = sleeper.order.info_hash;
    let stored = Stored {
        info_hash,
        due: match sleeper.life.complete_at {
            Some(_) => Due::Whole,
            None => Due::Nothing,
        },
        dir: library.content_dir(&info_hash),
        state_dir: library.setup().state_dir(),
    };
    store.opener().reload(torrent, stored);
}

/// Torrents that were found again wake up; one that was not fails.
pub fn wake_up(library: &Library, store: &mut Store, session: &mut Session, now: Time) {
    while let Some((torrent, reloaded)) = store.opener().next_reloaded() {
        let Reloaded {
            info_hash,
            warnings,
            result,
        } = reloaded;
        // It may have been removed meanwhile, and its key be another's.
        let found = session.torrent(torrent);
        let found = found.filter(|it| it.order.info_hash == info_hash && it.life.waking);
        let Some(sleeper) = found else { continue };
        // The warnings on one that was not checked yet were told when it was opened.
        let is_unsaid = sleeper.life.unchecked.is_none();
        for warning in warnings.into_iter().filter(|_| is_unsaid) {
            session.warn(Some(torrent), warning);
        }
        match result {
            Ok(found) => {
                let dir = library.content_dir(&info_hash);
                let setup = library
                    .setup()
                    .setup_with_hashes((found.metainfo, found.hashes), dir);
                let (order, content, params) = setup.order(found.opened);
                store.insert(torrent, content, params);
                sleep::wake_up(session, torrent, order, now);
                log::info!("{}: it is awake", view::name(session, torrent));
            }
            Err(why) => session.fail(torrent, why, now),
        }
    }
}
