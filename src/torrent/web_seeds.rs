//! The web seeds of one torrent: which of them are connected, and which are to be.

use crate::base::{Geometry, PeerKey, Rng, Time, limits, sooner};
use crate::http::{Scheme, Url, shown};
use crate::webseed::{Content, Site};

/// All of them.
#[derive(Debug)]
pub struct WebSeeds {
    /// What they have.
    pub content: Content,
    /// Each of them.
    pub sites: Vec<Site>,
    /// The connections to them, those that are being made included, and the place of each site.
    pub connections: Vec<(PeerKey, usize)>,
    /// When it is looked anew whether more of them are to be connected.
    pub look_at: Time,
    /// Why some cannot be asked at all, for the user.
    pub unusable: Option<String>,
    /// Pieces of one of them were wrong, and its connections are to end.
    pub wrong: bool,
}

impl WebSeeds {
    /// Those with these URLs, in any order, so that not all clients ask the first ones.
    pub fn new((urls, content): (Vec<String>, Content), mut rng: Rng, now: Time) -> WebSeeds {
        let (mut sites, mut refused) = (Vec::new(), Vec::new());
        for url in urls.iter().take(limits::WEB_SEEDS) {
            let parsed = Url::parse(url).and_then(|url| match url.scheme {
                Scheme::Udp => Err(String::from("not an http URL")),
                _ => Ok(()),
            });
            match parsed {
                Ok(()) => {
                    let place = rng.below(sites.len() as u64 + 1) as usize;
                    sites.insert(place, Site::new(url));
                }
                Err(why) => refused.push(format!("{}: {why}", shown(url))),
            }
        }
        let unusable = refused.first().map(|first| {
            let (some, all) = (refused.len(), refused.len() + sites.len());
            format!("web seeds: {some} of {all} cannot be asked: {first}")
        });
        WebSeeds {
            content,
            sites,
            unusable,
            connections: Vec::new(),
            look_at: now,
            wrong: false,
        }
    }

    /// Connections to this site.
    pub fn connections_of(&self, site: usize) -> usize {
        let all = self.connections.iter();
        all.filter(|(_, other)| *other == site).count()
    }

    /// Whether another connection to this site was there before this one.
    pub fn is_second(&self, key: PeerKey, site: usize) -> bool {
        let first = self.connections.iter().find(|(_, other)| *other == site);
        first.is_some_and(|(first, _)| *first != key)
    }

    /// Whether there are several files, and they are small.
    pub fn has_small_files(&self, geometry: Geometry) -> bool {
        let files = self.content.count().max(1);
        files > 1 && geometry.size() / files < limits::WEB_SMALL_FILE
    }

    /// Connections that there may be to this site, with so many bytes left to get.
    pub fn most_of(&self, site: usize, geometry: Geometry, left: u64) -> usize {
        let (small, site) = (self.has_small_files(geometry), &self.sites[site]);
        let long = left > 2 * limits::WEB_SPLIT && site.ranged;
        if !site.whole_only && (small || long) {
            limits::WEB_CONNECTIONS
        } else {
            1
        }
    }

    /// What each is doing, for people.
    pub fn words(&self, now: Time) -> Vec<String> {
        let word = |(place, site): (usize, &Site)| {
            let state = match (site.over(), site.waits_until()) {
                _ if self.connections_of(place) > 0 => String::from("connected"),
                (Some(why), _) => format!("not asked any more: {why}"),
                (None, Some(until)) if until > now => {
                    let why = site.told().unwrap_or("it failed");
                    format!("waits {} s: {why}", until.since(now).as_secs())
                }
                _ => String::from("not asked now"),
            };
            format!("{}: {state}", site.name())
        };
        self.sites.iter().enumerate().map(word).collect()
    }

    /// How many have a connection, or one that is being made.
    pub fn connected(&self) -> usize {
        let sites = 0..self.sites.len();
        sites.filter(|site| self.connections_of(*site) > 0).count()
    }

    /// How many are connected, or are about to be.
    fn busy(&self) -> usize {
        let looked_up = self.sites.iter().filter(|site| site.is_looked_up());
        self.connections.len() + looked_up.count()
    }

    /// The sites that may be connected now, and have not as many connections as they may.
    pub fn wanting(&self, geometry: Geometry, left: u64, now: Time) -> Vec<usize> {
        let may = |place: &usize| {
            let most = self.most_of(*place, geometry, left);
            let site = &self.sites[*place];
            let waits = site.waits_until().is_some_and(|until| until > now);
            let own = self.connections_of(*place);
            let first = own == 0 && self.busy() < limits::WEB_SEEDS_AT_ONCE;
            site.over().is_none() && !waits && (first || (1..most).contains(&own))
        };
        (0..self.sites.len()).filter(may).collect()
    }

    /// When [`WebSeeds::wanting`] may name more though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let idle = (0..self.sites.len()).filter(|place| self.connections_of(*place) == 0);
        let waits = idle.filter_map(|place| {
            let site = &self.sites[place];
            let due = site.waits_until().unwrap_or(self.look_at).max(self.look_at);
            (site.over().is_none() && !site.is_looked_up()).then_some(due)
        });
        let full = self.busy() >= limits::WEB_SEEDS_AT_ONCE;
        waits.fold(None, |next, due| sooner(next, Some(due).filter(|_| !full)))
    }

    /// A piece that one of them sent was wrong. What to tell the user.
    pub fn on_wrong(&mut self, geometry: Geometry, site: usize, piece: u32) -> Option<String> {
        let mut at = geometry.piece_start(piece);
        let end = at + u64::from(geometry.piece_size(piece));
        let mut files = Vec::new();
        while at < end {
            let part = self.content.part(at);
            if !part.padding {
                files.push(part.file);
            }
            at = part.bytes.end.max(at + 1);
        }
        self.wrong = true;
        let site = self.sites.get_mut(site)?;
        site.on_wrong(files.into_iter(), piece)
    }

    /// A connection is over.
    pub fn forget(&mut self, key: PeerKey) {
        self.connections.retain(|(other, _)| *other != key);
    }
}
