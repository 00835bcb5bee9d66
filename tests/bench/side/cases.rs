//! What is measured: the cases, and one run of one client in one case.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::clients::{Client, Job, PORT};
use super::json::Json;
use super::net::CLIENT;
use super::place::{NAME, Place};
use super::process::{LoadProcess, Process, Usage, sleeps, status};
use super::{Failure, interrupted, torrent, web};

/// Nothing that is measured takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long idle peers are held before the span that is measured.
const SETTLING: Duration = Duration::from_secs(10);

/// What all leechers of an upload fetch together, bytes.
const UPLOADED: u64 = 2 << 30;

/// Who has not uploaded it after so long is stopped, and its numbers are scaled up.
const ENOUGH: Duration = Duration::from_secs(30);

/// What they fetch once more to compare it, untimed.
const COMPARED: u64 = 64 << 20;

/// One of the things measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called on the command line and in JSON.
    pub name: &'static str,
    /// What it is, as a heading.
    pub title: &'static str,
    /// Its kind and measures.
    pub kind: Kind,
}

/// Kinds of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The whole content from so many seeds, in pieces of so many KiB.
    Download {
        seeds: usize,
        piece_kib: u32,
        disk: bool,
        rc4: bool,
    },
    /// 2 GiB to so many leechers together.
    Upload { leechers: usize, rc4: bool },
    /// So many peers that say nothing, for so many seconds.
    Idle { peers: usize, seed: bool },
    /// The whole content from a web seed, without peers.
    Web,
    /// The whole content from some, among many that say nothing.
    Crowd { active: usize, idle: usize },
}

const fn download(seeds: usize, piece_kib: u32) -> Kind {
    Kind::Download {
        seeds,
        piece_kib,
        disk: false,
        rc4: false,
    }
}

const fn upload(leechers: usize) -> Kind {
    Kind::Upload {
        leechers,
        rc4: false,
    }
}

/// All cases.
pub const CASES: &[Case] = &[
    Case {
        name: "download-1",
        title: "Download from 1 seed, pieces of 1 MiB",
        kind: download(1, 1024),
    },
    Case {
        name: "download-4",
        title: "Download from 4 seeds, pieces of 1 MiB",
        kind: download(4, 1024),
    },
    Case {
        name: "download-50",
        title: "Download from 50 seeds, pieces of 1 MiB",
        kind: download(50, 1024),
    },
    Case {
        name: "download-256k",
        title: "Download from 4 seeds, pieces of 256 KiB",
        kind: download(4, 256),
    },
    Case {
        name: "download-16m",
        title: "Download from 4 seeds, pieces of 16 MiB",
        kind: download(4, 16 * 1024),
    },
    Case {
        name: "upload-1",
        title: "Upload to 1 leecher",
        kind: upload(1),
    },
    Case {
        name: "upload-4",
        title: "Upload to 4 leechers",
        kind: upload(4),
    },
    Case {
        name: "upload-50",
        title: "Upload to 50 leechers",
        kind: upload(50),
    },
    Case {
        name: "disk-4",
        title: "Download from 4 seeds to the real disk, pieces of 1 MiB",
        kind: Kind::Download {
            seeds: 4,
            piece_kib: 1024,
            disk: true,
            rc4: false,
        },
    },
    Case {
        name: "rc4-download",
        title: "Download from 4 seeds that require RC4, pieces of 1 MiB",
        kind: Kind::Download {
            seeds: 4,
            piece_kib: 1024,
            disk: false,
            rc4: true,
        },
    },
    Case {
        name: "rc4-upload",
        title: "Upload to 4 leechers that require RC4",
        kind: Kind::Upload {
            leechers: 4,
            rc4: true,
        },
    },
    Case {
        name: "webseed",
        title: "Download from a web seed (nginx), pieces of 1 MiB",
        kind: Kind::Web,
    },
    Case {
        name: "idle-get",
        title: "500 idle peers while downloading",
        kind: Kind::Idle {
            peers: 500,
            seed: false,
        },
    },
    Case {
        name: "idle-seed",
        title: "500 idle peers while seeding",
        kind: Kind::Idle {
            peers: 500,
            seed: true,
        },
    },
    Case {
        name: "crowd",
        title: "1,000 peers, 200 of them seeds, 800 idle",
        kind: Kind::Crowd {
            active: 200,
            idle: 800,
        },
    },
];

