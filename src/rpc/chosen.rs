//! The torrents that `ids` chooses.

use super::names::Names;
use super::request::Request;
use crate::base::{InfoHash, SortedMap, SortedSet};
use crate::session::{TorrentView, View};
use crate::wire::json::Json;

/// What `ids` says.
#[derive(Debug)]
pub enum Chosen<'a> {
    /// These, once each, in the order of the request. Numbers and hashes that no torrent has are
    /// left out.
    Some(Vec<&'a TorrentView>),
    /// Those that something happened to lately.
    RecentlyActive,
}

/// What the request's `ids` says: all torrents if it is absent.
pub fn chosen<'a>(request: &Request, view: &'a View) -> Chosen<'a> {
    match request.param("ids") {
        None => Chosen::Some(view.torrents.iter().collect()),
        Some(Json::List(ids)) => Chosen::Some(listed(ids, view)),
        Some(Json::Text(text)) if Names::Old.read(text) == "recently_active" => {
            Chosen::RecentlyActive
        }
        Some(id) => Chosen::Some(listed(std::slice::from_ref(id), view)),
    }
}

fn listed<'a>(ids: &[Json], view: &'a View) -> Vec<&'a TorrentView> {
    let torrents = || view.torrents.iter();
    let by_number: SortedMap<i64, _> = torrents().map(|t| (i64::from(t.number), t)).collect();
    let by_hash: SortedMap<InfoHash, _> = torrents().map(|t| (t.info_hash, t)).collect();
    let one = |id: &Json| match id {
        Json::Whole(number) => by_number.get(number).copied(),
        Json::Text(hash) => by_hash.get(&InfoHash::from_hex(hash)?).copied(),
        _ => None,
    };
    // Once each, however often it is named.
    let mut taken = SortedSet::new();
    let found = ids.iter().filter_map(one);
    found
        .filter(|torrent| taken.insert(torrent.number))
        .collect()
}
