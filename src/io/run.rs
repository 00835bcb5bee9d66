//! From a [`Setup`] to a turning loop: what is on disk is looked at, ports are opened, and the session is given what it needs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mio::{Poll, Waker};
use rustix::fs::Access;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::clock::Clock;
use super::disk::Disk;
use super::disk_error::DiskError;
use super::link::{self, Listeners};
use super::outreach::Outreach;
use super::reactor::{self, Parts, Reactor, Reporter};
use super::saving::Saving;
use super::setup::{Ending, Mode, Setup};
use super::state;
use super::writer::Writer;
use crate::base::bits::Bits;
use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::rng::Rng;
use crate::session::config::Config;
use crate::session::effect::Report;
use crate::session::session::Session;
use crate::storage::layout::Layout;
use crate::storage::resume::{self, Resume};
use crate::torrent::candidates::Source;
use crate::wire::metainfo::{FileKind, Metainfo};

/// Runs one torrent until it is done, stopped or failed.
pub fn run(setup: Setup, reporter: &mut Reporter<'_>) -> Ending {
    let mut warn = |message| {
        // It is no result: there is nothing that could not be written.
        let _ = reporter(Report::Warning(message));
    };
    match prepare(setup, &mut warn) {
        Ok(reactor) => reactor.run(reporter),
        Err(why) => {
            let _ = reporter(Report::Error(why.clone()));
            Ending::Failed(why)
        }
    }
}

fn prepare(mut setup: Setup, warn: &mut dyn FnMut(String)) -> Result<Reactor, String> {
    let failed = |error| format!("poll: {}", link::plain(&error));
    let clock = Clock::start();
    let now = clock.now();
    let seed = rand::TryRng::try_next_u64(&mut rand::rngs::SysRng)
        .map_err(|error| format!("random numbers: {error}"))?;
    let mut rng = Rng::from_seed(seed);
    let poll = Poll::new().map_err(failed)?;
    let waker = reactor::waker(&poll).map_err(failed)?;
    let (listeners, mut outreach) = open_ports(&setup, &poll, &waker)?;
    let disk = open_content(&mut setup, warn)?;
    let pen = disk.pen().map_err(|error| error.to_string())?;
    let tree = disk.tree().map_err(|error| error.to_string())?;

    let metainfo = &setup.metainfo;
    let state = setup
        .state_dir
        .join(format!("{}.resume", metainfo.info_hash));
    let known = known(&state, setup.recheck, metainfo, &disk, warn);
    let (clean, room) = (known.clean, room(metainfo));
    let (bind, info_hash) = (setup.bind, metainfo.info_hash);
    let buffers = buffers(setup.memory, room);
    let peers = std::mem::take(&mut setup.peers);
    let config = config(setup, known, &disk, &listeners, &mut rng, warn);
    let mut session = Session::new(config, rng.bits64(), now);
    for (host, port) in peers {
        match host.parse() {
            Ok(ip) => session.add_peers(&[SocketAddr::new(ip, port)], Source::User, now),
            Err(_) => outreach.look_up_peer(host, port),
        }
    }
    let pen = pen.at_pace(pace());
    let parts = Parts {
        writer: Writer::new(pen, Arc::clone(&waker), buffers),
        saving: Saving::new(waker, tree, state, info_hash, clean),
        poll,
        session,
        disk,
        outreach,
        clock,
        listeners,
        bind,
        room,
    };
    Reactor::new(parts).map_err(failed)
}

/// The sockets that peers call, and those for trackers, on the same port.
fn open_ports(
    setup: &Setup,
    poll: &Poll,
    waker: &Arc<Waker>,
) -> Result<(Listeners, Outreach), String> {
    let listeners = Listeners::open(setup.port, setup.bind)?;
    let outreach = Outreach::new(
        poll.registry(),
        reactor::OUTREACH,
        listeners.port,
        setup.bind,
        listeners.families,
        Arc::clone(waker),
    )
    .map_err(|error| format!("port {} (UDP): {}", listeners.port, link::plain(&error)))?;
    Ok((listeners, outreach))
}

/// The content as it is on disk. What would make every write fail is an error now.
fn open_content(setup: &mut Setup, warn: &mut dyn FnMut(String)) -> Result<Disk, String> {
    let dir = &setup.dir;
    let download = matches!(setup.mode, Mode::Get { .. });
    if dir.exists() && !dir.is_dir() {
        return Err(format!("{}: it is not a folder", dir.display()));
    }
    if download {
        std::fs::create_dir_all(dir).map_err(|error| DiskError::new(dir, error).to_string())?;
    } else if !dir.is_dir() {
        return Err(format!("{}: there is no such folder", dir.display()));
    }
    let mut disk = Disk::new(dir, Arc::clone(&setup.metainfo));
    // One obstacle may be in the way of every file.
    let errors: BTreeSet<String> = disk.look().iter().map(ToString::to_string).collect();
    for error in errors {
        warn(error);
    }
    for file in disk.oversized() {
        let path = disk.path(file).display().to_string();
        warn(format!(
            "{path}: longer than the torrent says; the surplus is left alone"
        ));
    }
    if download {
        let all = || (0..setup.metainfo.files.len()).collect();
        let chosen = setup.selection.clone().unwrap_or_else(all);
        let made = disk.make_empty(chosen.iter().copied());
        made.and_then(|()| may_write(&disk, &setup.metainfo, &chosen))
            .map_err(|error| error.to_string())?;
    }
    Ok(disk)
}

