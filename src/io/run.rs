//! From a [`Setup`] to a turning loop: what is on disk is looked at, ports are opened, and the
//! session is given what it needs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mio::{Poll, Waker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::clock::Clock;
use super::disk::content::ContentFiles;
use super::disk::disk_error::DiskError;
use super::disk::elsewhere::Elsewhere;
use super::disk::existing::{Strangers, Survey};
use super::disk::pool::Pool;
use super::disk::state;
use super::disk::store::{Keeping, Store};
use super::disk::waiting;
use super::net::link::{self, Listeners};
use super::net::outreach::Outreach;
use super::reactor::{Parts, Reactor, Reporter};
use super::setup::{Ending, Mode, Setup};
use super::signal;
use super::tokens;
use crate::base::bits::Bits;
use crate::base::id::PeerId;
use crate::base::limits;
use crate::base::rate::Totals;
use crate::base::rng::Rng;
use crate::peer::frames::FrameLimits;
use crate::session::config::Config;
use crate::session::session::Session;
use crate::storage::layout::Layout;
use crate::storage::resume::{self, Resume, Verdict};
use crate::torrent::candidates::Source;
use crate::torrent::effect::Report;
use crate::torrent::order::{Existing, Order, Us};
use crate::wire::files::FileKind;
use crate::wire::metainfo::Metainfo;

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
    let waker = tokens::waker(&poll).map_err(failed)?;
    let (listeners, mut outreach) = open_ports(&setup, &poll, &waker)?;
    let pool = Pool::for_process();
    let mut disk = open_content(&setup, &pool, warn)?;
    let metainfo = &setup.metainfo;
    let state = setup
        .state_dir
        .join(format!("{}.resume", metainfo.info_hash));
    let resume = recorded(&state, metainfo, disk.layout(), warn);
    let believed = resume.as_ref().filter(|_| !setup.recheck);
    let mut verdict = resume::verdict(believed, disk.layout(), disk.stamps());
    let parts = state.with_extension("parts");
    let (chosen, doubted) = admit(&setup, resume.as_ref(), &mut disk, &mut verdict, &parts)?;
    let overwrite = setup.overwrite;
    // Before the first write it must be on record that files may be ours that are not whole.
    let clean = resume.as_ref().is_none_or(|resume| resume.clean);
    let totals = resume.map_or(Totals::default(), |resume| Totals {
        down: resume.downloaded,
        up: resume.uploaded,
    });
    let known = Known {
        verdict,
        doubted,
        totals,
    };
    let longest = FrameLimits::of(metainfo.geometry.pieces()).longest();
    let bind = setup.bind;
    let buffers = buffers(setup.memory, longest);
    let peers = std::mem::take(&mut setup.peers);
    let config = config(&setup, &listeners, longest, &mut rng, warn);
    let mut session = Session::new(config, rng.bits64(), now);
    let added = session.add(order(setup, known, &disk), now);
    let torrent = added.map_err(|_| String::from("the torrent is there already"))?;
    for (host, port) in peers {
        match host.parse() {
            Ok(ip) => session.add_peers(torrent, &[SocketAddr::new(ip, port)], Source::User, now),
            Err(_) => outreach.look_up_peer(host, port),
        }
    }
    let mut store = Store::new(Arc::clone(&waker), buffers, pool);
    let keeping = Keeping {
        path: state,
        clean,
        chosen,
        overwrite,
    };
    store.insert(torrent, disk, keeping);
    let parts = Parts {
        store,
        poll,
        session,
        torrent,
        outreach,
        clock,
        listeners,
        bind,
    };
    // Until here a signal ends the process, however long the disk keeps it waiting.
    signal::hand_over(waker);
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
        tokens::OUTREACH,
        listeners.port,
        setup.bind,
        listeners.families,
        Arc::clone(waker),
    )
    .map_err(|error| format!("port {} (UDP): {}", listeners.port, link::plain(&error)))?;
    Ok((listeners, outreach))
}

