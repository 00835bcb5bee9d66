//! What is said of the process: `session_get` and `session_stats`.

use super::names::Names;
use super::rates::{self, Remembered, SESSION, SESSION_BYTES};
use super::request::Request;
use crate::session::{State, View};
use crate::wire::json::Json;

/// The version of Transmission's remote control that this one follows.
const VERSION: &str = "6.0.1";
/// The number that it had before, and the oldest whose clients are understood.
const NUMBER: i64 = 19;
/// See [`NUMBER`].
const OLDEST: i64 = 14;

/// What does not change while the process runs.
#[derive(Clone, Debug)]
pub struct About {
    /// The folder that it was started for.
    pub config_dir: String,
    /// Where content lies.
    pub download_dir: String,
    /// The port that peers dial.
    pub peer_port: u16,
    /// Connections at most.
    pub peer_limit: usize,
}

/// The settings, or those that `fields` names.
pub fn settings(request: &Request, about: &About, view: &View, remembered: &Remembered) -> Json {
    let names = request.names;
    let limits = remembered.shown(None, &view.rates);
    let mut all: Vec<(&str, Json)> = vec![
        ("config_dir", about.config_dir.as_str().into()),
        ("download_dir", about.download_dir.as_str().into()),
        ("download_queue_enabled", true.into()),
        ("download_queue_size", Json::count(view.active)),
        ("peer_limit_global", Json::count(about.peer_limit)),
        ("peer_port", Json::count(about.peer_port)),
        ("rpc_version", Json::Whole(NUMBER)),
        ("rpc_version_minimum", Json::Whole(OLDEST)),
        ("rpc_version_semver", VERSION.into()),
    ];
    for ([number, counts], (limit, is_limited)) in SESSION.into_iter().zip(limits) {
        all.push((number, Json::Whole(limit)));
        all.push((counts, is_limited.into()));
    }
    let exact = [view.rates.down_limit, view.rates.up_limit].map(rates::bytes);
    all.extend(SESSION_BYTES.into_iter().zip(exact));
    all.push(("units", units(names)));
    all.push((
        "version",
        concat!(env!("CARGO_PKG_VERSION"), " (brooklet)").into(),
    ));
    let wanted = request
        .param("fields")
        .and_then(Json::items)
        .unwrap_or_default();
    let wanted: Vec<String> = wanted
        .iter()
        .filter_map(Json::text)
        .map(|name| names.read(name))
        .collect();
    // A field that is not known stands for all of them.
    let known = |name: &String| all.iter().any(|(other, _)| other == name);
    let are_all = wanted.is_empty() || !wanted.iter().all(known);
    let asked = all
        .into_iter()
        .filter(|(name, _)| are_all || wanted.iter().any(|w| w == name));
    Json::object(asked.map(|(name, value)| (names.dashed(name), value)))
}

/// The units that numbers are meant in.
fn units(names: Names) -> Json {
    let list = |words: [&str; 5]| Json::List(words.into_iter().map(Json::from).collect());
    let members = [
        ("memory_bytes", Json::Whole(1024)),
        ("memory_units", list(["B", "KiB", "MiB", "GiB", "TiB"])),
        ("size_bytes", Json::Whole(1000)),
        ("size_units", list(["B", "kB", "MB", "GB", "TB"])),
        ("speed_bytes", Json::Whole(1000)),
        ("speed_units", list(["B/s", "kB/s", "MB/s", "GB/s", "TB/s"])),
    ];
    Json::object(members.map(|(name, value)| (names.dashed(name), value)))
}

/// How many torrents there are, and what flows.
pub fn counts(names: Names, view: &View) -> Json {
    let is_still = |state| matches!(state, State::Paused | State::Failed | State::Stopping);
    let still = view
        .torrents
        .iter()
        .filter(|torrent| is_still(torrent.state))
        .count();
    let all = view.torrents.len();
    let members = [
        ("active_torrent_count", Json::count(all - still)),
        ("download_speed", Json::count(view.rates.down)),
        ("paused_torrent_count", Json::count(still)),
        ("torrent_count", Json::count(all)),
        ("upload_speed", Json::count(view.rates.up)),
    ];
    Json::object(members.map(|(name, value)| (names.joined(name), value)))
}
