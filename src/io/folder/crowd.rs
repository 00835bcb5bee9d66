//! How many torrents are being added at one time. Those whose disk does not answer keep none of the
//! others waiting, and are bounded by themselves.

use super::brought::Brought;
use super::finding::Next;
use super::library::Library;
use super::offers::{Asker, Offer};
use crate::base::limits;
use crate::rpc::Trouble;

/// Whether so many torrents are being added that others wait.
pub fn is_busy(library: &Library) -> bool {
    let begun = under_way(library, |is_asked, is_silent| is_asked && !is_silent);
    let waiting = library.waiting.iter();
    let waiting = waiting.filter(|it| !waits_in_vain(library, it)).count();
    let all = begun + library.arrivals.writing() + waiting;
    all >= limits::ADDS_AT_ONCE || library.arrivals.is_full()
}

/// How many torrents are being found or opened of which this is true: whether somebody waits for
/// it, and whether its disk does not answer.
pub fn under_way(library: &Library, which: fn(bool, bool) -> bool) -> usize {
    let found = library.finding.iter().map(|it| {
        let is_asked = it.next.asker().is_some();
        let dir = match it.next {
            Next::Describe(_) => library.records.dir(&it.info_hash, &library.setup.dir),
            _ => library.dir(&it.record),
        };
        (is_asked, dir)
    });
    let opened = library.opening.values();
    let opened = opened.map(|it| (it.asker.is_some(), &it.setup.dir));
    let all = found.chain(opened);
    all.filter(|(is_asked, dir)| which(*is_asked, library.silent.has(dir)))
        .count()
}

/// Whether the disk does not answer of the torrent that an offer waits for, which comes or goes.
fn waits_in_vain(library: &Library, offer: &Offer) -> bool {
    let info_hash = offer.brought.info_hash();
    let found = library.finding.iter().find(|it| it.info_hash == info_hash);
    let record = library.records.get(&info_hash);
    let record = record.or(found.map(|it| &it.record));
    let dir = library.dir(record.unwrap_or(&offer.record));
    library.silent.has(dir)
}

/// Why a torrent is refused that is to be added, or that waits for one which comes or goes
/// (`is_early`): its disk does not answer, and as many wait for such disks as may, since each takes
/// memory.
pub fn why_in_vain(library: &Library, offer: &Offer, is_early: bool) -> Option<Trouble> {
    let dir = library.dir(&offer.record);
    let is_silent = if is_early {
        waits_in_vain(library, offer)
    } else {
        matches!(offer.brought, Brought::Torrent(..)) && library.silent.has(dir)
    };
    if !is_silent || !matches!(offer.asker, Asker::Client(_)) {
        return None;
    }
    let begun = under_way(library, |is_asked, is_silent| is_asked && is_silent);
    let waiting = library.waiting.iter();
    let waiting = waiting.filter(|it| waits_in_vain(library, it)).count();
    (begun + waiting >= limits::ADDS_AT_ONCE).then(|| {
        let dir = dir.display();
        let why = format!("{dir}: the disk does not answer: add it again once it does");
        Trouble::Failed(why)
    })
}
