//! From a [`Setup`] to a turning loop: what is on disk is looked at, ports are opened, and the
//! session is given what it needs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::{Poll, Waker};

use super::budget::{buffers, metadata_bytes, shares, sockets, utp_bytes};
use super::channel::channel;
use super::claims::Claims;
use super::clock::Clock;
use super::disk::{DiskError, Pool, Store};
use super::ending;
use super::folder::{FolderSetup, Unattended};
use super::merging;
use super::metadata_files::MetadataFiles;
use super::net::{Bind, Listeners, Outreach, Route, own, tcp};
use super::nodes::Nodes;
use super::parts::Parts;
use super::pending::Pending;
use super::reactor::Reactor;
use super::setup::{Ending, Process, Reporter, Setup};
use super::signal;
use super::threads;
use super::tokens;
use crate::base::{Duration, InfoHash, PeerId, Rng, Time, sorted_by_key};
use crate::peer::FrameLimits;
use crate::session::{Config, Session, command, view};
use crate::torrent::{Report, Source, Then, Us};
use crate::wire::magnet;

/// Pieces of the torrents that budgets are made for where none is known yet: a bitfield of this
/// many is no longer than a frame with a block.
const USUAL_PIECES: u32 = 1 << 17;

/// How long a start waits for the disk of the content.
const PROMPT: Duration = Duration::from_secs(1);

/// Runs torrents until all are done, stopped or failed. What they share is as the first says.
/// `unread`: others that were to be run and could not be read.
pub fn run(setups: Vec<Setup>, unread: usize, reporter: &mut Reporter<'_>) -> Ending {
    let only = match setups.as_slice() {
        [only] => Some(only.metainfo.info_hash),
        _ => None,
    };
    match (prepare(setups, unread, reporter), only) {
        (Ok(reactor), _) => reactor.run(reporter),
        (Err(why), None) => Ending::Failed(why),
        (Err(why), Some(info_hash)) => {
            let _ = reporter(None, Report::Unbegun(info_hash, why.clone()));
            Ending::Failed(match unread {
                0 => why,
                unread => ending::words(unread + 1, unread + 1),
            })
        }
    }
}

/// Runs the torrents of a folder until a signal ends it.
pub fn run_folder(setup: FolderSetup, reporter: &mut Reporter<'_>) -> Ending {
    let mut warn = |message| {
        let _ = reporter(None, Report::Warning(message));
    };
    match prepare_folder(setup, &mut warn) {
        Ok(reactor) => reactor.run(reporter),
        Err(why) => Ending::Failed(why),
    }
}

fn prepare_folder(setup: FolderSetup, warn: &mut dyn FnMut(String)) -> Result<Reactor, String> {
    for dir in [&setup.folder, &setup.state_dir()] {
        make_folder(dir)?;
    }
    make_content_folder(&setup.dir)?;
    let basis = Basis::new()?;
    let (poll, waker, now) = (&basis.poll, &basis.waker, basis.clock.now());
    let (listeners, outreach) = open_ports(setup.port, &setup.route, poll, waker)?;
    let (process, route) = (setup.process, setup.route.clone());
    let bind = route.bind;
    let (state_dir, lsd) = (setup.state_dir(), setup.sources.lsd);
    let dht = setup.sources.dht.then(|| NamedNodes {
        state_dir: setup.state_dir(),
        by_user: setup.sources.dht_nodes.clone(),
        by_torrents: Vec::new(),
    });
    let registry = poll.registry();
    // The process that holds the folder's lock has its torrents: no other process touches them.
    let place = (listeners.port, Arc::clone(waker));
    let mut unattended = Unattended::open(setup, place, registry, warn, now)?;
    let longest = FrameLimits::of(USUAL_PIECES).longest();
    let buffers = buffers(process.memory, longest);
    let mut store = Store::new(Arc::clone(waker), buffers, Pool::for_process());
    let mut rng = Rng::from_seed(basis.seed);
    let mut config = config(&process, longest, &listeners, &mut rng, warn);
    config.after_stay = Then::Pause;
    let mut session = Session::new(config, rng.bits64(), now);
    let nodes = dht.map(|named| join_dht(&mut session, named, &listeners, bind));
    let nodes = nodes.transpose()?.unwrap_or_default();
    search_nearby(&mut session, lsd, &listeners, bind)?;
    set_own(&mut session, listeners.port, &route);
    unattended.load(&mut store, &mut session, now);
    signal::hand_over(Arc::clone(waker));
    Reactor::new(Parts {
        store,
        poll: basis.poll,
        session,
        unopened: 0,
        unattended: Some(unattended),
        pending: Pending::new(MetadataFiles::new(state_dir), Claims::default()),
        outreach,
        nodes,
        clock: basis.clock,
        listeners,
        route,
    })
    .map_err(failed)
}

fn make_folder(dir: &Path) -> Result<(), String> {
    let made = std::fs::create_dir_all(dir);
    made.map_err(|error| DiskError::new(dir, error).to_string())
}

