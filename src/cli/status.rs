//! `status`: what a running process does, as a table, as one torrent in words, or as JSON.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::progress::percent;
use super::remote::Remote;
use super::steer;
use super::units::{Bytes, Part, Span};
use super::values::Value;
use super::{Failure, help, usage};
use crate::base::Duration;
use crate::io::logging::printable;
use crate::rpc::{DETAILED, LISTED};
use crate::wire::json::{self, Json};

/// Runs the command with the arguments behind its name.
///
/// # Errors
/// Why it did not end with 0.
pub fn run(parser: &mut Parser) -> Result<(), Failure> {
    let (mut dir, mut number, mut is_json): (Option<PathBuf>, Option<i64>, bool) =
        (None, None, false);
    while let Some(arg) = parser.next().map_err(|error| usage("status", error))? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return super::print(help::STATUS),
            Arg::Long("json") => is_json = true,
            Arg::Short('C') => {
                let mut value = Value {
                    command: "status",
                    option: "-C",
                    parser,
                };
                dir = Some(value.path()?);
            }
            Arg::Value(value) if number.is_none() => {
                number = Some(steer::number("status", &value)?)
            }
            other => return Err(usage("status", other.unexpected())),
        }
    }
    let mut remote = Remote::connect(dir)?;
    let details: &[&str] = if number.is_some() { &DETAILED } else { &[] };
    let fields = LISTED.iter().chain(details).map(|name| Json::from(*name));
    let fields = ("fields", Json::List(fields.collect()));
    let ids = number.map(|number| ("ids", Json::Whole(number)));
    let answer = remote.call("torrent_get", Json::object([fields].into_iter().chain(ids)))?;
    let torrents = answer
        .get("torrents")
        .and_then(Json::items)
        .unwrap_or_default();
    let torrents: Vec<Torrent<'_>> = torrents.iter().map(Torrent).collect();
    let text = match (number, torrents.first()) {
        (Some(number), None) => return Err(steer::unknown(number)),
        (Some(_), Some(torrent)) if is_json => torrent.object().finish() + "\n",
        (Some(_), Some(torrent)) => torrent.words(),
        (None, _) if is_json => {
            let objects = torrents.iter().map(|torrent| torrent.object().finish());
            json::Object::new().list("torrents", objects).finish() + "\n"
        }
        (None, _) => table(&torrents, columns()),
    };
    super::print(&text)
}

/// Columns of standard output, if it is a terminal.
fn columns() -> Option<usize> {
    let terminal = io::stdout().is_terminal();
    let window = rustix::termios::tcgetwinsize(io::stdout())
        .ok()
        .filter(|_| terminal)?;
    Some(usize::from(window.ws_col)).filter(|&columns| columns > 0)
}

/// A torrent as the other end shows it.
struct Torrent<'a>(&'a Json);

