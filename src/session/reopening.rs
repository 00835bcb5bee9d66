//! Torrents that have failed and are resumed. What made one fail may be mended, but what is known
//! of its files is no longer true: so it is opened as at a start, and that takes its place here.
//! Until then it is shown under its number.

use super::session::Session;
use crate::base::{InfoHash, Time, TorrentKey};
use crate::torrent::{Stage, Then, Torrent};

/// Steers a torrent that has failed, or that is opened anew since it had: it is opened anew, or
/// stays as it is (`paused`). False: it is none of these.
pub(super) fn steer(session: &mut Session, key: TorrentKey, paused: bool, now: Time) -> bool {
    let Some(torrent) = session.torrents.get_mut(key) else {
        return false;
    };
    let life = &mut torrent.life;
    let until = match life.stage {
        Stage::Reopening { .. } => {
            life.stage = Stage::Reopening { paused };
            return true;
        }
        Stage::Leaving {
            until,
            then: Then::Reopen { .. },
        } => {
            let then = Then::Reopen { paused };
            life.stage = Stage::Leaving { until, then };
            return true;
        }
        _ if life.failure.is_none() || life.is_being_removed() => return false,
        Stage::Leaving { until, .. } => until,
        _ => now,
    };
    let then = if paused {
        Then::Pause
    } else {
        life.failure = None;
        // As after a pause: what ended it before would end it again at once.
        life.endless |= life.reached;
        Then::Reopen { paused }
    };
    life.stage = Stage::Leaving { until, then };
    session.stir(key);
    true
}

/// The files of a torrent are being closed, as [`Effect::Reopen`](crate::torrent::Effect::Reopen)
/// asks for: nothing of them is used any more.
pub fn release_files(session: &mut Session, torrent: TorrentKey, now: Time) {
    if let Some(torrent) = session.torrents.get_mut(torrent) {
        let progress = torrent.progress(now);
        torrent.life.unchecked = Some(Box::new(progress));
        (torrent.life.drowsy, torrent.life.waking) = (false, false);
        torrent.awake = None;
    }
    session.torrents.refile(torrent);
}

/// The torrent of this info hash, if it is to be opened anew.
pub fn find(session: &Session, info_hash: &InfoHash) -> Option<TorrentKey> {
    let torrent = session.torrents.get(session.torrents.find(info_hash)?)?;
    is_under_way(torrent).then_some(torrent.key)
}

/// Whether a torrent is to be opened anew.
pub fn is_under_way(torrent: &Torrent) -> bool {
    matches!(torrent.life.stage, Stage::Reopening { .. })
}