/// What one run gave, by name; the names are those of JSON.
pub type Values = BTreeMap<&'static str, f64>;

impl Case {
    /// Whether this client takes part.
    pub fn takes(&self, client: &Client) -> bool {
        let fetches = matches!(
            client,
            Client::Brooklet { .. } | Client::Libtorrent | Client::Aria2 | Client::Curl
        );
        match (self.kind, client) {
            (Kind::Web, _) => fetches,
            (_, Client::Curl) => false,
            (
                Kind::Download { rc4: true, .. } | Kind::Upload { rc4: true, .. },
                Client::Floor { .. } | Client::Rqbit(_),
            ) => false,
            (Kind::Download { .. }, Client::Floor { sendfile }) => !sendfile,
            (Kind::Idle { .. } | Kind::Crowd { .. }, client) => {
                matches!(client, Client::Brooklet { .. })
            }
            _ => true,
        }
    }

    /// Whether it says nothing more to repeat it.
    pub fn once(&self) -> bool {
        matches!(self.kind, Kind::Idle { .. })
    }

    /// Runs a client once; `compare` the content too, untimed; `idle` is how long idle peers are
    /// watched.
    pub fn run(
        &self,
        client: &Client,
        place: &Place,
        compare: bool,
        idle: Duration,
    ) -> Result<Values, Failure> {
        place.clear()?;
        let run = Run {
            client,
            place,
            compare,
        };
        match self.kind {
            Kind::Download {
                seeds,
                piece_kib,
                disk,
                rc4,
            } => run.download(seeds, piece_kib, disk, rc4),
            Kind::Upload { leechers, rc4 } => run.upload(leechers, rc4),
            Kind::Web => run.web(),
            Kind::Idle { peers, seed } => run.idle(peers, seed, idle),
            Kind::Crowd { active, idle } => run.crowd(active, idle),
        }
    }
}

struct Run<'a> {
    client: &'a Client,
    place: &'a Place,
    compare: bool,
}

