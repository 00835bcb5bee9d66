//! The torrents that are being added when the process ends: whoever waits for one is told what
//! becomes of it.

use super::arrivals::Opening;
use super::control::ENDING;
use super::library::Library;
use super::offers::{Answer, Asker};
use crate::base::Time;
use crate::io::disk::{DiskError, state};
use crate::rpc::{Added, Merged, Trouble};

/// All torrents end: those that are not in the folder yet are not added.
pub fn turn_away(library: &mut Library) -> Vec<Answer> {
    let mut askers = library.finding.turn_away();
    for ticket in library.fetches.end() {
        askers.push(Asker::Client(ticket));
    }
    for offer in library.waiting.drain(..) {
        askers.push(offer.asker);
    }
    while let Some(opening) = library.arrivals.give_up() {
        library.records.remove(&opening.setup.metainfo.info_hash);
        askers.extend(opening.asker);
    }
    let mut answers = Vec::new();
    for asker in askers {
        // What lies in the watch folder is for the next run.
        if matches!(asker, Asker::Client(_)) {
            answers.push((asker, Err(Trouble::Failed(String::from(ENDING)))));
        }
    }
    answers
}

/// Nothing more is done: those that are in the folder are added, and the next start opens them.
/// Files that are being written are waited for.
pub fn finish(library: &mut Library) -> Vec<Answer> {
    let mut answers = turn_away(library);
    for (ticket, written) in library.arrivals.finish() {
        match library.arrivals.take(ticket) {
            Some(opening) => answers.extend(leave(library, opening, written)),
            // What could not be written is tried once more.
            None => drop(library.records.on_written(written, Time::default())),
        }
    }
    for (_, opening) in std::mem::take(&mut library.opening) {
        answers.extend(leave(library, opening, Ok(())));
    }
    answers
}

fn leave(
    library: &mut Library,
    opening: Opening,
    written: Result<(), DiskError>,
) -> Option<Answer> {
    let info_hash = opening.setup.metainfo.info_hash;
    if let Err(error) = &written {
        log::warn!("{error}");
    } else if opening.asker.is_some() {
        library.records.set(info_hash, opening.record.clone());
    }
    let added = || Added {
        number: opening.record.number,
        info_hash,
        name: opening.setup.metainfo.name.clone(),
        is_duplicate: false,
        merged: Merged::default(),
    };
    let asker = opening.asker.map(|asker| (asker, added()));
    let (asker, added) = opening.brought_by.or(asker)?;
    let failed = |error: DiskError| Trouble::Failed(error.to_string());
    Some((asker, written.map(|()| added).map_err(failed)))
}

/// Writes the list if it is not on disk yet. A disk that has `refused` it at the end of the process
/// is not asked again: that might last each time.
pub fn keep_list(library: &mut Library, refused: &mut Option<DiskError>) {
    let Some((path, text)) = library.records.last_words() else {
        return;
    };
    let written = match refused.take() {
        Some(error) => Err(error),
        None => state::replace(&path, &text).inspect_err(|error| log::warn!("{error}")),
    };
    *refused = written.as_ref().err().cloned();
    drop(library.records.on_written(written, Time::default()));
}
