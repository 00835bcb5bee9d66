//! Two sources of one torrent: what the second one says is added to what the first one said.

use std::path::PathBuf;
use std::sync::Arc;

use super::claims::{Claims, Taken};
use super::disk::threads::finding;
use super::setup::{Mode, Reporter, Setup};
use crate::base::limits;
use crate::torrent::Report;

/// Adds the trackers that are not there, as many as a torrent may have.
pub fn add_tiers(there: &mut Vec<Vec<String>>, others: &[Vec<String>]) {
    for tier in others {
        let known = |url: &&String| {
            let mut known = there.iter().flatten();
            known.any(|known| known.trim() == url.trim())
        };
        let room = limits::TRACKERS.saturating_sub(there.iter().map(Vec::len).sum());
        let fresh = tier.iter().filter(|url| !known(url)).take(room);
        let fresh: Vec<String> = fresh.cloned().collect();
        if !fresh.is_empty() {
            there.push(fresh);
        }
    }
}

/// Adds what is not there of peers or web seeds, up to so many in all. Returns what is new.
pub fn add_names(there: &mut Vec<String>, others: &[String], most: usize) -> Vec<String> {
    let before = there.len();
    for name in others {
        if there.len() < most && !there.contains(name) {
            there.push(name.clone());
        }
    }
    there[before.min(there.len())..].to_vec()
}

/// Adds what the second setup of one torrent says to the first one: whether there was anything. If
/// only a link was known and the second has the torrent, that takes its place.
///
/// # Errors
/// Another torrent has the files of the second.
pub fn add_setup(there: &mut Setup, mut other: Setup, claims: &mut Claims) -> Result<bool, Taken> {
    let described = there.origin.wanted.is_some() && other.origin.wanted.is_none();
    if described {
        take_place(&other, claims)?;
        std::mem::swap(there, &mut other);
    }
    let trackers = match &other.origin.wanted {
        Some(wanted) => wanted.link.trackers.clone(),
        None => other.metainfo.trackers.clone(),
    };
    let before = count(there);
    match &mut there.origin.wanted {
        Some(wanted) => {
            add_tiers(&mut wanted.link.trackers, &trackers);
            if let Some(other) = &other.origin.wanted {
                let seeds = (&mut wanted.link.web_seeds, &other.link.web_seeds);
                add_names(seeds.0, seeds.1, limits::WEB_SEEDS);
            }
        }
        None => add_tiers(&mut Arc::make_mut(&mut there.metainfo).trackers, &trackers),
    }
    let peers = &mut there.origin.peers;
    add_names(peers, &other.origin.peers, limits::LINK_PEERS);
    Ok(described || count(there) > before)
}

/// Trackers and peers that a setup names.
fn count(setup: &Setup) -> usize {
    let tiers = match &setup.origin.wanted {
        Some(wanted) => &wanted.link.trackers,
        None => &setup.metainfo.trackers,
    };
    tiers.iter().map(Vec::len).sum::<usize>() + setup.origin.peers.len()
}

/// Adds sources of one torrent together, and leaves out torrents that would use files of another
/// one. How many of these there are that are wanted and not run, and what the others have.
pub fn claimed(setups: &mut Vec<Setup>, reporter: &mut Reporter<'_>) -> (usize, Claims) {
    let (mut claims, mut refused) = (Claims::default(), 0);
    let mut kept: Vec<Setup> = Vec::new();
    for setup in std::mem::take(setups) {
        let Err(taken) = claims.take(setup.metainfo.info_hash, place(&setup), writes(&setup))
        else {
            kept.push(setup);
            continue;
        };
        let (name, info_hash) = (setup.metainfo.name.clone(), setup.metainfo.info_hash);
        let label = named(&setup);
        let there = kept
            .iter_mut()
            .find(|there| there.metainfo.info_hash == info_hash && taken == Taken::Twice);
        let merged = match there {
            Some(there) => add_setup(there, setup, &mut claims),
            None => Err(taken),
        };
        let report = match merged {
            Ok(false) => Report::Warning(Taken::Twice.words(&name, "is named")),
            Ok(true) => {
                let line = Taken::Twice.words(&name, "is named");
                Report::Warning(format!("{line}: what both say of it is used"))
            }
            Err(mut taken) => {
                refused += 1;
                if let Taken::By(holder) = &mut taken {
                    let same = |kept: &&Setup| kept.metainfo.info_hash == holder.info_hash;
                    let kept = kept.iter().find(same);
                    if let Some(kept) = kept {
                        holder.name = named(kept);
                    }
                }
                Report::Unbegun(info_hash, taken.words(&label, "is named"))
            }
        };
        let _ = reporter(None, report);
    }
    *setups = kept;
    (refused, claims)
}

/// Takes the files of a torrent that has become known.
///
/// # Errors
/// Another torrent has them.
pub fn take_place(setup: &Setup, claims: &mut Claims) -> Result<(), Taken> {
    match place(setup) {
        Some(place) => claims.take_place(setup.metainfo.info_hash, place, writes(setup)),
        None => Ok(()),
    }
}

/// Where a torrent's content lies; `None`: only a link is known.
fn place(setup: &Setup) -> Option<PathBuf> {
    let metainfo = &setup.metainfo;
    let is_known = !metainfo.files.is_empty();
    is_known.then(|| finding::real(&setup.dir, &metainfo.name))
}

fn writes(setup: &Setup) -> bool {
    matches!(setup.mode, Mode::Get { .. })
}

/// A torrent by its name and its file, since several may have one name.
fn named(setup: &Setup) -> String {
    let name = &setup.metainfo.name;
    match &setup.origin.file {
        Some(file) => format!("{name} ({})", file.display()),
        None => name.clone(),
    }
}
