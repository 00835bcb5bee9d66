//! From a [`Setup`] to a turning loop: what is on disk is looked at, ports are opened, and the
//! session is given what it needs.

use std::net::SocketAddr;
use std::sync::Arc;

use mio::{Poll, Waker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::clock::Clock;
use super::disk::content::ContentFiles;
use super::disk::opening::{Keeping, Opened, Request};
use super::disk::pool::Pool;
use super::disk::store::Store;
use super::net::link::{self, Listeners};
use super::net::outreach::Outreach;
use super::reactor::{Parts, Reactor, Reporter};
use super::setup::{Ending, Mode, Setup};
use super::signal;
use super::tokens;
use crate::base::bits::Bits;
use crate::base::id::PeerId;
use crate::base::key::TorrentKey;
use crate::base::limits;
use crate::base::rng::Rng;
use crate::peer::frames::FrameLimits;
use crate::session::config::Config;
use crate::session::session::Session;
use crate::torrent::candidates::Source;
use crate::torrent::effect::Report;
use crate::torrent::order::{Order, Us};

/// What the torrent is called while it is opened.
const ONLY: TorrentKey = 0;

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
    let longest = FrameLimits::of(setup.metainfo.geometry.pieces()).longest();
    let buffers = buffers(setup.memory, longest);
    let mut store = Store::new(Arc::clone(&waker), buffers, Pool::for_process());
    store.open(ONLY, request(&setup));
    let (_, opening) = store.wait_opened();
    opening.warnings.into_iter().for_each(&mut *warn);
    let opened = opening.result?;
    let bind = setup.bind;
    let peers = std::mem::take(&mut setup.peers);
    let config = config(&setup, &listeners, longest, &mut rng, warn);
    let mut session = Session::new(config, rng.bits64(), now);
    let (order, content, keeping) = order(setup, opened);
    let added = session.add(order, now);
    let torrent = added.map_err(|_| String::from("the torrent is there already"))?;
    for (host, port) in peers {
        match host.parse() {
            Ok(ip) => session.add_peers(torrent, &[SocketAddr::new(ip, port)], Source::User, now),
            Err(_) => outreach.look_up_peer(host, port),
        }
    }
    store.insert(torrent, content, keeping);
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

/// What of the disk a run needs to know.
fn request(setup: &Setup) -> Request {
    Request {
        metainfo: Arc::clone(&setup.metainfo),
        dir: setup.dir.clone(),
        state_dir: setup.state_dir.clone(),
        download: matches!(setup.mode, Mode::Get { .. }),
        selection: setup.selection.clone(),
        overwrite: setup.overwrite,
        recheck: setup.recheck,
    }
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

/// The torrent as the session is to run it, and its files.
fn order(setup: Setup, opened: Opened) -> (Order, ContentFiles, Keeping) {
    let metainfo = &setup.metainfo;
    let layout = opened.content.layout();
    let (download, stay) = match setup.mode {
        Mode::Get { stay } => (true, stay),
        Mode::Seed { stay } => (false, stay),
    };
    let order = Order {
        name: metainfo.name.clone(),
        info_hash: metainfo.info_hash,
        size: metainfo.size(),
        geometry: metainfo.geometry,
        padding: layout.padding(),
        hashes: setup.hashes,
        wanted: match (download, setup.selection) {
            (true, Some(chosen)) => layout.select(chosen).pieces,
            (true, None) => Bits::full(metainfo.geometry.pieces()),
            (false, _) => Bits::new(metainfo.geometry.pieces()),
        },
        download,
        stay,
        trusted: opened.verdict.trusted,
        to_hash: opened.verdict.hash,
        doubted: opened.doubted,
        earlier: opened.totals,
        trackers: if setup.trackers {
            metainfo.trackers.clone()
        } else {
            Vec::new()
        },
        timeout: setup.timeout,
        sequential: setup.sequential,
    };
    (order, opened.content, opened.keeping)
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