/// Makes the folder of content. A disk that does not answer is not waited for: it is made once a
/// torrent's files are opened.
fn make_content_folder(dir: &Path) -> Result<(), String> {
    let (told, hears) = channel();
    let dir = dir.to_path_buf();
    threads::run("folder", move || {
        // Nobody may wait any more.
        let _ = told.send(make_folder(&dir));
    });
    hears.recv_timeout(PROMPT).unwrap_or(Ok(()))
}

/// What every loop begins with.
struct Basis {
    clock: Clock,
    seed: u64,
    poll: Poll,
    waker: Arc<Waker>,
}

impl Basis {
    fn new() -> Result<Basis, String> {
        let seed = random()?;
        let poll = Poll::new().map_err(failed)?;
        Ok(Basis {
            clock: Clock::start(),
            seed,
            waker: tokens::waker(&poll).map_err(failed)?,
            poll,
        })
    }
}

fn random() -> Result<u64, String> {
    rand::TryRng::try_next_u64(&mut rand::rngs::SysRng)
        .map_err(|error| format!("random numbers: {error}"))
}

fn failed(error: std::io::Error) -> String {
    format!("poll: {}", tcp::plain(&error))
}

fn prepare(
    mut setups: Vec<Setup>,
    unread: usize,
    reporter: &mut Reporter<'_>,
) -> Result<Reactor, String> {
    let Basis {
        clock,
        seed,
        poll,
        waker,
    } = Basis::new()?;
    let now = clock.now();
    let mut rng = Rng::from_seed(seed);
    let (refused, claims) = merging::claimed(&mut setups, reporter);
    let mut unopened = unread + refused;
    let Some(first) = setups.first() else {
        return Err(String::from("no torrent is left"));
    };
    let (process, route) = (first.process(), first.route.clone());
    let bind = route.bind;
    let (dht, lsd) = (first.sources.dht, first.sources.lsd);
    let dht = dht.then(|| NamedNodes::of(first, &setups));
    let (peers, files) = known(&setups, &first.origin.state_dir);
    let (listeners, mut outreach) = open_ports(first.port, &route, &poll, &waker)?;
    let longest = FrameLimits::of(most_pieces(&setups)).longest();
    let buffers = buffers(process.memory, longest);
    let mut store = Store::new(Arc::clone(&waker), buffers, Pool::for_process());
    let mut warn = |message| {
        // It is no result: there is nothing that could not be written.
        let _ = reporter(None, Report::Warning(message));
    };
    let config = config(&process, longest, &listeners, &mut rng, &mut warn);
    let mut session = Session::new(config, rng.bits64(), now);
    let mut pending = Pending::new(files, claims);
    let described = pending.begin_all(setups, &mut session, now)?;
    unopened += open(described, &mut store, &mut session, now, reporter)?;
    // The state folder has answered by now, or the user was told that it does not.
    let nodes = dht.map(|named| join_dht(&mut session, named, &listeners, bind));
    let nodes = nodes.transpose()?.unwrap_or_default();
    search_nearby(&mut session, lsd, &listeners, bind)?;
    set_own(&mut session, listeners.port, &route);
    for (of, host, port) in peers {
        let Ok(ip) = host.parse() else {
            outreach.look_ups.look_up_peer(of, host, port, now);
            continue;
        };
        let source = of.map_or(Source::User, |_| Source::Link);
        for torrent in view::keys_of(&session, of) {
            session.add_peers(torrent, &[SocketAddr::new(ip, port)], source, now);
        }
    }
    // Up to here a signal ends the process at once, even while it waits for a disk.
    signal::hand_over(waker);
    Reactor::new(Parts {
        store,
        poll,
        session,
        unopened,
        unattended: None,
        pending,
        outreach,
        nodes,
        clock,
        listeners,
        route,
    })
    .map_err(failed)
}

/// A peer by its host and port, and the torrent that it is of; `None`: perhaps of all.
type NamedPeer = (Option<InfoHash>, String, u16);

