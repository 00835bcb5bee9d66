//! The clients, and how each is made to download one torrent and end, or to seed one whose content
//! is complete: with its defaults, but without what would leave the machine, with encryption off or
//! required as the case has it, and with room for all peers of a case.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::load::{PEER_PORT, address};
use super::place::NAME;
use super::{Failure, web};

/// Where every client listens.
pub const PORT: &str = "6881";

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// Ours; other builds of it may be measured beside it.
    Brooklet {
        name: String,
        program: PathBuf,
    },
    /// The bare data path, see `floor`.
    Floor {
        sendfile: bool,
    },
    Libtorrent,
    Transmission,
    Aria2,
    Rqbit(PathBuf),
    Rtorrent,
    /// It hashes nothing, and takes part where there is a web seed.
    Curl,
}

/// What a client is to work on.
pub struct Job<'a> {
    pub torrent: &'a Path,
    /// Where the content lies or is to lie.
    pub folder: &'a Path,
    /// An empty folder for settings and the like.
    pub state: &'a Path,
    /// How many peers there are.
    pub peers: usize,
    /// Whether every connection is to be encrypted with RC4.
    pub rc4: bool,
}

/// A command, and how to tell that it is done.
pub struct Start {
    pub words: Vec<OsString>,
    /// The file that holds the time (seconds since 1970) when the download was complete; `None`: it
    /// ends by itself.
    pub finished: Option<PathBuf>,
}

impl Client {
    /// All that are there, ours first; and those that are not, with the reason.
    pub fn all(brooklet: &Path, target: &Path) -> (Vec<Client>, Vec<String>) {
        let ours = Client::Brooklet {
            name: "brooklet".into(),
            program: brooklet.into(),
        };
        let mut found = vec![
            ours,
            Client::Floor { sendfile: false },
            Client::Floor { sendfile: true },
        ];
        let mut missing = Vec::new();
        let mut add = |client: Client, there: bool, how: &str| {
            if there {
                found.push(client)
            } else {
                missing.push(format!("{}: {how}", client.name()))
            }
        };
        let module = Command::new(PYTHON)
            .args(["-c", "import libtorrent"])
            .output()
            .is_ok_and(|done| done.status.success());
        let setup = "not installed (tests/bench/setup.sh)";
        add(Client::Libtorrent, module, setup);
        let transmission = on_path("transmission-cli").is_some();
        add(Client::Transmission, transmission, setup);
        add(Client::Aria2, on_path("aria2c").is_some(), setup);
        add(Client::Curl, on_path("curl").is_some(), setup);
        let own = Some(target.join("rqbit/bin/rqbit")).filter(|path| path.is_file());
        let rqbit = own.or_else(|| on_path("rqbit"));
        let there = rqbit.is_some();
        let how = "not installed (make bench RQBIT=1)";
        add(Client::Rqbit(rqbit.unwrap_or_default()), there, how);
        add(Client::Rtorrent, on_path("rtorrent").is_some(), setup);
        (found, missing)
    }

    /// What it is called in tables.
    pub fn name(&self) -> &str {
        match self {
            Client::Brooklet { name, .. } => name,
            Client::Floor { sendfile: false } => "floor",
            Client::Floor { sendfile: true } => "floor-sendfile",
            Client::Libtorrent => "libtorrent",
            Client::Transmission => "transmission",
            Client::Aria2 => "aria2",
            Client::Rqbit(_) => "rqbit",
            Client::Rtorrent => "rtorrent",
            Client::Curl => "curl",
        }
    }

    /// Whether somebody else wrote it.
    pub fn is_other(&self) -> bool {
        !matches!(self, Client::Brooklet { .. } | Client::Floor { .. })
    }

    /// Whether it is left out where time is short.
    pub fn is_slow(&self) -> bool {
        matches!(self, Client::Transmission | Client::Rtorrent)
    }

