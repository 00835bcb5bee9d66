//! From a [`Setup`] to a turning loop: what is on disk is looked at, ports are opened, and the session is given what it needs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mio::Poll;

use super::clock::Clock;
use super::disk::Disk;
use super::link::{self, Listeners};
use super::outreach::Outreach;
use super::reactor::{self, Parts, Reactor};
use super::saving::Saving;
use super::setup::{Ending, Mode, Setup};
use super::state;
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
use crate::tracker::Families;
use crate::wire::metainfo::Metainfo;

/// Runs one torrent until it is done, stopped or failed; `reporter` hears of everything a user may want to know.
pub fn run(setup: Setup, reporter: &mut dyn FnMut(Report)) -> Ending {
    match prepare(setup, reporter) {
        Ok(reactor) => reactor.run(reporter),
        Err(why) => {
            reporter(Report::Error(why.clone()));
            Ending::Failed(why)
        }
    }
}

fn prepare(setup: Setup, reporter: &mut dyn FnMut(Report)) -> Result<Reactor, String> {
    let clock = Clock::start();
    let now = clock.now();
    let seed = rand::TryRng::try_next_u64(&mut rand::rngs::SysRng)
        .map_err(|error| format!("random numbers: {error}"))?;
    let mut rng = Rng::from_seed(seed);
    let poll = Poll::new().map_err(|error| format!("poll: {}", link::plain(&error)))?;
    let waker = reactor::waker(&poll).map_err(|error| format!("poll: {}", link::plain(&error)))?;
    let listeners = Listeners::open(setup.port, setup.bind)?;

    let Setup {
        mut metainfo, mode, ..
    } = setup;
    let hashes = std::mem::take(&mut metainfo.hashes);
    let metainfo = Arc::new(metainfo);
    let mut disk = Disk::new(&setup.dir, Arc::clone(&metainfo));
    for error in disk.look() {
        reporter(Report::Warning(error.to_string()));
    }
    for file in disk.oversized() {
        let path = disk.path(file).display().to_string();
        reporter(Report::Warning(format!(
            "{path}: longer than the torrent says; the surplus is left alone"
        )));
    }
    let (download, stay) = match mode {
        Mode::Get { stay } => (true, stay),
        Mode::Seed { stay } => (false, stay),
    };
    let chosen = setup
        .selection
        .unwrap_or_else(|| (0..metainfo.files.len()).collect());
    if download {
        disk.make_empty(chosen.iter().copied())
            .map_err(|error| error.to_string())?;
    }
    let state = setup
        .state_dir
        .join(format!("{}.resume", metainfo.info_hash));
    let known = known(&state, setup.recheck, &metainfo, &disk, reporter);
    let (max_peers, share) = shares(setup.memory, setup.max_peers);
    if max_peers < setup.max_peers {
        reporter(Report::Warning(format!(
            "--memory leaves room for {max_peers} peers, not {}",
            setup.max_peers
        )));
    }
    let families = Families {
        v4: listeners.v4,
        v6: listeners.v6,
    };
    let config = Config {
        name: metainfo.name.clone(),
        info_hash: metainfo.info_hash,
        size: metainfo.size(),
        geometry: metainfo.geometry,
        hashes,
        wanted: match download {
            true => disk.layout().select(chosen).pieces,
            false => Bits::new(metainfo.geometry.pieces()),
        },
        download,
        stay,
        trusted: known.trusted,
        to_hash: known.to_hash,
        earlier: known.totals,
        peer_id: PeerId::generate(&mut rng),
        port: listeners.port,
        trackers: if setup.trackers {
            metainfo.trackers.clone()
        } else {
            Vec::new()
        },
        key: rng.bits32(),
        families,
        max_peers,
        share,
        down: setup.down,
        up: setup.up,
        sequential: setup.sequential,
    };
    let longest = (config.geometry.pieces().div_ceil(8) as usize + 1).max(limits::BLOCK_FRAME);
    let mut session = Session::new(config, rng.bits64(), now);
    let mut outreach = Outreach::new(
        poll.registry(),
        reactor::OUTREACH,
        listeners.port,
        setup.bind,
        families,
        Arc::clone(&waker),
    )
    .map_err(|error| format!("port {}: {}", listeners.port, link::plain(&error)))?;
    for (host, port) in setup.peers {
        match host.parse() {
            Ok(ip) => session.add_peers(&[SocketAddr::new(ip, port)], Source::User, now),
            Err(_) => outreach.look_up_peer(host, port),
        }
    }
    let parts = Parts {
        saving: Saving::new(waker, state, metainfo.info_hash),
        poll,
        session,
        disk,
        outreach,
        clock,
        listeners,
        bind: setup.bind,
        // The longest frame but one byte can be cut, its length not counted.
        room: longest + 4,
    };
    Reactor::new(parts).map_err(|error| format!("poll: {}", link::plain(&error)))
}

/// How many peers there may be, and the bytes that each may take, within this budget: the loop's own buffers come first.
fn shares(memory: u64, max_peers: usize) -> (usize, usize) {
    let left = usize::try_from(memory)
        .unwrap_or(usize::MAX)
        .saturating_sub(limits::MIB);
    let most = max_peers.min(left / limits::PEER_SHARE).max(1);
    (most, (left / most).max(limits::PEER_SHARE))
}

/// What is known of the content without looking into it.
struct Known {
    trusted: Bits,
    to_hash: Bits,
    totals: (u64, u64),
}

fn known(
    path: &Path,
    recheck: bool,
    metainfo: &Metainfo,
    disk: &Disk,
    reporter: &mut dyn FnMut(Report),
) -> Known {
    let layout: &Layout = disk.layout();
    let bytes = state::load(path, Resume::most_bytes(layout) + 1).unwrap_or_else(|error| {
        reporter(Report::Warning(error.to_string()));
        None
    });
    let resume = bytes
        .as_ref()
        .and_then(|bytes| Resume::decode(bytes, metainfo.info_hash, layout));
    if bytes.is_some() && resume.is_none() {
        let path = path.display();
        reporter(Report::Warning(format!(
            "{path}: damaged; the content is hashed again"
        )));
    }
    let totals = resume
        .as_ref()
        .map_or((0, 0), |resume| (resume.downloaded, resume.uploaded));
    let verdict = resume::verdict(resume.as_ref().filter(|_| !recheck), layout, disk.stamps());
    Known {
        trusted: verdict.trusted,
        to_hash: verdict.hash,
        totals,
    }
}