/// The content as it is on disk. What would make every write fail is an error now.
fn open_content(
    setup: &Setup,
    pool: &Pool,
    warn: &mut dyn FnMut(String),
) -> Result<ContentFiles, String> {
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
    let mut disk = ContentFiles::new(dir, Arc::clone(&setup.metainfo), pool);
    // One obstacle may be in the way of every file.
    let errors = waiting::tell_of(dir, || disk.look());
    let errors: BTreeSet<String> = errors.iter().map(ToString::to_string).collect();
    if download {
        return Ok(disk);
    }
    for error in errors {
        warn(error);
    }
    for file in disk.oversized() {
        let path = disk.path(file).display().to_string();
        warn(format!(
            "{path}: longer than the torrent says; the surplus is left alone"
        ));
    }
    Ok(disk)
}

/// The files to be downloaded and those that must prove to be this torrent's. What cannot be
/// written, or may not be, is an error before anything is written or fetched.
fn admit(
    setup: &Setup,
    resume: Option<&Resume>,
    disk: &mut ContentFiles,
    known: &mut Verdict,
    parts: &Path,
) -> Result<(Vec<usize>, Vec<Existing>), String> {
    let metainfo = &setup.metainfo;
    let all = 0..metainfo.files.len();
    let every = || all.clone().collect();
    let chosen = setup.selection.clone().unwrap_or_else(every);
    let survey = Survey {
        metainfo,
        chosen: &chosen,
        resume,
    };
    disk.find_owned();
    disk.set_strangers(survey.foreign(disk));
    if matches!(setup.mode, Mode::Seed { .. }) {
        let absent = |&file: &usize| {
            metainfo.files[file].kind == FileKind::File && disk.stamps()[file].is_none()
        };
        let elsewhere = Elsewhere::new(parts, metainfo.geometry, all.filter(absent).collect());
        keep_elsewhere(disk, known, elsewhere);
        return Ok((Vec::new(), Vec::new()));
    }
    survey.check_writable(disk)?;
    let mut strangers = Strangers::default();
    if !setup.overwrite {
        survey.check_lengths(disk)?;
        strangers = survey.strangers(disk, known);
    }
    let wanted = disk.layout().select(chosen.iter().copied()).pieces;
    let earlier = Elsewhere::new(parts, metainfo.geometry, BTreeSet::new());
    let neighbours = survey.neighbours(disk, &wanted, earlier.kept());
    disk.spare(strangers.precious);
    if neighbours.barred.is_empty() {
        Elsewhere::clear(parts);
    }
    let elsewhere = Elsewhere::new(parts, metainfo.geometry, neighbours.barred);
    keep_elsewhere(disk, known, elsewhere.with_neighbours(neighbours.others));
    Ok((chosen, strangers.doubted))
}

/// Has the bytes of barred files kept there; the pieces that may be whole with them are hashed.
fn keep_elsewhere(disk: &mut ContentFiles, known: &mut Verdict, elsewhere: Elsewhere) {
    let layout = disk.layout();
    let geometry = layout.geometry();
    for piece in elsewhere.kept().ones() {
        let len = geometry.piece_size(piece) as usize;
        let whole = layout.spans(geometry.piece_start(piece), len).all(|span| {
            let size = disk.stamps()[span.file].map_or(0, |stamp| stamp.size);
            let there = size >= span.offset + span.len as u64;
            span.padding || there || elsewhere.takes(span.file)
        });
        if whole {
            known.trusted.clear(piece);
            known.hash.set(piece);
        }
    }
    disk.keep_elsewhere(elsewhere);
}

/// What is known of the content without looking into it.
struct Known {
    verdict: Verdict,
    doubted: Vec<Existing>,
    /// Bytes received and sent in earlier runs.
    totals: Totals,
}