/// Whether the first of these files that is not there as a whole may be written to, or made: the first block would come late to find out.
fn may_write(disk: &Disk, metainfo: &Metainfo, chosen: &[usize]) -> Result<(), DiskError> {
    let unfinished = |file: &&usize| {
        let (entry, found) = (&metainfo.files[**file], disk.stamps()[**file]);
        entry.kind == FileKind::File && found.is_none_or(|found| found.size < entry.length)
    };
    let Some(&file) = chosen.iter().find(unfinished) else {
        return Ok(());
    };
    let path = disk.path(file);
    let (there, access) = match path.exists() {
        true => (Some(&*path), Access::WRITE_OK),
        false => {
            let mut folders = path.ancestors().skip(1);
            let there = folders.find(|folder| folder.exists());
            (there, Access::WRITE_OK | Access::EXEC_OK)
        }
    };
    // The path of what lies in the folder where we are may have no folder in it.
    let there = there.unwrap_or(Path::new("."));
    rustix::fs::access(there, access).map_err(|errno| DiskError::new(path, errno))
}

fn config(
    setup: Setup,
    known: Known,
    disk: &Disk,
    listeners: &Listeners,
    rng: &mut Rng,
    warn: &mut dyn FnMut(String),
) -> Config {
    let metainfo = &setup.metainfo;
    let sockets = sockets(setup.max_peers);
    let (max_peers, share) = shares(setup.memory, sockets, room(metainfo));
    for (least, what) in [(sockets, "ulimit -n"), (max_peers, "--memory")] {
        if least < setup.max_peers {
            let asked = setup.max_peers;
            let message = format!("{what} leaves room for {least} peers, not {asked}");
            warn(message);
            break;
        }
    }
    let (download, stay) = match setup.mode {
        Mode::Get { stay } => (true, stay),
        Mode::Seed { stay } => (false, stay),
    };
    let chosen = setup.selection;
    Config {
        name: metainfo.name.clone(),
        info_hash: metainfo.info_hash,
        size: metainfo.size(),
        geometry: metainfo.geometry,
        hashes: setup.hashes,
        wanted: match (download, chosen) {
            (true, Some(chosen)) => disk.layout().select(chosen).pieces,
            (true, None) => Bits::full(metainfo.geometry.pieces()),
            (false, _) => Bits::new(metainfo.geometry.pieces()),
        },
        download,
        stay,
        trusted: known.trusted,
        to_hash: known.to_hash,
        earlier: known.totals,
        peer_id: PeerId::generate(rng),
        port: listeners.port,
        trackers: match setup.trackers {
            true => metainfo.trackers.clone(),
            false => Vec::new(),
        },
        key: rng.bits32(),
        families: listeners.families,
        max_peers,
        share,
        down: setup.down,
        up: setup.up,
        sequential: setup.sequential,
        heartbeat: setup.heartbeat,
    }
}

/// How many sockets there may be for peers: as many as the system lets us have handles, but for those that others need.
fn sockets(max_peers: usize) -> usize {
    let before = getrlimit(Resource::Nofile);
    // A caller that asks for many peers need not know of `ulimit`.
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(_) => before.current,
    };
    let handles = allowed.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let content = limits::OPEN_FILES.min(handles / 4);
    let others = content + 2 * limits::TRACKERS_AT_ONCE + limits::OTHER_HANDLES;
    max_peers.min(handles.saturating_sub(others)).max(1)
}

/// Bytes of the longest frame that a read can cut: all but one byte of it, and its length.
fn room(metainfo: &Metainfo) -> usize {
    let bitfield = metainfo.geometry.pieces().div_ceil(8) as usize + 1;
    bitfield.max(limits::BLOCK_FRAME) + 4
}

/// How many receive buffers may wait for the disk: a quarter of the budget's worth, and one at least.
fn buffers(memory: u64, room: usize) -> usize {
    let quarter = usize::try_from(memory / 4).unwrap_or(usize::MAX);
    (quarter / (room + limits::READ)).clamp(1, limits::BUFFERS)
}

/// A pace in bytes a second that writing keeps to, for tests of what a slow disk does to everything else.
fn pace() -> Option<u64> {
    std::env::var("BROOKLET_WRITE_PACE").ok()?.parse().ok()
}

/// How many peers there may be, and the bytes that each may take, within this budget: the loop's own buffers come first.
fn shares(memory: u64, max_peers: usize, room: usize) -> (usize, usize) {
    let buffers = buffers(memory, room) * (room + limits::READ);
    let left = usize::try_from(memory)
        .unwrap_or(usize::MAX)
        .saturating_sub(limits::MIB + buffers);
    let least = limits::PEER_SHARE.max(room);
    let most = max_peers.min(left / least).max(1);
    (most, (left / most).max(least))
}

/// What is known of the content without looking into it.
struct Known {
    trusted: Bits,
    to_hash: Bits,
    totals: (u64, u64),
    /// The resume file says that nothing else is there.
    clean: bool,
}

fn known(
    path: &Path,
    recheck: bool,
    metainfo: &Metainfo,
    disk: &Disk,
    warn: &mut dyn FnMut(String),
) -> Known {
    let layout: &Layout = disk.layout();
    let bytes = state::load(path, Resume::most_bytes(layout) + 1).unwrap_or_else(|error| {
        warn(error.to_string());
        None
    });
    let resume = bytes
        .as_ref()
        .and_then(|bytes| Resume::decode(bytes, metainfo.info_hash, layout));
    if bytes.is_some() && resume.is_none() {
        let path = path.display();
        warn(format!("{path}: damaged; the content is hashed again"));
    }
    let totals = resume
        .as_ref()
        .map_or((0, 0), |resume| (resume.downloaded, resume.uploaded));
    let verdict = resume::verdict(resume.as_ref().filter(|_| !recheck), layout, disk.stamps());
    Known {
        trusted: verdict.trusted,
        to_hash: verdict.hash,
        totals,
        clean: resume.is_some_and(|resume| resume.clean),
    }
}