impl Torrent<'_> {
    fn count(&self, field: &str) -> u64 {
        let number = self.0.get(field).and_then(Json::whole);
        number
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or_default()
    }

    fn number(&self, field: &str) -> f64 {
        self.0.get(field).and_then(Json::number).unwrap_or_default()
    }

    fn text(&self, field: &str) -> &str {
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
    fn state(&self) -> &'static str {
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

    /// How far the search for the metadata is, if they are not known.
    fn search(&self) -> Option<Torrent<'_>> {
        let search = self.0.get("metadata_search").map(Torrent);
        search.filter(|it| it.0.get("peers_found").is_some())
    }

    /// Percent of what is there, or of what is checked.
    fn percent(&self) -> String {
        if self.search().is_some() {
            return percent(0, 1);
        }
        if self.state() == "checking" {
            let thousandths = (self.number("recheck_progress").clamp(0.0, 1.0) * 1000.0) as u64;
            return percent(thousandths, 1000);
        }
        percent(self.done(), self.size())
    }

    fn object(&self) -> json::Object {
        let object = json::Object::new()
            .plain("number", self.count("id"))
            .text("name", self.text("name"))
            .text("info_hash", self.text("hash_string"))
            .text("state", self.state())
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
        let limit = |number: &str, counts: &str| {
            let limit = self.is(counts).then(|| self.count(number) * 1000);
            limit.map_or_else(|| String::from("null"), |limit| limit.to_string())
        };
        let peers = peers.iter().map(|peer| {
            let peer = Torrent(peer);
            let addr = peer.addr();
            let object = json::Object::new().text("addr", addr.as_str());
            let object = object.text("client", peer.text("client_name"));
            let object = object.raw("has", &format!("{:.3}", peer.number("progress")));
            let object = object.plain("down_rate", peer.count("rate_to_client"));
            object.plain("up_rate", peer.count("rate_to_peer")).finish()
        });
        object
            .raw("down_limit", &limit("download_limit", "download_limited"))
            .raw("up_limit", &limit("upload_limit", "upload_limited"))
            .list("connected", peers)
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

    /// All that is known of it, a line each; then its peers.
    fn words(&self) -> String {
        let mut lines = String::new();
        let mut line = |label: &str, text: String| {
            lines += &format!("{label:<12} {text}\n");
        };
        let rate = |field| format!("{}/s", Bytes(self.count(field)));
        let limit = |number: &str, counts: &str| {
            // In the unit that it comes in, which is that of Transmission.
            let limit = self.is(counts).then(|| self.count(number));
            limit.map_or_else(String::new, |limit| format!(" (at most {limit} kB/s)"))
        };
        line("number", self.count("id").to_string());
        line("name", printable(self.text("name")).into_owned());
        line(
            "info hash",
            printable(self.text("hash_string")).into_owned(),
        );
        line("state", String::from(self.state()));
        if self.count("error") != 0 {
            line("error", printable(self.text("error_string")).into_owned());
        }
        if let Some(search) = self.search() {
            let (found, with_it) = (search.count("peers_found"), search.count("peers_with_it"));
            let (blocks, all) = (search.count("blocks"), search.count("blocks_in_all"));
            let known = format!("{found} peers found, {with_it} with it, {blocks} of {all} blocks");
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
        let limits = [
            limit("download_limit", "download_limited"),
            limit("upload_limit", "upload_limited"),
        ];
        line("down", rate("rate_download") + &limits[0]);
        line("up", rate("rate_upload") + &limits[1]);
        line(
            "downloaded",
            Bytes(self.count("downloaded_ever")).to_string(),
        );
        line("uploaded", Bytes(self.count("uploaded_ever")).to_string());
        line("ratio", format!("{:.2}", self.number("upload_ratio")));
        let peers = self
            .0
            .get("peers")
            .and_then(Json::items)
            .unwrap_or_default();
        line("peers", peers.len().to_string());
        for peer in peers.iter().map(Torrent) {
            let percent = (peer.number("progress") * 100.0).floor();
            let (down, up) = (peer.count("rate_to_client"), peer.count("rate_to_peer"));
            lines += &format!(
                "  {:<24} {:<10} {percent:>3}%  down {}/s  up {}/s\n",
                peer.addr(),
                printable(peer.text("client_name")),
                Bytes(down),
                Bytes(up)
            );
        }
        lines
    }
}

/// A line for each torrent; names are cut to fit this many columns.
fn table(torrents: &[Torrent<'_>], columns: Option<usize>) -> String {
    let head = ["#", "done", "down", "up", "peers", "ratio", "state", "name"].map(String::from);
    let mut rows = vec![head];
    for torrent in torrents {
        rows.push([
            torrent.count("id").to_string(),
            torrent.percent(),
            format!("{}/s", Bytes(torrent.count("rate_download"))),
            format!("{}/s", Bytes(torrent.count("rate_upload"))),
            torrent.count("peers_connected").to_string(),
            format!("{:.2}", torrent.number("upload_ratio")),
            String::from(torrent.state()),
            printable(torrent.text("name")).into_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths).take(6) {
            line += &format!("{cell:>width$}  ");
        }
        line += &format!("{:<width$}  {}", row[6], row[7], width = widths[6]);
        text += &cut(&line, columns);
        text.push('\n');
    }
    text
}

/// As many letters as fit; what is left out shows.
fn cut(line: &str, columns: Option<usize>) -> String {
    match columns {
        Some(columns) if line.chars().count() > columns => {
            let kept = line.chars().take(columns.saturating_sub(1));
            kept.chain(['…']).collect()
        }
        _ => String::from(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrents() -> Json {
        let text = r#"[
            {"id":1,"name":"a\u001b[2Jb","hash_string":"ff","status":4,"error":0,"error_string":"",
             "size_when_done":1000,"left_until_done":1,"recheck_progress":0.0,"eta":90,
             "rate_download":2048,"rate_upload":0,"downloaded_ever":1,"uploaded_ever":2,
             "upload_ratio":2.0,"peers_connected":12,"peers_sending_to_us":1,
             "peers_getting_from_us":0,"download_limit":2,"download_limited":true,
             "upload_limit":3,"upload_limited":false,
             "peers":[{"address":"::1","port":7,"client_name":"-AB1000-","progress":0.999,
                       "rate_to_client":5,"rate_to_peer":6}]},
            {"id":10,"name":"c","status":0,"error":3,"error_string":"c: torn",
             "size_when_done":1000,"left_until_done":1000,"eta":-1},
            {"id":11,"name":"d","status":2,"error":0,"recheck_progress":0.4567}]"#;
        json::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_for_each_torrent_that_fits() {
        let torrents = torrents();
        let torrents: Vec<Torrent<'_>> = torrents.items().unwrap().iter().map(Torrent).collect();
        let whole = [
            " #   done        down     up  peers  ratio  state        name",
            " 1  99.9%  2.00 KiB/s  0 B/s     12   2.00  downloading  a\\x1b[2Jb",
            "10   0.0%       0 B/s  0 B/s      0   0.00  failed       c",
            "11  45.6%       0 B/s  0 B/s      0   0.00  checking     d",
            "",
        ]
        .join("\n");
        assert_eq!(table(&torrents, None), whole);
        assert_eq!(table(&torrents, Some(200)), whole);
        for columns in 1..70 {
            let fitted = table(&torrents, Some(columns));
            assert!(fitted.lines().all(|line| line.chars().count() <= columns));
        }
        let narrow = table(&torrents, Some(60));
        assert!(narrow.contains("downloading  a\\…\n"), "{narrow}");
    }

    #[test]
    fn one_torrent_in_words_and_as_json() {
        let torrents = torrents();
        let first = Torrent(&torrents.items().unwrap()[0]);
        assert_eq!(
            first.words(),
            "\
number       1
name         a\\x1b[2Jb
info hash    ff
state        downloading
done         99.9%, 999 of 1000 B
time left    1m 30s
down         2.00 KiB/s (at most 2 kB/s)
up           0 B/s
downloaded   1 B
uploaded     2 B
ratio        2.00
peers        1
  [::1]:7                  -AB1000-    99%  down 5 B/s  up 6 B/s
"
        );
        assert_eq!(
            first.object().finish(),
            r#"{"number":1,"name":"a\u001b[2Jb","info_hash":"ff","state":"downloading","done":999,"size":1000,"down_rate":2048,"up_rate":0,"downloaded":1,"uploaded":2,"ratio":2.000,"peers":12,"error":null,"down_limit":2000,"up_limit":null,"connected":[{"addr":"[::1]:7","client":"-AB1000-","has":0.999,"down_rate":5,"up_rate":6}]}"#
        );
        let failed = Torrent(&torrents.items().unwrap()[1]).words();
        assert!(
            failed.contains("state        failed\nerror        c: torn\n"),
            "{failed}"
        );
    }
}
