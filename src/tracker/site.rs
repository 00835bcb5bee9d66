//! The trackers that torrents name, each kept once: a thousand torrents mostly name the same few.

use std::net::SocketAddr;
use std::sync::Arc;

use super::visits::together;
use crate::base::{Now, SortedMap, limits};
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
    /// When all torrents that were given their turn so far will have asked it.
    even: Now,
}

/// All that a torrent names, by announce URL.
#[derive(Debug, Default)]
pub struct Sites {
    known: SortedMap<Box<str>, Known>,
    /// How many may be kept before those are looked for that no torrent names any more.
    most: usize,
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
            even: Now::default(),
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

    /// When a torrent is to begin to ask the tracker of this URL: at once, or as soon as those of
    /// which it is the turn before it will have asked, but for [`limits::TRACKER_CROWD`].
    pub fn turn(&mut self, announce: &str, now: Now) -> Now {
        let Some(known) = self.known.get_mut(announce) else {
            return now;
        };
        let wait = known.even.since(now);
        known.even = known.even.max(now) + limits::PROVEN_GAP;
        let wait = wait.saturating_sub(limits::PROVEN_GAP * limits::TRACKER_CROWD);
        if wait.is_zero() {
            now
        } else {
            together(now + wait)
        }
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
    fn of_many_torrents_a_few_begin_at_once_and_the_others_a_few_at_a_time() {
        let (mut sites, start) = (Sites::default(), Now::from_micros(3_600_000_000));
        let [one, other] = ["http://t.example/announce", "http://u.example/announce"];
        sites.get(one).unwrap();
        sites.get(other).unwrap();
        let turns: Vec<Now> = (0..1000).map(|_| sites.turn(one, start)).collect();
        let crowd = limits::TRACKER_CROWD as usize;
        assert_eq!(
            turns.iter().filter(|&&turn| turn == start).count(),
            crowd + 1
        );
        assert!(turns.is_sorted());
        let together = limits::PROVEN_AT_ONCE as usize;
        assert!(
            turns[crowd + 1..]
                .windows(together + 1)
                .all(|it| it[0] < it[together])
        );
        let last = limits::PROVEN_GAP * (999 - limits::TRACKER_CROWD);
        assert!(turns[999] >= start + last);
        assert!(turns[999] < start + last + limits::PROVEN_GAP * limits::PROVEN_AT_ONCE);
        assert_eq!(sites.turn(other, start), start, "it has no crowd");
        let later = turns[999] + limits::PROVEN_GAP * limits::TRACKER_CROWD;
        assert_eq!(sites.turn(one, later), later, "all have asked by then");
    }
}