fn config(
    setup: &Setup,
    listeners: &Listeners,
    longest: usize,
    rng: &mut Rng,
    warn: &mut dyn FnMut(String),
) -> Config {
    let sockets = sockets(setup.max_peers);
    let (max_peers, share) = shares(setup.memory, sockets, longest);
    for (least, what) in [(sockets, "ulimit -n"), (max_peers, "--memory")] {
        if least < setup.max_peers {
            let asked = setup.max_peers;
            let message = format!("{what} leaves room for {least} peers, not {asked}");
            warn(message);
            break;
        }
    }
    let us = Us {
        peer_id: PeerId::generate(rng),
        port: listeners.port,
        key: rng.bits32(),
        families: listeners.families,
        allow_local: setup.allow_local,
        share,
        heartbeat: setup.heartbeat,
    };
    Config {
        us,
        max_peers,
        down: setup.down,
        up: setup.up,
        active: None,
    }
}

fn order(setup: Setup, known: Known, disk: &ContentFiles) -> Order {
    let metainfo = &setup.metainfo;
    let (download, stay) = match setup.mode {
        Mode::Get { stay } => (true, stay),
        Mode::Seed { stay } => (false, stay),
    };
    Order {
        name: metainfo.name.clone(),
        info_hash: metainfo.info_hash,
        size: metainfo.size(),
        geometry: metainfo.geometry,
        padding: disk.layout().padding(),
        hashes: setup.hashes,
        wanted: match (download, setup.selection) {
            (true, Some(chosen)) => disk.layout().select(chosen).pieces,
            (true, None) => Bits::full(metainfo.geometry.pieces()),
            (false, _) => Bits::new(metainfo.geometry.pieces()),
        },
        download,
        stay,
        trusted: known.verdict.trusted,
        to_hash: known.verdict.hash,
        doubted: known.doubted,
        earlier: known.totals,
        trackers: if setup.trackers {
            metainfo.trackers.clone()
        } else {
            Vec::new()
        },
        timeout: setup.timeout,
        sequential: setup.sequential,
    }
}

/// How many sockets there may be for peers: as many as the system lets us have handles, but for
/// those that others need.
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
    let trackers = limits::TRACKER_CONNECTIONS + limits::TRACKER_SOCKETS;
    let others = content + trackers + limits::OTHER_HANDLES;
    max_peers.min(handles.saturating_sub(others)).max(1)
}

/// How many receive buffers may wait for the disk: a quarter of the budget's worth, and one at
/// least. `longest`: bytes of the longest frame, whose start a read may leave behind.
fn buffers(memory: u64, longest: usize) -> usize {
    let quarter = usize::try_from(memory / 4).unwrap_or(usize::MAX);
    (quarter / (longest + limits::READ)).clamp(1, limits::BUFFERS)
}

/// How many peers there may be, and the bytes that each may take, within this budget: the loop's
/// own buffers come first.
fn shares(memory: u64, max_peers: usize, longest: usize) -> (usize, usize) {
    let buffers = buffers(memory, longest) * (longest + limits::READ);
    let left = usize::try_from(memory)
        .unwrap_or(usize::MAX)
        .saturating_sub(limits::MIB + buffers);
    let least = limits::PEER_SHARE.max(longest);
    let most = max_peers.min(left / least).max(1);
    (most, (left / most).max(least))
}

/// What an earlier run recorded, if it can be believed.
fn recorded(
    path: &Path,
    metainfo: &Metainfo,
    layout: &Layout,
    warn: &mut dyn FnMut(String),
) -> Option<Resume> {
    let most = Resume::most_bytes(layout) + 1;
    let loaded = waiting::tell_of(path, || state::load(path, most));
    let bytes = loaded.unwrap_or_else(|error| {
        warn(error.to_string());
        None
    })?;
    let resume = Resume::decode(&bytes, metainfo.info_hash, layout);
    if resume.is_none() {
        let path = path.display();
        warn(format!("{path}: damaged; the content is hashed again"));
    }
    resume
}