    /// What it says of its version.
    pub fn version(&self) -> String {
        let (program, words): (PathBuf, &[&str]) = match self {
            Client::Brooklet { program, .. } => (program.clone(), &["--version"]),
            Client::Floor { .. } => return "of this repository".into(),
            Client::Libtorrent => (
                PYTHON.into(),
                &["-c", "import libtorrent; print(libtorrent.__version__)"],
            ),
            Client::Transmission => ("transmission-cli".into(), &["--version"]),
            Client::Aria2 => ("aria2c".into(), &["--version"]),
            Client::Rqbit(program) => (program.clone(), &["--version"]),
            Client::Rtorrent => ("rtorrent".into(), &["-h"]),
            Client::Curl => ("curl".into(), &["--version"]),
        };
        let Ok(done) = Command::new(program).args(words).output() else {
            return "unknown".into();
        };
        let text = [done.stdout, done.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .next()
            .unwrap_or_default()
            .trim()
            .trim_end_matches('.')
            .into()
    }

    /// The command that downloads.
    pub fn get(&self, job: &Job<'_>) -> Result<Start, Failure> {
        let finished = job.state.join("finished");
        let mut start = Start {
            words: Vec::new(),
            finished: None,
        };
        match self {
            Client::Brooklet { program, .. } => {
                start.words = brooklet(program, "get", job);
            }
            Client::Floor { .. } => {
                let peers: Vec<String> = (0..job.peers)
                    .map(|number| format!("{}:{PEER_PORT}", address(number)))
                    .collect();
                start.words = floor("get", job)?;
                start.words.extend(words(&peers));
            }
            Client::Libtorrent => start.words = libtorrent("get", job),
            Client::Transmission => {
                start.words = transmission(job, &note_time(job.state, &finished)?)?;
                start.finished = Some(finished);
            }
            Client::Aria2 => start.words = aria2(job, &["--seed-time=0"]),
            Client::Rqbit(program) => {
                start.words = rqbit(program, job);
                start.words.push("--exit-on-finish".into());
            }
            Client::Curl => {
                start.words = words(&["curl", "--silent", "--output"]);
                start.words.push(job.folder.join(NAME).into());
                start.words.push(web::url().into());
            }
            Client::Rtorrent => {
                let script = note_time(job.state, &finished)?;
                start.words = rtorrent(job, &script)?;
                start.finished = Some(finished);
            }
        }
        Ok(start)
    }

    /// The command that seeds, until it is stopped.
    pub fn seed(&self, job: &Job<'_>) -> Result<Vec<OsString>, Failure> {
        Ok(match self {
            Client::Brooklet { program, .. } => brooklet(program, "seed", job),
            Client::Floor { sendfile } => {
                let mut command = floor("seed", job)?;
                command.push(PORT.into());
                command.extend(sendfile.then(|| "--sendfile".into()));
                command
            }
            Client::Libtorrent => libtorrent("seed", job),
            Client::Transmission => transmission(job, Path::new("true"))?,
            Client::Aria2 => aria2(job, &["--bt-seed-unverified=true", "--seed-ratio=0.0"]),
            Client::Rqbit(program) => rqbit(program, job),
            Client::Rtorrent => rtorrent(job, Path::new("true"))?,
            Client::Curl => return Err("curl seeds nothing".into()),
        })
    }
}

/// Debian's own, which has the module.
const PYTHON: &str = "/usr/bin/python3";

fn words<T: AsRef<std::ffi::OsStr>>(items: &[T]) -> Vec<OsString> {
    items.iter().map(|item| item.as_ref().into()).collect()
}

fn brooklet(program: &Path, verb: &str, job: &Job<'_>) -> Vec<OsString> {
    let mut command = words(&[program.as_os_str(), verb.as_ref(), job.torrent.as_os_str()]);
    command.extend(words(&["--port", PORT, "-q", "--dir"]));
    command.push(job.folder.into());
    command.push("--state".into());
    command.push(job.state.into());
    if job.rc4 {
        command.extend(words(&["--encryption", "require"]));
    }
    // What fits its default is left to it.
    if job.peers > 60 {
        command.extend(words(&["--max-peers", &job.peers.to_string()]));
    }
    // Its default budget has room for 768 peers. What it takes in fact is measured.
    if job.peers > 768 {
        command.extend(words(&["--memory", "24M"]));
    }
    command
}

fn floor(verb: &str, job: &Job<'_>) -> Result<Vec<OsString>, Failure> {
    let mut command = vec![std::env::current_exe()?.into()];
    command.extend(words(&["floor", verb]));
    command.extend(words(&[job.torrent, job.folder]));
    Ok(command)
}

fn libtorrent(verb: &str, job: &Job<'_>) -> Vec<OsString> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/side/lt.py");
    let mut command = words(&[PYTHON.as_ref(), script.as_os_str(), verb.as_ref()]);
    command.extend(words(&[job.torrent, job.folder]));
    command.push(PORT.into());
    command.extend(job.rc4.then(|| "rc4".into()));
    command
}

fn transmission(job: &Job<'_>, finish: &Path) -> Result<Vec<OsString>, Failure> {
    let encryption = if job.rc4 { 2 } else { 0 };
    let settings = format!(
        r#"{{
        "dht-enabled": false, "pex-enabled": false, "lpd-enabled": false, "utp-enabled": false, "rpc-enabled": false,
        "port-forwarding-enabled": false, "blocklist-enabled": false, "upload-slots-per-torrent": 50,
        "encryption": {encryption}
    }}"#
    );
    fs::write(job.state.join("settings.json"), settings)?;
    let mut command = words(&["transmission-cli", "--no-portmap", "--port", PORT]);
    command.push("--config-dir".into());
    command.push(job.state.into());
    command.push("--finish".into());
    command.push(finish.into());
    command.push("--download-dir".into());
    command.extend(words(&[job.folder, job.torrent]));
    Ok(command)
}