/// The peers that the user named, each once, and where the metadata of these torrents lie.
fn known(setups: &[Setup], state_dir: &Path) -> (Vec<NamedPeer>, MetadataFiles) {
    let mut peers: Vec<NamedPeer> = Vec::new();
    let mut files = MetadataFiles::new(state_dir.to_path_buf());
    for setup in setups {
        for (host, port) in &setup.peers {
            let peer = (None, host.clone(), *port);
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        let of = Some(setup.metainfo.info_hash);
        let named = setup.origin.peers.iter();
        let named = named.filter_map(|peer| magnet::host_and_port(peer));
        peers.extend(named.map(|(host, port)| (of, host, port)));
        if let Some(file) = &setup.origin.file {
            files.set(setup.metainfo.info_hash, file.clone());
        }
    }
    (peers, files)
}

/// Pieces of the torrent with most of them, as far as that is known.
fn most_pieces(setups: &[Setup]) -> u32 {
    let pieces = setups.iter().map(|setup| match setup.origin.wanted {
        Some(_) => USUAL_PIECES,
        None => setup.metainfo.geometry.pieces(),
    });
    pieces.max().unwrap_or(0)
}

/// Where nodes of the DHT are named.
struct NamedNodes {
    /// The folder of what was kept of an earlier run.
    state_dir: PathBuf,
    /// Those that the user names, host and port.
    by_user: Vec<(String, u16)>,
    /// Those of torrents, `host:port`.
    by_torrents: Vec<String>,
}

impl NamedNodes {
    fn of(first: &Setup, setups: &[Setup]) -> NamedNodes {
        let public = setups.iter().filter(|setup| !setup.metainfo.private);
        let nodes = public.flat_map(|setup| setup.metainfo.nodes.iter().cloned());
        NamedNodes {
            state_dir: first.origin.state_dir.clone(),
            by_user: first.sources.dht_nodes.clone(),
            by_torrents: nodes.collect(),
        }
    }
}

/// Has a session take part in the DHT.
///
/// # Errors
/// There are no random numbers.
fn join_dht(
    session: &mut Session,
    named: NamedNodes,
    listeners: &Listeners,
    bind: Option<Bind>,
) -> Result<Nodes, String> {
    let (mut nodes, saved) = Nodes::load(named.state_dir, named.by_user, bind);
    for node in &named.by_torrents {
        nodes.add_host(node);
    }
    let random = (random()?, random()?);
    session
        .finding
        .join(nodes.start(saved, listeners.families, bind, random));
    Ok(nodes)
}

/// Has a session search the local network, if that is `wanted`. From loopback there is none.
///
/// # Errors
/// There are no random numbers.
fn search_nearby(
    session: &mut Session,
    wanted: bool,
    listeners: &Listeners,
    bind: Option<Bind>,
) -> Result<(), String> {
    if wanted && !bind.is_some_and(|bind| bind.is_loopback()) {
        session.finding.nearby.join(listeners.port, random()?);
    }
    Ok(())
}

/// Opens the files of torrents and hands those to the session whose files can be had. How many
/// cannot.
///
/// # Errors
/// Those of the only one cannot.
fn open(
    setups: Vec<Setup>,
    store: &mut Store,
    session: &mut Session,
    now: Time,
    reporter: &mut Reporter<'_>,
) -> Result<usize, String> {
    for (id, setup) in setups.iter().enumerate() {
        store.open(id, setup.request());
    }
    let outcomes: Vec<_> = setups.iter().map(|_| store.wait_opened()).collect();
    let outcomes = sorted_by_key(outcomes, |(id, _)| *id);
    let (alone, mut failed) = (setups.len() == 1, 0);
    for (setup, (_, outcome)) in setups.into_iter().zip(outcomes) {
        for message in outcome.warnings {
            let _ = reporter(None, Report::Warning(message));
        }
        match outcome.result {
            Ok(opened) => {
                let (order, content, params) = setup.order(opened);
                let added = session.add(order, now);
                let torrent = added.map_err(|_| String::from("the torrent is there already"))?;
                store.insert(torrent, content, params);
            }
            Err(why) if alone => return Err(why),
            Err(why) => {
                failed += 1;
                let why = format!("{}: {why}", setup.metainfo.name);
                let _ = reporter(None, Report::Unbegun(setup.metainfo.info_hash, why));
            }
        }
    }
    Ok(failed)
}

/// Tells a session where peers may dial us: through a proxy nowhere.
fn set_own(session: &mut Session, port: u16, route: &Route) {
    if !route.has_proxy() {
        command::set_own(session, &own::addresses(port, route.bind));
    }
}

/// The sockets that peers dial, and those for trackers, on the same port.
fn open_ports(
    port: Option<u16>,
    route: &Route,
    poll: &Poll,
    waker: &Arc<Waker>,
) -> Result<(Listeners, Outreach), String> {
    route.find()?;
    let listeners = if route.has_proxy() {
        Listeners::none()
    } else {
        Listeners::open(port, route.bind)?
    };
    let outreach = Outreach::new(
        poll.registry(),
        tokens::OUTREACH,
        listeners.port,
        route,
        listeners.families,
        Arc::clone(waker),
    )
    .map_err(|error| format!("port {} (UDP): {}", listeners.port, tcp::plain(&error)))?;
    Ok((listeners, outreach))
}

fn config(
    process: &Process,
    longest: usize,
    listeners: &Listeners,
    rng: &mut Rng,
    warn: &mut dyn FnMut(String),
) -> Config {
    let sockets = sockets(process.max_peers);
    let (max_peers, share) = shares(process.memory, sockets, longest);
    for (least, what) in [(sockets, "ulimit -n"), (max_peers, "--memory")] {
        if least < process.max_peers {
            let asked = process.max_peers;
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
        allow_local: process.reaching.allow_local,
        encryption: process.reaching.encryption,
        share,
        heartbeat: process.heartbeat,
    };
    Config {
        us,
        max_peers,
        down: process.down,
        up: process.up,
        active: process.active,
        metadata: metadata_bytes(process.memory),
        utp: process.utp.then(|| utp_bytes(process.memory)),
        after_stay: Then::End,
    }
}
