//! A peer that is asked for metadata: what it has said, and what it has to answer.

use std::net::IpAddr;

use crate::base::{Duration, SortedMap, SortedSet, Time, limits};

/// A peer that speaks the metadata extension.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) host: IpAddr,
    /// Strikes of this peer.
    pub(super) strikes: u32,
    /// Bytes of the dictionary, as it says; `None`: it does not have it.
    pub(super) size: Option<u32>,
    /// The blocks that it was asked for, and when.
    pub(super) asked: SortedMap<u32, Time>,
    /// The blocks that it was asked for and has not sent in time: they count if they come.
    pub(super) late: SortedSet<u32>,
    /// Blocks that it may be asked for at a time.
    pub(super) depth: usize,
    /// It answers one request at a time.
    pub(super) orderly: bool,
    /// It is left alone until then.
    pub(super) until: Option<Time>,
    /// How long it is left alone next where it has said no size.
    pub(super) poll: Duration,
}

impl Asked {
    /// One that has said nothing yet. `orderly`: it answers one request at a time.
    pub(super) fn new(host: IpAddr, orderly: bool) -> Asked {
        Asked {
            host,
            strikes: 0,
            size: None,
            asked: SortedMap::new(),
            late: SortedSet::new(),
            depth: limits::METADATA_DEPTH,
            orderly,
            until: None,
            poll: limits::METADATA_POLL,
        }
    }

    /// It answered late: it is slow, and answers what it is asked for.
    pub(super) fn on_late_answer(&mut self) {
        self.depth = if self.orderly {
            1
        } else {
            limits::METADATA_DEPTH
        };
    }

    /// Notes the requests that it has not answered in time; whether there are any.
    pub(super) fn miss_late(&mut self, now: Time) -> bool {
        let late = |at: &Time| now.since(*at) >= limits::METADATA_LATE;
        if !self.asked.values().any(late) {
            return false;
        }
        // rtorrent answers nothing more if it was asked for several at once.
        self.depth = 1;
        let all = self.asked.iter().filter(|(_, at)| late(at));
        self.late.extend(all.map(|(&piece, _)| piece));
        self.asked.retain(|_, at| !late(at));
        true
    }

    /// Nothing that it was asked for counts any more.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
        self.late = SortedSet::new();
    }
}
