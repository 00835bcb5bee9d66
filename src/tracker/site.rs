//! The trackers that torrents name, each kept once: a thousand torrents mostly name the same few.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use crate::base::{SortedMap, TorrentKey, limits};
use crate::http::Url;

/// A tracker as torrents name it.
#[derive(Debug)]
pub struct Site {
    /// The announce URL as the torrent has it.
    pub announce: String,
    /// The same, taken apart.
    pub url: Url,
}

#[derive(Debug)]
struct Known {
    site: Arc<Site>,
    /// What its name leads to, as torrents have found it.
    addrs: Vec<Arc<[SocketAddr]>>,
    /// The permits of the torrents that ask it now.
    permits: Weak<()>,
    /// Torrents that wait for a permit.
    line: VecDeque<TorrentKey>,
}

/// Permits a torrent to ask a tracker that many have. It is given back when it is dropped.
pub type Permit = Arc<()>;

impl Known {
    fn has_permit(&self) -> bool {
        self.permits.strong_count() < limits::TRACKER_CROWD
    }

    fn take_permit(&mut self) -> Permit {
        let permit = self.permits.upgrade().unwrap_or_default();
        self.permits = Arc::downgrade(&permit);
        permit
    }
}

/// All that a torrent names, by announce URL.
#[derive(Debug, Default)]
pub struct Sites {
    known: SortedMap<Box<str>, Known>,
    /// How many may be kept before those are looked for that no torrent names any more.
    most: usize,
    /// The trackers for which torrents wait.
    crowded: Vec<Arc<Site>>,
}

impl Sites {
    /// The tracker of this URL.
    ///
    /// # Errors
    /// Why the URL cannot be used.
    pub fn get(&mut self, announce: &str) -> Result<Arc<Site>, String> {
        if let Some(known) = self.known.get(announce) {
            return Ok(Arc::clone(&known.site));
        }
        let site = Arc::new(Site {
            announce: announce.to_owned(),
            url: Url::parse(announce)?,
        });
        if self.known.len() >= self.most {
            self.known.retain(|_, it| Arc::strong_count(&it.site) > 1);
            self.most = (2 * self.known.len()).max(16);
        }
        let known = Known {
            site: Arc::clone(&site),
            addrs: Vec::new(),
            permits: Weak::new(),
            line: VecDeque::new(),
        };
        self.known.insert(announce.into(), known);
        Ok(site)
    }

    /// Addresses of the tracker of this URL, kept once for all torrents that found the same.
    pub fn keep(&mut self, announce: &str, addrs: Vec<SocketAddr>) -> Arc<[SocketAddr]> {
        let Some(known) = self.known.get_mut(announce) else {
            return addrs.into();
        };
        if let Some(kept) = known.addrs.iter().find(|kept| kept[..] == addrs[..]) {
            return Arc::clone(kept);
        }
        let addrs: Arc<[SocketAddr]> = addrs.into();
        known.addrs.retain(|kept| Arc::strong_count(kept) > 1);
        known.addrs.push(Arc::clone(&addrs));
        addrs
    }

    /// Whether this torrent may begin to ask this tracker: fewer do so than
    /// [`limits::TRACKER_CROWD`]. Otherwise it waits until [`Sites::next_torrent`] names it.
    pub fn may_ask(&mut self, site: &Arc<Site>, torrent: TorrentKey) -> bool {
        let Some(known) = self.known.get_mut(&*site.announce) else {
            return true;
        };
        if known.line.is_empty() {
            if known.has_permit() {
                return true;
            }
            self.crowded.push(Arc::clone(site));
        }
        if !known.line.contains(&torrent) {
            known.line.push_back(torrent);
        }
        false
    }

    /// A permit to ask this tracker, however many torrents have one.
    pub fn take_permit(&mut self, site: &Site) -> Option<Permit> {
        let known = self.known.get_mut(&*site.announce)?;
        Some(known.take_permit())
    }

    /// Whether [`Sites::next_torrent`] names a torrent.
    pub fn has_next(&self) -> bool {
        let known = |site: &Arc<Site>| self.known.get(&*site.announce);
        self.crowded.iter().filter_map(known).any(Known::has_permit)
    }

    /// The next torrent that waits where a permit is free. It may have ceased to wait, or be gone.
    pub fn next_torrent(&mut self) -> Option<TorrentKey> {
        let Sites { known, crowded, .. } = self;
        let free = |site: &Arc<Site>| known.get(&*site.announce).is_some_and(Known::has_permit);
        let found = crowded.iter().position(free)?;
        let line = &mut known.get_mut(&*crowded[found].announce)?.line;
        let torrent = line.pop_front();
        if line.is_empty() {
            // At a start it was long: its memory is given back.
            *line = VecDeque::new();
            crowded.swap_remove(found);
        }
        torrent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_is_kept_once_and_as_long_as_a_torrent_names_it() {
        let mut sites = Sites::default();
        let kept = sites.get("http://t.example/announce").unwrap();
        assert!(sites.get("gopher://t.example/").is_err());
        for number in 0..100 {
            let again = sites.get("http://t.example/announce").unwrap();
            assert!(Arc::ptr_eq(&kept, &again));
            let other = format!("udp://t.example:{}", 1 + number);
            assert_eq!(sites.get(&other).unwrap().announce, other);
        }
        assert!(sites.known.len() <= 16, "{}", sites.known.len());
    }

    #[test]
    fn addresses_are_kept_once_and_as_long_as_a_torrent_has_them() {
        let mut sites = Sites::default();
        let url = "http://t.example/announce";
        sites.get(url).unwrap();
        let addrs = |last| vec![SocketAddr::from(([10, 0, 0, last], 80))];
        let kept = sites.keep(url, addrs(1));
        assert!(Arc::ptr_eq(&kept, &sites.keep(url, addrs(1))));
        for last in 2..100 {
            assert_eq!(sites.keep(url, addrs(last))[..], addrs(last));
        }
        let known = sites.known.get(url).unwrap();
        assert_eq!(known.addrs.len(), 2, "one that is used, and the last");
        assert!(Arc::ptr_eq(&kept, &known.addrs[0]));
    }

    #[test]
    fn of_many_torrents_a_few_ask_at_one_time_and_the_others_in_their_order() {
        let mut sites = Sites::default();
        let [one, other] = ["http://t.example/announce", "http://u.example/announce"]
            .map(|url| sites.get(url).unwrap());
        let crowd = limits::TRACKER_CROWD;
        let mut permits = Vec::new();
        for torrent in 0..100 {
            let may_ask = sites.may_ask(&one, torrent);
            assert_eq!(may_ask, torrent < crowd);
            permits.extend(may_ask.then(|| sites.take_permit(&one)));
        }
        assert!(sites.may_ask(&other, 1), "it has no crowd");
        assert!(!sites.has_next() && sites.next_torrent().is_none());
        assert!(!sites.may_ask(&one, crowd), "it waits already");
        // A torrent that is removed gives its permit back.
        permits.remove(0);
        assert!(sites.has_next());
        assert!(!sites.may_ask(&one, 100), "others came before");
        for key in crowd..=100 {
            assert_eq!(sites.next_torrent(), Some(key), "the others have gone");
        }
        assert_eq!((sites.has_next(), sites.next_torrent()), (false, None));
        assert!(sites.may_ask(&one, 7));
        permits.push(sites.take_permit(&one));
        permits.push(sites.take_permit(&one));
        assert!(!sites.may_ask(&one, 8), "one came who knows no peer");
    }
}
