//! What `get` and `seed` say while they run: what the event loop reports becomes events, log lines
//! and progress.

use std::io::{self, Write as _};
use std::time::{Instant, SystemTime};

use super::args::{Command, Options, Verbosity};
use super::progress::{Board, Style};
use super::units::Bytes;
use super::{Failure, events};
use crate::base::{InfoHash, SortedMap, SortedSet, TorrentKey};
use crate::peer::incoming::Failed;
use crate::torrent::Report;

/// Turns reports into what a user sees.
pub struct Reporter {
    seeding: bool,
    json: bool,
    /// There are several torrents: lines say which they are about.
    several: bool,
    board: Board,
    hashes: SortedMap<TorrentKey, InfoHash>,
    /// A seed has found nothing that it could send.
    nothing: bool,
    /// What peers have sent of a torrent is not that of a valid one.
    invalid: bool,
    /// Whether the `error` event is out already.
    error: bool,
    /// Why standard output takes no more events.
    deaf: Option<String>,
    /// What has been warned of: said once, not for every piece of a file.
    warned: SortedSet<String>,
    /// What each tracker last complained of: said once, not at every announce.
    complaints: SortedMap<String, String>,
}

/// What the log says of a connection to a web seed.
pub(super) fn log_web_seed(about: &str, report: &Report) {
    match report {
        Report::WebSeed { addr, url } => {
            log::info!("{about}web seed {url}: connected ({addr})");
        }
        Report::WebSeedOver { addr, reason } => {
            log::info!("{about}web seed {addr}: disconnected: {reason}");
        }
        _ => {}
    }
}

impl Reporter {
    /// Nothing is reported yet.
    pub fn new(command: Command, options: &Options) -> Reporter {
        Reporter {
            seeding: command == Command::Seed,
            json: options.json,
            several: options.torrents.len() > 1,
            board: Board::new(Style::suitable(
                options.verbosity == Verbosity::Quiet,
                options.json,
            )),
            hashes: SortedMap::new(),
            nothing: false,
            invalid: false,
            error: false,
            deaf: None,
            warned: SortedSet::new(),
            complaints: SortedMap::new(),
        }
    }

    /// Whether a seed has found nothing that it could send.
    pub fn found_nothing(&self) -> bool {
        self.nothing
    }

    /// Whether what peers have sent of a torrent is not that of a valid one.
    pub fn found_invalid(&self) -> bool {
        self.invalid
    }

    /// Takes a report.
    ///
    /// # Errors
    /// Nobody takes the events any more, or there is nothing to seed.
    pub fn take(&mut self, torrent: Option<TorrentKey>, report: &Report) -> Result<(), String> {
        self.error |= matches!(report, Report::Error(_) | Report::Unbegun(..));
        self.invalid |= matches!(report, Report::Invalid);
        if let (Some(torrent), Report::Start { info_hash, .. }) = (torrent, report) {
            self.hashes.insert(torrent, *info_hash);
        }
        let sent = if self.json {
            let info_hash = torrent.and_then(|torrent| self.hashes.get(&torrent));
            self.send(events::event(report, info_hash.copied(), SystemTime::now()))
        } else {
            Ok(())
        };
        let torrent = torrent.unwrap_or_default();
        if let Some(show) = self.board.note(torrent, report, Instant::now()) {
            show.write();
        }
        let name = self.board.name(torrent).to_string();
        let about = if self.several && !name.is_empty() {
            format!("{name}: ")
        } else {
            String::new()
        };
        self.log(&about, report);
        match report {
            Report::Checked { have: 0, .. } if self.seeding => {
                self.nothing = true;
                let why = "not one piece of it is whole on disk: there is nothing to seed";
                sent.and(Err(format!("{name}: {why}")))
            }
            _ => sent,
        }
    }

    fn send(&mut self, event: Option<String>) -> Result<(), String> {
        let Some(line) = event.filter(|_| self.deaf.is_none()) else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        let written = writeln!(out, "{line}").and_then(|()| out.flush());
        written.map_err(|error| {
            let why = super::unwritten(error);
            self.deaf.insert(why).clone()
        })
    }

