//! What a folder keeps of one torrent: a line of its list.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::chosen::Limits;
use crate::base::{InfoHash, Time, TorrentKey};
use crate::session::{Change, Command, Session, command};
use crate::wire::json::Json;
use crate::wire::magnet;

/// What is kept of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The number that users know it by.
    pub number: u32,
    /// It waits until it is resumed.
    pub paused: bool,
    /// It was resumed after it had reached its ratio or seed time: it seeds without a limit.
    pub endless: bool,
    /// It has reached its ratio or seed time.
    pub reached: bool,
    /// It was complete once: see `unrun`.
    pub complete: bool,
    /// It is to be deleted; `true`: with its content.
    pub removing: Option<bool>,
    /// What few torrents have; `None`: nothing of it.
    pub special: Option<Box<Special>>,
}

/// What few torrents have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Special {
    /// Limits of its own, bytes a second.
    pub limits: Limits,
    /// The folder of its content, if that is not the usual one.
    pub dir: Option<PathBuf>,
    /// The files that are to be downloaded, by their places in the torrent; none: all.
    pub files: Vec<RangeInclusive<usize>>,
    /// Its peers that a link has named, as `host:port`.
    pub peers: Vec<String>,
    /// Trackers that other sources of it have named, by tier.
    pub trackers: Vec<Vec<String>>,
    /// It is complete, and the command that is to be run then waits, or could not be run.
    pub unrun: bool,
}

impl Special {
    const NOTHING: &Special = &Special {
        limits: Limits {
            down: None,
            up: None,
        },
        dir: None,
        files: Vec::new(),
        peers: Vec::new(),
        trackers: Vec::new(),
        unrun: false,
    };

    /// It, unless it is nothing.
    pub fn kept(self) -> Option<Box<Special>> {
        (self != *Special::NOTHING).then(|| Box::new(self))
    }
}

impl Record {
    /// What few torrents have.
    pub fn special(&self) -> &Special {
        self.special.as_deref().unwrap_or(Special::NOTHING)
    }

    /// Changes what few torrents have; returns what the change returns.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Special) -> T) -> T {
        let mut special = self.special.take().map_or_else(Special::default, |it| *it);
        let changed = change(&mut special);
        self.special = special.kept();
        changed
    }

    /// Applies the record to a torrent that was added just now.
    pub fn apply(&self, torrent: TorrentKey, session: &mut Session, now: Time) {
        if self.reached {
            command::set_reached(session, torrent);
        }
        if self.endless {
            command::set_endless(session, torrent);
        }
        let limits = self.special().limits;
        let limits = Change {
            down: limits.down.map(Some),
            up: limits.up.map(Some),
        };
        if limits != Change::default() {
            let torrent = Some(torrent);
            let _ = command::perform(session, Command::Limit { torrent, limits }, now);
        }
        if self.paused {
            let _ = command::perform(session, Command::Pause(torrent), now);
        }
    }

    /// As a line of the list.
    pub(super) fn line(&self, info_hash: &InfoHash) -> Json {
        let mut members = vec![
            ("hash", info_hash.to_string().into()),
            ("number", Json::count(self.number)),
        ];
        let special = self.special();
        let flags = [
            ("paused", self.paused),
            ("endless", self.endless),
            ("reached", self.reached),
            ("complete", self.complete),
            ("unrun", special.unrun),
        ];
        let raised = flags.into_iter().filter(|(_, is_set)| *is_set);
        members.extend(raised.map(|(name, _)| (name, true.into())));
        members.extend(special.limits.members());
        let dir = special.dir.as_deref().and_then(Path::to_str);
        members.extend(dir.map(|dir| ("dir", dir.into())));
        let peers: Vec<Json> = special
            .peers
            .iter()
            .map(|peer| peer.as_str().into())
            .collect();
        members.extend((!peers.is_empty()).then_some(("peers", Json::List(peers))));
        let tier = |tier: &Vec<String>| {
            let urls = tier.iter().map(|url| Json::from(url.as_str()));
            Json::List(urls.collect())
        };
        let tiers: Vec<Json> = special.trackers.iter().map(tier).collect();
        members.extend((!tiers.is_empty()).then_some(("trackers", Json::List(tiers))));
        let files = magnet::ranges_text(&special.files);
        members.extend((!files.is_empty()).then(|| ("files", files.into())));
        members.extend(self.removing.map(|data| ("remove_data", data.into())));
        Json::object(members)
    }

    /// What a line of the list says; `None`: it cannot be read.
    pub(super) fn read(line: &Json) -> Option<(InfoHash, Record)> {
        let flag = |name: &str| line.get(name).and_then(Json::truth);
        let count = |name: &str| line.get(name).and_then(Json::whole);
        let info_hash = InfoHash::from_hex(line.get("hash")?.text()?)?;
        let files = line.get("files").and_then(Json::text);
        let peers = line.get("peers").and_then(Json::items);
        let peers = peers.unwrap_or_default().iter().filter_map(Json::text);
        let tiers = line.get("trackers").and_then(Json::items);
        let tiers = tiers.unwrap_or_default().iter().filter_map(Json::items);
        let tier = |urls: &[Json]| -> Vec<String> {
            let urls = urls.iter().filter_map(Json::text);
            urls.map(String::from).collect()
        };
        let record = Record {
            number: count("number")?.try_into().ok()?,
            paused: flag("paused").unwrap_or_default(),
            endless: flag("endless").unwrap_or_default(),
            reached: flag("reached").unwrap_or_default(),
            complete: flag("complete").unwrap_or_default(),
            removing: flag("remove_data"),
            special: Special {
                limits: Limits::read(line),
                dir: line.get("dir").and_then(Json::text).map(PathBuf::from),
                files: magnet::ranges(files.unwrap_or_default().as_bytes()),
                peers: peers.map(String::from).collect(),
                trackers: tiers.map(tier).collect(),
                unrun: flag("unrun").unwrap_or_default(),
            }
            .kept(),
        };
        Some((info_hash, record))
    }
}
