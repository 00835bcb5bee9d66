//! What a tracker may be told of us at a moment, and the questions made of it.

use super::action::Outbox;
use super::shared::Shared;
use crate::base::{Duration, InfoHash, PeerId, Rng, Time, limits};
use crate::http::Url;
use crate::wire::announce::{Event, Query, Reply};
use crate::wire::scrape::scrape_url;
use crate::wire::{Family, Retry, Scraped};

/// What trackers are told of us throughout.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Our name.
    pub peer_id: PeerId,
    /// The key that only we and the trackers know: by it they recognise us when our address
    /// changes.
    pub key: u32,
    /// The port that we listen on.
    pub port: u16,
}

impl Identity {
    /// The port that is told where nobody can dial us: many trackers refuse 0.
    pub const NO_PORT: u16 = 1;

    /// Of one that asks how a swarm is: a scrape names the torrent only.
    pub fn nameless(info_hash: InfoHash) -> Identity {
        Identity {
            info_hash,
            peer_id: PeerId([0; 20]),
            key: 0,
            port: 0,
        }
    }
}

/// Address families that we can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Families {
    /// Those that can be used.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        let all = [(self.v4, Family::V4), (self.v6, Family::V6)];
        all.into_iter()
            .filter_map(|(usable, family)| usable.then_some(family))
    }
}

/// How far we are with the trackers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Nobody has been told anything.
    Waiting,
    /// In the swarm.
    Announcing,
    /// Trackers that know us are told that we leave, until this moment at the latest.
    Leaving {
        /// When to give up.
        until: Time,
    },
    /// Not in the swarm: everybody is asked once how it is.
    Scraping,
    /// Everybody is asked once who is in the swarm.
    Asking,
}

/// Where we stand.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Who we are.
    pub identity: Identity,
    /// How far we are.
    pub stage: Stage,
    /// Bytes of content sent since the start.
    pub uploaded: u64,
    /// Bytes of content received since the start.
    pub downloaded: u64,
    /// Bytes of content still to come.
    pub left: u64,
    /// Whether the download became complete since the start.
    pub completed: bool,
    /// Whether trackers at local addresses are asked whatever their path.
    pub allow_local: bool,
}

/// What a tracker's machine may use while it handles an input.
pub struct Context<'a> {
    /// The moment.
    pub now: Time,
    /// Where we stand.
    pub us: &'a Standing,
    /// For transaction ids.
    pub rng: &'a mut Rng,
    /// What all torrents share.
    pub shared: &'a mut Shared,
    /// Where actions go.
    pub out: &'a mut Outbox,
}

/// What a tracker is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// An announce.
    Announce(Query),
    /// How the swarm of this torrent is.
    Scrape(InfoHash),
}

impl Question {
    /// The URL that it gets over HTTP.
    ///
    /// # Errors
    /// Why there is none.
    pub fn url(&self, announce: &str) -> Result<Url, String> {
        match self {
            Question::Announce(query) => Url::parse(&query.url(announce)),
            Question::Scrape(info_hash) => match scrape_url(announce, *info_hash) {
                Some(url) => Url::parse(&url),
                None => Err(String::from(
                    "it cannot be scraped: its URL does not end in \"announce\"",
                )),
            },
        }
    }
}

/// What it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// To an announce.
    Announced(Reply),
    /// To a scrape.
    Scraped(Scraped),
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// For the user: what happened, or the tracker's words.
    pub why: String,
    /// What the tracker says of the next try (BEP 31): that it may come at once if the tracker says
    /// nothing of it. `None`: the failure is not an answer of the tracker.
    pub retry: Option<Retry>,
}

/// How an exchange with a tracker has ended; `None` while it goes on.
pub type Over = Option<Result<Heard, Failure>>;

/// The failure of a tracker that has answered, with a refusal or with what cannot be read: it is
/// not asked again in a hurry.
pub fn refused(why: impl Into<String>, retry: Option<Retry>) -> Failure {
    Failure {
        why: why.into(),
        retry: retry.or(Some(Retry::After(Duration::ZERO))),
    }
}

/// An exchange that has failed for a reason of its own, not by the tracker's word.
pub fn failed(why: impl Into<String>) -> Over {
    Some(Err(Failure {
        why: why.into(),
        retry: None,
    }))
}

impl Standing {
    /// Nobody has been told anything.
    pub fn new(identity: Identity) -> Standing {
        Standing {
            identity,
            stage: Stage::Waiting,
            uploaded: 0,
            downloaded: 0,
            left: 0,
            completed: false,
            allow_local: false,
        }
    }

    /// What to ask now: an announce with this event, or a scrape.
    pub fn question(&self, event: Option<Event>, tracker_id: Option<&[u8]>) -> Question {
        let Identity {
            info_hash,
            peer_id,
            key,
            port,
        } = self.identity;
        let num_want = match self.stage {
            Stage::Scraping => return Question::Scrape(info_hash),
            Stage::Leaving { .. } => 0,
            Stage::Waiting | Stage::Announcing | Stage::Asking => limits::NUM_WANT,
        };
        Question::Announce(Query {
            info_hash,
            peer_id,
            port,
            uploaded: self.uploaded,
            downloaded: self.downloaded,
            left: self.left,
            event,
            num_want,
            key,
            tracker_id: tracker_id.map(<[u8]>::to_vec),
        })
    }

    /// Whether we are on the way out.
    pub fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Leaving { .. })
    }
}
