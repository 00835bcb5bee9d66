//! The trackers that torrents name, each kept once: a thousand torrents mostly name the same few.

use std::sync::Arc;

use crate::base::SortedMap;
use crate::http::Url;

/// A tracker as torrents name it.
#[derive(Debug)]
pub struct Site {
    /// The announce URL as the torrent has it.
    pub announce: String,
    /// The same, taken apart.
    pub url: Url,
}

/// All that a torrent names, by announce URL.
#[derive(Debug, Default)]
pub struct Sites {
    known: SortedMap<Box<str>, Arc<Site>>,
    /// How many may be kept before those are looked for that no torrent names any more.
    most: usize,
}

impl Sites {
    /// The tracker of this URL.
    ///
    /// # Errors
    /// Why the URL cannot be used.
    pub fn get(&mut self, announce: &str) -> Result<Arc<Site>, String> {
        if let Some(site) = self.known.get(announce) {
            return Ok(Arc::clone(site));
        }
        let site = Arc::new(Site {
            announce: announce.to_owned(),
            url: Url::parse(announce)?,
        });
        if self.known.len() >= self.most {
            self.known.retain(|_, site| Arc::strong_count(site) > 1);
            self.most = (2 * self.known.len()).max(16);
        }
        self.known.insert(announce.into(), Arc::clone(&site));
        Ok(site)
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
}
