//! What a folder keeps of the command that is run for each torrent that is complete.

use super::library::Library;
use super::on_complete::Subject;
use crate::base::{InfoHash, TorrentKey};
use crate::session::{Session, view};
use crate::torrent::Torrent;

/// Takes note of whether a torrent is complete. What to run the command for, if it is and has
/// become so by being downloaded: once, and once more when it was incomplete meanwhile, or when the
/// command was not run (`runs`: there is one now). [`set_run`] is to be called when it is run.
pub fn note(library: &mut Library, torrent: &Torrent, runs: bool) -> Option<Subject> {
    let info_hash = torrent.order.info_hash;
    let mut record = library.records.get(&info_hash)?.clone();
    let was_told = record.complete && !(runs && record.special().unrun);
    let complete = torrent.life.complete_at.is_some();
    let subject = (complete && !was_told)
        .then(|| Subject::of(torrent, library.dir(&record), record.special().unrun));
    let subject = subject.flatten();
    if complete {
        record.complete = true;
        if runs && subject.is_some() {
            record.change(|special| special.unrun = true);
        }
    } else if torrent.life.checked {
        record.complete = false;
    }
    library.records.set(info_hash, record);
    subject
}

/// The command was run for a torrent.
pub fn set_run(library: &mut Library, info_hash: InfoHash) {
    let records = &mut library.records;
    records.change(info_hash, |special| special.unrun = false);
}

/// The torrents that the command was not run for yet.
pub fn unrun(library: &Library, session: &Session) -> Vec<TorrentKey> {
    let is_unrun = |torrent: &&Torrent| {
        let record = library.records.get(&torrent.order.info_hash);
        record.is_some_and(|record| record.special().unrun)
    };
    let unrun = view::torrents(session).filter(is_unrun);
    unrun.map(|torrent| torrent.key).collect()
}
