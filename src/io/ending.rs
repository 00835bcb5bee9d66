//! How a run ends: done, by a signal, or with torrents that failed.

use super::disk::Store;
use super::setup::{Ending, Reporter};
use crate::session::{Session, view};
use crate::torrent::Report;

/// The ending of a run, in which `unopened` torrents could not be opened, and which was perhaps
/// ended by this signal. What was not reported yet is reported.
pub fn conclude(
    (session, store): (&Session, &mut Store),
    unopened: usize,
    signal: Option<i32>,
    reporter: &mut Reporter<'_>,
) -> Ending {
    let (mut failed, mut all, mut last) = (unopened, unopened, None);
    for torrent in view::torrent_keys(session) {
        all += 1;
        let failure = session.failure(torrent).map(str::to_string);
        // Another program's doing: what we verified may not be there any more.
        let known = store.has(torrent);
        let changed = known.then(|| store.content(torrent).changed()).flatten();
        let why = match (failure, changed.map(|error| error.to_string())) {
            (Some(why), _) => why,
            (None, None) => continue,
            (None, Some(why)) if signal.is_some() => {
                let _ = reporter(Some(torrent), Report::Warning(why));
                continue;
            }
            (None, Some(why)) => {
                let _ = reporter(Some(torrent), Report::Error(why.clone()));
                why
            }
        };
        (failed, last) = (failed + 1, Some(why));
    }
    match (last, signal) {
        (Some(why), _) if all == 1 => Ending::Failed(why),
        (_, Some(signal)) => Ending::Signal(signal),
        _ if failed > 0 => Ending::Failed(words(failed, all)),
        _ => Ending::Done,
    }
}

/// What is said of several torrents when some have failed.
pub fn words(failed: usize, all: usize) -> String {
    format!("{failed} of {all} torrents failed")
}