fn aria2(job: &Job<'_>, options: &[&str]) -> Vec<OsString> {
    let mut command = words(&[
        "aria2c",
        "--no-conf",
        "--quiet",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--file-allocation=none",
        "--listen-port",
        PORT,
    ]);
    command.extend(words(options));
    if job.rc4 {
        command.extend(words(&[
            "--bt-require-crypto=true",
            "--bt-min-crypto-level=arc4",
        ]));
    }
    command.push("--dir".into());
    command.extend(words(&[job.folder, job.torrent]));
    command
}

fn rqbit(program: &Path, job: &Job<'_>) -> Vec<OsString> {
    let mut command = words(&[program]);
    command.extend(words(&[
        "--disable-dht",
        "--disable-lsd",
        "--ipv4-only",
        "--listen-port",
        PORT,
        "download",
        "--disable-http-api",
        "--overwrite",
        "--output-folder",
    ]));
    command.extend(words(&[job.folder, job.torrent]));
    command
}

fn rtorrent(job: &Job<'_>, finish: &Path) -> Result<Vec<OsString>, Failure> {
    let encryption = if job.rc4 {
        "protocol.encryption.set = allow_incoming,try_outgoing,require,require_RC4\n"
    } else {
        ""
    };
    let settings = format!(
        "{encryption}directory.default.set = {}\nsession.path.set = {}\nnetwork.port_range.set = {PORT}-{PORT}\n\
         network.port_random.set = no\ndht.mode.set = disable\nprotocol.pex.set = no\nsystem.daemon.set = true\n\
         trackers.use_udp.set = no\nmethod.set_key = event.download.finished,noted,\"execute.nothrow={}\"\n\
         schedule2 = add,0,0,\"load.start=\\\"{}\\\"\"\n",
        job.folder.display(),
        job.state.display(),
        finish.display(),
        job.torrent.display(),
    );
    let path = job.state.join("rtorrent.rc");
    fs::write(&path, settings)?;
    let mut command = words(&["rtorrent", "-n", "-o"]);
    command.push(format!("import={}", path.display()).into());
    Ok(command)
}

/// A script that writes the time into a file.
fn note_time(folder: &Path, file: &Path) -> Result<PathBuf, Failure> {
    let script = folder.join("finish.sh");
    let file = file.display();
    fs::write(
        &script,
        format!("#!/bin/sh\ndate +%s.%N >{file}.new && mv {file}.new {file}\n"),
    )?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