impl Run<'_> {
    fn job<'a>(&'a self, torrent: &'a Path, folder: &'a Path, peers: usize) -> Job<'a> {
        Job {
            torrent,
            folder,
            state: &self.place.state,
            peers,
            rc4: false,
        }
    }

    fn load(&self, piece_kib: u32, options: &[String]) -> Result<LoadProcess, Failure> {
        let torrent = self.place.torrent(piece_kib);
        let mut words: Vec<OsString> = vec![torrent.into(), self.place.content.join(NAME).into()];
        words.extend(options.iter().map(Into::into));
        LoadProcess::spawn(&self.place.net.of_load(), &words, &self.place.log("load"))
    }

    fn start(&self, words: &[OsString]) -> Result<Process, Failure> {
        let log = self.place.log(self.client.name());
        Process::spawn(&self.place.net.of_client(), words, &log)
    }

    fn download(
        &self,
        seeds: usize,
        piece_kib: u32,
        disk: bool,
        rc4: bool,
    ) -> Result<Values, Failure> {
        let torrent = self.place.torrent(piece_kib);
        let folder = if disk {
            &self.place.disk
        } else {
            &self.place.result
        };
        let mut job = self.job(&torrent, folder, seeds);
        job.rc4 = rc4;
        let start = self.client.get(&job)?;
        let mut options = vec!["--seeds".into(), seeds.to_string()];
        options.extend(rc4.then(|| "--rc4".into()));
        let load = self.load(piece_kib, &options)?;
        if disk {
            sync(folder)?;
        }
        let began = Instant::now();
        let mut process = self.start(&start.words)?;
        let used = finish(&mut process, start.finished.as_deref())?;
        let mut values = usual(&used, &process);
        values.insert("load", load.usage().cpu / used.wall);
        if disk {
            sync(folder)?;
            values.insert("synced", began.elapsed().as_secs_f64());
        }
        process.stop();
        if self.compare && !torrent::same(&folder.join(NAME), &self.place.content.join(NAME))? {
            return Err(process.failed("what it wrote is not the content"));
        }
        Ok(values)
    }

    fn web(&self) -> Result<Values, Failure> {
        let mut server = web::serve(self.place)?;
        let named = web::torrent(self.place)?;
        let folder = &self.place.result;
        let start = self.client.get(&self.job(&named, folder, 1))?;
        let before = server.usage().cpu;
        let mut process = self.start(&start.words)?;
        let used = finish(&mut process, start.finished.as_deref())?;
        let mut values = usual(&used, &process);
        values.insert("load", (server.usage().cpu - before) / used.wall);
        process.stop();
        server.stop();
        if self.compare && !torrent::same(&folder.join(NAME), &self.place.content.join(NAME))? {
            return Err(process.failed("what it wrote is not the content"));
        }
        Ok(values)
    }

    fn upload(&self, leechers: usize, rc4: bool) -> Result<Values, Failure> {
        let torrent = self.place.torrent(1024);
        let mut options = vec![
            "--leechers".into(),
            leechers.to_string(),
            "--total".into(),
            UPLOADED.to_string(),
            "--client".into(),
            format!("{CLIENT}:{PORT}"),
        ];
        options.extend(rc4.then(|| "--rc4".into()));
        let mut load = self.load(1024, &options)?;
        let mut job = self.job(&torrent, &self.place.content, leechers);
        job.rc4 = rc4;
        let mut process = self.start(&self.client.seed(&job)?)?;
        self.ready(&mut load, &mut process)?;
        let (before, load_before) = (process.usage(), load.usage());
        load.order("go")?;
        let deadline = Instant::now() + ENOUGH;
        let done = process.until(PATIENCE, |_| {
            if Instant::now() > deadline {
                let _ = load.order("enough");
            }
            load.seen("done")
        })?;
        let done = done.ok_or_else(|| process.failed("it ended"))?;
        let (after, load_after) = (process.usage(), load.usage());
        let (seconds, bytes) = (done.get("seconds").number(), done.get("bytes").number());
        let scale = UPLOADED as f64 / bytes;
        let used = Usage {
            wall: seconds * scale,
            user: (after.user - before.user) * scale,
            system: (after.system - before.system) * scale,
            cpu: (after.cpu - before.cpu) * scale,
        };
        let mut values = usual(&used, &process);
        values.insert("rate", bytes / seconds / f64::from(1 << 20));
        values.insert("load", (load_after.cpu - load_before.cpu) / seconds);
        values.insert("lost", done.get("lost").number());
        values.insert("scaled", scale);
        if self.compare && bytes == UPLOADED as f64 {
            load.order(&format!("verify {COMPARED}"))?;
            load.event("done", PATIENCE)?;
        }
        process.stop();
        Ok(values)
    }

    /// Waits until the tracker has heard that the client has everything; clients that announce
    /// before they have looked are given time to look.
    fn ready(&self, load: &mut LoadProcess, process: &mut Process) -> Result<(), Failure> {
        let complete = |event: &Json| event.get("left").number() == 0.0;
        if !matches!(self.client, Client::Floor { .. }) {
            let found = process.until(PATIENCE, |_| load.seen("announced").filter(complete))?;
            found.ok_or_else(|| process.failed("it ended"))?;
        }
        thread::sleep(Duration::from_secs(1));
        Ok(())
    }

    fn idle(&self, peers: usize, seed: bool, span: Duration) -> Result<Values, Failure> {
        let torrent = self.place.torrent(1024);
        let mut load = self.load(1024, &["--idle".into(), peers.to_string()])?;
        let words = if seed {
            self.client
                .seed(&self.job(&torrent, &self.place.content, peers))?
        } else {
            self.client
                .get(&self.job(&torrent, &self.place.result, peers))?
                .words
        };
        let mut process = self.start(&words)?;
        load.event("announced", PATIENCE)?;
        load.order("go")?;
        pause(SETTLING)?;
        let (before, slept) = (process.usage(), sleeps(process.pid));
        pause(span)?;
        let cpu = process.usage().cpu - before.cpu;
        let mut values = Values::new();
        values.insert("percent", cpu / span.as_secs_f64() * 100.0);
        values.insert("wakeups", (sleeps(process.pid) - slept) as f64);
        values.insert("seconds", span.as_secs_f64());
        values.insert("rss", status(process.pid, "VmRSS").unwrap_or(0) as f64);
        let end = load.end()?;
        values.insert("connected", connected(&end));
        process.stop();
        Ok(values)
    }

    fn crowd(&self, active: usize, idle: usize) -> Result<Values, Failure> {
        let torrent = self.place.torrent(1024);
        let options = [
            "--seeds".into(),
            active.to_string(),
            "--idle".into(),
            idle.to_string(),
            "--dial".into(),
        ];
        let mut load = self.load(1024, &options)?;
        let job = self.job(&torrent, &self.place.result, active + idle);
        let start = self.client.get(&job)?;
        let mut process = self.start(&start.words)?;
        load.event("announced", PATIENCE)?;
        load.order("go idle")?;
        pause(SETTLING)?;
        // Measured from here on, when only who has something to give is missing.
        let (began, before, load_before) = (Instant::now(), process.usage(), load.usage());
        load.order("go")?;
        let mut used = finish(&mut process, start.finished.as_deref())?;
        used = Usage {
            wall: began.elapsed().as_secs_f64(),
            user: used.user - before.user,
            system: used.system - before.system,
            cpu: used.cpu - before.cpu,
        };
        let mut values = usual(&used, &process);
        values.insert("load", (load.usage().cpu - load_before.cpu) / used.wall);
        let end = load.end()?;
        values.insert("connected", end.get("greeted").number());
        let mut sent: Vec<f64> = end.get("sent").list().iter().map(Json::number).collect();
        sent.truncate(active);
        sent.sort_by(f64::total_cmp);
        values.insert("least", sent[0] / 1024.0);
        values.insert("median", sent[active / 2] / 1024.0);
        Ok(values)
    }
}