    /// Logs what is for the log, with the words in front that say what it is `about`.
    fn log(&mut self, about: &str, report: &Report) {
        match report {
            Report::Checked {
                have,
                pieces,
                missing,
            } => {
                log::info!("{about}on disk: {have} of {pieces} pieces");
                if self.seeding && *missing > 0 {
                    let lacking = pieces - have;
                    let missing = Bytes(*missing);
                    log::warn!(
                        "{about}{lacking} of {pieces} pieces ({missing}) are missing or damaged: \
                         seeding the rest"
                    );
                }
            }
            Report::Tracker {
                url,
                outcome,
                remark,
            } => match outcome {
                Ok(peers) => {
                    let ending = if *peers == 1 { "" } else { "s" };
                    let remark = remark.iter().map(|words| format!(" ({words})"));
                    let remark: String = remark.collect();
                    log::info!("{about}tracker {url}: {peers} peer{ending}{remark}");
                }
                Err(why) => self.complain(about, url, why),
            },
            Report::TrackerWarning { url, message } => self.complain(about, url, message),
            Report::Dht { nodes, peers } => {
                log::info!("{about}DHT: nodes: {nodes}, peers: {peers}");
            }
            Report::Connected {
                addr,
                client,
                transport,
                ..
            } => {
                let way = transport.remark();
                log::info!("{about}peer {addr}: connected ({client}{way})")
            }
            Report::Disconnected { addr, reason, .. } => {
                log::info!("{about}peer {addr}: disconnected: {reason}");
            }
            Report::WebSeed { .. } | Report::WebSeedOver { .. } => log_web_seed(about, report),
            Report::FailedIncoming(counts) => {
                log::info!(
                    "incoming connections that failed before their handshake: {}",
                    listed(counts)
                );
            }
            Report::Piece { index, ok: false } => {
                log::info!("{about}piece {index}: its SHA-1 does not match");
            }
            Report::Piece { index, ok: true } => log::debug!("{about}piece {index}: verified"),
            Report::Alone(why) => log::warn!("{about}{why}"),
            Report::Warning(message) if self.warned.insert(message.clone()) => {
                log::warn!("{message}");
            }
            // The last line of the program says the error of the only torrent.
            Report::Error(why) | Report::Unbegun(_, why) if self.several => {
                let about = if why.starts_with(about) { "" } else { about };
                log::error!("{about}{why}");
            }
            // The board shows these.
            _ => {}
        }
    }

    fn complain(&mut self, about: &str, url: &str, message: &str) {
        let complaint = format!("{about}tracker {url}");
        let before = self.complaints.insert(complaint, message.to_string());
        if before.is_some_and(|before| before == message) {
            log::info!("{about}tracker {url}: {message}");
        } else {
            log::warn!("{about}tracker {url}: {message}");
        }
    }

    /// One of several sources cannot be run, and why.
    pub fn refuse(&mut self, why: &str) {
        log::error!("{why}");
        if self.json {
            // What could not be written is said at the end.
            let _ = self.send(Some(events::error(why, SystemTime::now())));
        }
    }

    /// The last event, and how the command ends.
    ///
    /// # Errors
    /// Why the command does not end with 0.
    pub fn end(mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        let message = result.as_ref().err().and_then(|f| f.message.clone());
        // That of the only torrent is out already.
        let is_new = self.several || !self.error;
        if let Some(message) = message.filter(|_| self.json && is_new) {
            // What could not be written is said below.
            let _ = self.send(Some(events::error(&message, SystemTime::now())));
        }
        match (result, self.deaf) {
            (Ok(()), Some(why)) => Err(Failure::failed(why)),
            (result, _) => result,
        }
    }
}

fn listed(counts: &[(Failed, u64)]) -> String {
    let counts = counts.iter();
    let counts = counts.map(|(failed, count)| format!("{count} {failed}"));
    counts.collect::<Vec<_>>().join(", ")
}
