//! `add`: gives torrents to a running process. Several of them go in one request, since the other
//! end keeps them on disk together as fast as one.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::remote::Remote;
use super::target::Target;
use super::{FAILED, Failure, target};
use crate::base::limits;
use crate::io::by_url::{self, Access};
use crate::io::logging;
use crate::wire::base64;
use crate::wire::json::Json;

/// Bytes of torrents that are sent together.
const TOGETHER: usize = limits::MIB;

/// What the command line says.
#[derive(Debug)]
pub struct Adding {
    /// The folder of the process.
    pub dir: Option<PathBuf>,
    /// What is to be added.
    pub sources: Vec<OsString>,
    /// Whether it waits until it is resumed.
    pub paused: bool,
    /// Where its content lies.
    pub content: Option<PathBuf>,
}

/// Adds each torrent, and prints its number and name; one that cannot be added does not keep the
/// others from it.
///
/// # Errors
/// Why one of them is not added, or what is to be said last of several.
pub fn run(adding: Adding) -> Result<(), Failure> {
    let content = adding.content.as_deref().map(content_dir).transpose()?;
    let mut wishes = vec![("paused", adding.paused.into())];
    let mut ignored = Vec::new();
    if adding.paused {
        ignored.push("--paused");
    }
    if let Some(content) = content {
        wishes.push(("download_dir", content.into()));
        ignored.push("--dir");
    }
    let mut batch = Batch {
        // Where nobody listens, that is said before anything is fetched.
        remote: Some(Remote::connect(adding.dir.clone())?),
        dir: adding.dir,
        ignored: ignored.join(" and "),
        requests: Vec::new(),
        bytes: 0,
        failure: None,
    };
    if let Err(failure) = batch.add_all(&adding.sources, &wishes) {
        batch.fail(failure);
    }
    batch.failure.map_or(Ok(()), Err)
}

/// Torrents that are sent together.
struct Batch {
    /// `None`: connected anew for what is sent next.
    remote: Option<Remote>,
    /// The folder of `run`.
    dir: Option<PathBuf>,
    /// The options that change nothing of a torrent that is there.
    ignored: String,
    requests: Vec<Json>,
    bytes: usize,
    /// What went wrong last: it is said when the command ends.
    failure: Option<Failure>,
}

impl Batch {
    /// Adds each of these with the same wishes.
    fn add_all(
        &mut self,
        sources: &[OsString],
        wishes: &[(&'static str, Json)],
    ) -> Result<(), Failure> {
        for source in sources {
            if source.to_str().is_some_and(by_url::is_url) {
                // A server may take its time; a client that is silent for so long is closed.
                self.send()?;
                self.remote = None;
            }
            match torrent(source) {
                Ok((name, value, bytes)) => {
                    let params = wishes.iter().cloned().chain([(name, value)]);
                    self.push(Json::object(params), bytes)?;
                }
                Err(failure) => {
                    self.send()?;
                    self.fail(failure);
                }
            }
        }
        self.send()
    }

    fn push(&mut self, request: Json, bytes: usize) -> Result<(), Failure> {
        // No more than the other end adds together: their answers come when all of them are added.
        if self.requests.len() >= limits::ADDS_AT_ONCE || self.bytes + bytes > TOGETHER {
            self.send()?;
        }
        self.requests.push(request);
        self.bytes += bytes;
        Ok(())
    }

    /// Sends what is gathered, and tells what became of it.
    fn send(&mut self) -> Result<(), Failure> {
        self.bytes = 0;
        let requests = std::mem::take(&mut self.requests);
        if requests.is_empty() {
            return Ok(());
        }
        let mut remote = match self.remote.take() {
            Some(remote) => remote,
            None => Remote::connect(self.dir.clone())?,
        };
        let answers = remote.call_all("torrent_add", requests)?;
        self.remote = Some(remote);
        for answer in answers {
            match answer {
                Ok(answer) => self.print(&answer)?,
                Err(failure) => self.fail(failure),
            }
        }
        Ok(())
    }

    fn print(&self, answer: &Json) -> Result<(), Failure> {
        let there = answer.get("torrent_duplicate");
        let torrent = there.or_else(|| answer.get("torrent_added"));
        let field = |key| torrent.and_then(|torrent| torrent.get(key));
        let number = field("id").and_then(Json::whole).unwrap_or_default();
        let name = field("name").and_then(Json::text).unwrap_or_default();
        let name = logging::printable(name);
        let merged = field("merged").and_then(Json::text);
        let merged = merged.map_or(String::new(), |merged| format!("; {merged}"));
        let ignored = if self.ignored.is_empty() {
            String::new()
        } else {
            format!("; without effect: {}", self.ignored)
        };
        super::print(&if there.is_some() {
            format!("{number} {name} (it was there already{merged}{ignored})\n")
        } else {
            format!("{number} {name}\n")
        })
    }

    fn fail(&mut self, mut failure: Failure) {
        if let Some(before) = self.failure.take() {
            failure.code = common_code(before.code, failure.code);
            before.message.iter().for_each(|it| logging::fatal(it));
        }
        self.failure = Some(failure);
    }
}

/// The exit code of what has failed for two reasons: theirs, if they are of one kind.
fn common_code(one: u8, other: u8) -> u8 {
    if one == other { one } else { FAILED }
}

/// A folder as the other end is to know it, wherever that was started.
fn content_dir(dir: &Path) -> Result<String, Failure> {
    let why = |why: &str| Failure::failed(format!("{}: {why}", target::shown(dir.as_os_str())));
    let dir = std::path::absolute(dir).map_err(|error| why(&error.to_string()))?;
    let text = dir.into_os_string().into_string();
    text.map_err(|_| why("this is not UTF-8"))
}

/// The parameter that names a torrent to the other end, and about how many bytes it takes.
fn torrent(source: &OsStr) -> Result<(&'static str, Json, usize), Failure> {
    let (name, text) = match target::find(source, Access::default())? {
        Target::Link(link) => ("filename", link.text()),
        Target::Torrent(_, text) => {
            let coded = base64::encode(&text);
            if coded.len() < limits::CONTROL_REQUEST - limits::KIB {
                ("metainfo", coded)
            } else {
                ("filename", absolute(source)?)
            }
        }
    };
    let bytes = text.len();
    Ok((name, text.into(), bytes))
}

/// Where the other end finds a torrent that is too large to be sent.
fn absolute(source: &OsStr) -> Result<String, Failure> {
    let name = target::shown(source);
    let why = |why: &str| Failure::failed(format!("{name}: {why}"));
    if source == "-" {
        return Err(why("it is too large to be sent: name it by its path"));
    }
    if let Some(url) = source.to_str().filter(|text| by_url::is_url(text)) {
        return Ok(String::from(url));
    }
    let path = std::fs::canonicalize(source).map_err(|error| why(&error.to_string()))?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| why("it is too large to be sent, and its path is not UTF-8: move it"))
}
