//! One torrent of a running process, in words and as JSON.

use super::tracker::Tracker;
use crate::base::Duration;
use crate::cli::progress::percent;
use crate::cli::rate_limits;
use crate::cli::units::{Bytes, Part, Span, counted};
use crate::io::logging::printable;
use crate::wire::json::{self, Json};

/// A torrent as the other end shows it.
///
/// What is said of its trackers counts from the time of day, in seconds since 1970.
pub struct Torrent<'a>(pub &'a Json, pub u64);

impl Torrent<'_> {
    pub fn count(&self, field: &str) -> u64 {
        let number = self.0.get(field).and_then(Json::whole);
        number
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or_default()
    }

    pub fn number(&self, field: &str) -> f64 {
        self.0.get(field).and_then(Json::number).unwrap_or_default()
    }

    pub fn text(&self, field: &str) -> &str {
        self.0.get(field).and_then(Json::text).unwrap_or_default()
    }

    fn is(&self, field: &str) -> bool {
        self.0.get(field).and_then(Json::truth).unwrap_or_default()
    }

    fn size(&self) -> u64 {
        self.count("size_when_done")
    }

    fn done(&self) -> u64 {
        self.size().saturating_sub(self.count("left_until_done"))
    }

    /// Transmission's numbers in words.
    pub fn state(&self) -> &'static str {
        match self.count("status") {
            _ if self.count("error") != 0 => "failed",
            1 | 2 => "checking",
            3 => "queued",
            4 if self.search().is_some() => "fetching metadata",
            4 => "downloading",
            5 | 6 => "seeding",
            _ => "paused",
        }
    }

    /// More about that, to stand behind it.
    fn remark(&self) -> &'static str {
        match self.text("pause_reason") {
            _ if self.is("is_stalled") => ", stalled",
            _ if self.state() != "paused" => "",
            "user" => " by its user",
            "ratio" => ", its ratio is reached",
            "time" => ", its seed time is over",
            _ => "",
        }
    }

    /// How far the search for the metadata is, if they are not known.
    fn search(&self) -> Option<Torrent<'_>> {
        let search = self.0.get("metadata_search");
        let search = search.map(|search| Torrent(search, self.1));
        search.filter(|it| it.0.get("peers_found").is_some())
    }

    /// Percent of what is there, or of what is checked.
    pub fn percent(&self) -> String {
        if self.search().is_some() {
            return percent(0, 1);
        }
        if self.state() == "checking" {
            let thousandths = (self.number("recheck_progress").clamp(0.0, 1.0) * 1000.0) as u64;
            return percent(thousandths, 1000);
        }
        percent(self.done(), self.size())
    }

    pub fn object(&self) -> json::Object {
        let object = json::Object::new()
            .plain("number", self.count("id"))
            .text("name", self.text("name"))
            .text("info_hash", self.text("hash_string"))
            .text("state", self.state())
            .text("paused_by", self.0.get("pause_reason").and_then(Json::text))
            .plain("stalled", self.is("is_stalled"))
            .text("dir", self.0.get("download_dir").and_then(Json::text))
            .plain("done", self.done())
            .plain("size", self.size())
            .plain("down_rate", self.count("rate_download"))
            .plain("up_rate", self.count("rate_upload"))
            .plain("downloaded", self.count("downloaded_ever"))
            .plain("uploaded", self.count("uploaded_ever"))
            .raw("ratio", &format!("{:.3}", self.number("upload_ratio")))
            .plain("peers", self.count("peers_connected"))
            .text(
                "error",
                Some(self.text("error_string")).filter(|text| !text.is_empty()),
            );
        let object = match self.search() {
            Some(search) => object.raw(
                "metadata",
                &json::Object::new()
                    .plain("found", search.count("peers_found"))
                    .plain("with_it", search.count("peers_with_it"))
                    .plain("blocks", search.count("blocks"))
                    .plain("of", search.count("blocks_in_all"))
                    .finish(),
            ),
            None => object,
        };
        let Some(peers) = self.0.get("peers").and_then(Json::items) else {
            return object;
        };
        let [down, up] = rate_limits::shown(self.0, rate_limits::TORRENT)
            .map(|limit| limit.map_or_else(|| String::from("null"), |limit| limit.to_string()));
        let peers = peers.iter().map(|peer| {
            let peer = Torrent(peer, self.1);
            let addr = peer.addr();
            let object = json::Object::new().text("addr", addr.as_str());
            let object = object.text("client", peer.text("client_name"));
            let object = object.raw("has", &format!("{:.3}", peer.number("progress")));
            let object = object.plain("down_rate", peer.count("rate_to_client"));
            let object = object.plain("up_rate", peer.count("rate_to_peer"));
            object.plain("encrypted", peer.is("is_encrypted")).finish()
        });
        object
            .raw("down_limit", &down)
            .raw("up_limit", &up)
            .list("connected", peers)
            .list("trackers", self.trackers().map(|it| it.object()))
            .list("web_seeds", self.web_seeds().into_iter().map(json::quoted))
            .text("no_peers", self.why_alone())
    }

    /// Its web seeds, each with what it is doing.
    fn web_seeds(&self) -> Vec<&str> {
        let all = self.0.get("webseed_states").and_then(Json::items);
        let all = all.unwrap_or_default().iter();
        all.filter_map(Json::text).collect()
    }

    /// Its trackers.
    fn trackers(&self) -> impl Iterator<Item = Tracker<'_>> {
        let trackers = self.0.get("tracker_stats").and_then(Json::items);
        let trackers = trackers.unwrap_or_default().iter();
        trackers.map(|tracker| Tracker(tracker, self.1))
    }

    /// Why it has no peer, if it needs one.
    fn why_alone(&self) -> Option<&str> {
        self.0.get("peer_search").and_then(Json::text)
    }

    /// The address of a peer.
    fn addr(&self) -> String {
        let (address, port) = (self.text("address"), self.count("port"));
        if address.contains(':') {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        }
    }

    /// All that is known of it, a line each; then its peers and trackers.
    pub fn words(&self) -> String {
        let mut lines = String::new();
        let mut line = |label: &str, text: String| lines += &labelled(label, &text);
        let rate = |field| format!("{}/s", Bytes(self.count(field)));
        line("number", self.count("id").to_string());
        line("name", printable(self.text("name")).into_owned());
        line(
            "info hash",
            printable(self.text("hash_string")).into_owned(),
        );
        line("folder", printable(self.text("download_dir")).into_owned());
        line("state", format!("{}{}", self.state(), self.remark()));
        if self.count("error") != 0 {
            line("error", printable(self.text("error_string")).into_owned());
            let number = self.count("id");
            let advice = format!("(mend what is said, then: brooklet resume {number})");
            line("", advice);
        }
        if let Some(search) = self.search() {
            let (found, with_it) = (search.count("peers_found"), search.count("peers_with_it"));
            let (blocks, all) = (search.count("blocks"), search.count("blocks_in_all"));
            let found = counted(found as usize);
            let known = format!("{found} found, {with_it} with it, {blocks} of {all} blocks");
            line("metadata", known);
        }
        let (done, size) = (self.done(), self.size());
        line(
            "done",
            format!("{}, {}", self.percent(), Part { done, size }),
        );
        let seconds = self.0.get("eta").and_then(Json::whole);
        if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
            line("time left", Span(Duration::from_secs(seconds)).to_string());
        }
        let limits = rate_limits::shown(self.0, rate_limits::TORRENT).map(|limit| {
            let words = |limit| format!(" (at most {}/s)", Bytes(limit));
            limit.map_or_else(String::new, words)
        });
        line("down", rate("rate_download") + &limits[0]);
        line("up", rate("rate_upload") + &limits[1]);
        line(
            "downloaded",
            Bytes(self.count("downloaded_ever")).to_string(),
        );
        line("uploaded", Bytes(self.count("uploaded_ever")).to_string());
        line("ratio", format!("{:.2}", self.number("upload_ratio")));
        lines + &self.company()
    }

    /// Its peers, or why it has none, and its trackers.
    fn company(&self) -> String {
        let peers = self.0.get("peers").and_then(Json::items);
        let peers = peers.unwrap_or_default();
        let mut lines = labelled("peers", &peers.len().to_string());
        if let Some(why) = self.why_alone() {
            lines += &labelled("no peers", &printable(why));
        }
        for peer in peers.iter().map(|peer| Torrent(peer, self.1)) {
            let percent = (peer.number("progress") * 100.0).floor();
            let is_encrypted = peer.is("is_encrypted");
            let encrypted = if is_encrypted { "  encrypted" } else { "" };
            let (down, up) = (peer.count("rate_to_client"), peer.count("rate_to_peer"));
            lines += &format!(
                "  {:<24} {:<10} {percent:>3}%  down {}/s  up {}/s{encrypted}\n",
                peer.addr(),
                printable(peer.text("client_name")),
                Bytes(down),
                Bytes(up)
            );
        }
        let web_seeds = self.web_seeds();
        if !web_seeds.is_empty() {
            lines += &labelled("web seeds", &web_seeds.len().to_string());
        }
        for words in web_seeds {
            lines += &format!("  {}\n", printable(words));
        }
        let trackers: Vec<String> = self.trackers().map(|it| it.words()).collect();
        lines += &labelled("trackers", &trackers.len().to_string());
        lines + &trackers.concat()
    }
}

fn labelled(label: &str, text: &str) -> String {
    format!("{label:<12} {text}\n")
}