fn connected(end: &Json) -> f64 {
    end.get("greeted").number() - end.get("lost").number()
}

fn usual(used: &Usage, process: &Process) -> Values {
    Values::from([
        ("wall", used.wall),
        ("user", used.user),
        ("sys", used.system),
        ("cpu", used.cpu),
        ("rss", process.peak as f64),
    ])
}

/// Waits for the end of a download: that of the process, or the file that it makes.
fn finish(process: &mut Process, file: Option<&Path>) -> Result<Usage, Failure> {
    let Some(file) = file else {
        return process.wait(PATIENCE);
    };
    let done = process.until(PATIENCE, |process| file.is_file().then(|| process.usage()))?;
    let Some(mut used) = done else {
        return Err(process.failed("it ended"));
    };
    let since = process.started.duration_since(SystemTime::UNIX_EPOCH)?;
    used.wall = fs::read_to_string(file)?.trim().parse::<f64>()? - since.as_secs_f64();
    Ok(used)
}

fn pause(span: Duration) -> Result<(), Failure> {
    let end = Instant::now() + span;
    while Instant::now() < end {
        interrupted()?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Writes what is dirty on the file system of this folder to the disk.
fn sync(folder: &Path) -> Result<(), Failure> {
    let path: PathBuf = folder.into();
    let done = Command::new("sync").arg("-f").arg(path).status()?;
    if done.success() {
        Ok(())
    } else {
        Err("sync failed".into())
    }
}
