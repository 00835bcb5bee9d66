//! What `get` and `seed` run of a source: a torrent, or one of which only a link is known.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::LevelFilter;

use super::args::{Command, Options, Verbosity};
use super::target::Target;
use super::{Failure, target};
use crate::io::by_url::Access;
use crate::io::disk::output::Output;
use crate::io::disk::{places, state};
use crate::io::{Ending, Mode, Only, Origin, Setup, Wanted, logging, selected_by};
use crate::torrent::Report;
use crate::wire::Metainfo;
use crate::wire::magnet::Link;

/// What is to be run of a source; `None`: there is nothing left to do.
///
/// # Errors
/// It cannot be read, is not valid, or has nothing to be seeded.
pub fn setup(
    command: Command,
    source: &OsStr,
    options: &Options,
) -> Result<Option<Setup>, Failure> {
    let state_dir = state_of(options)?;
    if let Some(Some(file)) = &options.choice.metadata_only {
        if options.torrents.len() > 1 {
            return Err(Failure::usage("-o: it is for one torrent: leave it out"));
        }
        if options.json && file.as_os_str() == "-" {
            let why = "standard output is taken by -o -: leave one of them out";
            return Err(Failure::usage(format!("--json: {why}")));
        }
        look(&Output::new(Some(file.clone()), ""), options)?;
    }
    let (mut peers, mut selecting) = (Vec::new(), None);
    let (metainfo, file, text) = match target::find(source, access(options))? {
        Target::Torrent(metainfo, text) => {
            let file = target::file(source);
            if file.is_none() {
                // Peers may ask for it (BEP 9), and it cannot be read again.
                let path = state::path(&state_dir, metainfo.info_hash, "torrent");
                state::replace(&path, &text).map_err(Failure::failed)?;
            }
            (*metainfo, file, text)
        }
        Target::Link(link) => match target::known(&link, &state_dir) {
            Some((metainfo, text)) => {
                peers.clone_from(&link.peers);
                selecting = Some(link).filter(|_| options.choice.files.is_empty());
                (metainfo, None, text)
            }
            None => {
                if options.choice.metadata_only.is_none() {
                    may_keep(&link, &state_dir)?;
                }
                return Ok(Some(of_link(command, *link, state_dir, options)));
            }
        },
    };
    if let Some(file) = &options.choice.metadata_only {
        let output = Output::new(file.clone(), &metainfo.name);
        look(&output, options)?;
        output.put(&text).map_err(Failure::failed)?;
        if options.verbosity != Verbosity::Quiet {
            let name = output.name();
            logging::say(&format!("{}: written", logging::printable(&name)));
        }
        return Ok(None);
    }
    let mut setup = of_torrent(command, source, metainfo, options)?;
    if let Some(link) = selecting {
        let selected = selected_by(&link, &setup.metainfo.files);
        setup.selection = selected.map_err(Failure::failed)?;
    }
    setup.origin = Origin {
        file,
        wanted: None,
        peers,
        state_dir,
    };
    Ok(Some(setup))
}

/// Whether the torrent of a link may be kept: it is better said before it is fetched.
fn may_keep(link: &Link, state_dir: &Path) -> Result<(), Failure> {
    let path = state::path(state_dir, link.info_hash, "torrent");
    state::look(&path).map_err(Failure::failed)
}

/// Whether a `.torrent` may be written there.
fn look(output: &Output, options: &Options) -> Result<(), Failure> {
    let option = (!options.overwrite).then_some("--overwrite");
    output.look(option).map_err(Failure::failed)
}

/// How servers may be reached.
pub fn access(options: &Options) -> Access {
    Access {
        route: options.route.clone(),
        allow_local: options.reaching.allow_local,
    }
}

fn of_torrent(
    command: Command,
    source: &OsStr,
    mut metainfo: Metainfo,
    options: &Options,
) -> Result<Setup, Failure> {
    let mut dir = options.dir.clone();
    places::fold(&dir, &mut metainfo, command == Command::Get);
    let selection = target::selected(&options.choice.files, &metainfo)?;
    if command == Command::Seed {
        let quiet = options.verbosity == Verbosity::Quiet;
        let found = target::find_content(source, &mut dir, &mut metainfo, quiet);
        // A folder that does not exist is said to be that.
        if dir.is_dir() {
            found?;
        }
    } else {
        places::find(&dir, &mut metainfo);
    }
    let setup = basis(command, metainfo, options);
    Ok(Setup {
        dir,
        selection,
        ..setup
    })
}

/// What is to be run of a torrent of which only this link is known.
pub fn of_link(command: Command, link: Link, state_dir: PathBuf, options: &Options) -> Setup {
    let metainfo = Metainfo::of_link(link.info_hash, link.title());
    let mut setup = basis(command, metainfo, options);
    setup.origin.state_dir = state_dir;
    setup.origin.peers.clone_from(&link.peers);
    setup.origin.wanted = Some(Wanted {
        link,
        files: options.choice.files.clone(),
        only: options.choice.metadata_only.clone().map(Only::Written),
    });
    setup
}

fn basis(command: Command, mut metainfo: Metainfo, options: &Options) -> Setup {
    Setup {
        hashes: std::mem::take(&mut metainfo.hashes),
        heartbeat: options.json,
        metainfo: Arc::new(metainfo),
        mode: match command {
            Command::Get => Mode::Get { stay: options.stay },
            Command::Seed => Mode::Seed { stay: options.stay },
        },
        dir: options.dir.clone(),
        origin: Origin::default(),
        port: options.port,
        route: options.route.clone(),
        peers: options.peers.clone(),
        max_peers: options.max_peers,
        memory: options.memory,
        down: options.down,
        up: options.up,
        selection: None,
        sequential: options.sequential,
        sources: options.sources.clone().by(&options.route),
        reaching: options.reaching,
        timeout: options.timeout,
        recheck: options.recheck,
        overwrite: options.overwrite,
    }
}

/// The torrent of a link, which peers are asked for unless an earlier run has fetched it.
///
/// # Errors
/// No peer has it, or a signal ends the search.
pub fn fetch(link: Link, options: Options) -> Result<Metainfo, Failure> {
    let state_dir = state_of(&options)?;
    if let Some((metainfo, _)) = target::known(&link, &state_dir) {
        return Ok(metainfo);
    }
    may_keep(&link, &state_dir)?;
    logging::init(LevelFilter::Warn);
    let mut setup = of_link(Command::Get, link.clone(), state_dir.clone(), &options);
    if let Some(wanted) = &mut setup.origin.wanted {
        wanted.only = Some(Only::Kept);
    }
    let mut invalid = false;
    let ending = crate::io::run(vec![setup], 0, &mut |_, report| {
        invalid |= matches!(report, Report::Invalid);
        if let Report::Alone(why) = report {
            log::warn!("{why}");
        }
        Ok(())
    });
    match ending {
        Ending::Done => {}
        Ending::Signal(signal) => return Err(Failure::silent(128 + signal as u8)),
        Ending::Failed(why) if invalid => return Err(Failure::invalid(why)),
        Ending::Failed(why) => return Err(Failure::failed(why)),
    }
    let known = target::known(&link, &state_dir);
    let gone = || Failure::failed(format!("{}: it was fetched and is gone", link.title()));
    known.map(|(metainfo, _)| metainfo).ok_or_else(gone)
}

/// Where resume data are kept.
///
/// # Errors
/// As [`default_state`].
pub fn state_of(options: &Options) -> Result<PathBuf, Failure> {
    options.state.clone().map_or_else(default_state, Ok)
}

/// Where resume data are kept if `--state` does not say it.
///
/// # Errors
/// Neither variable of the environment says where the user's files are.
pub fn default_state() -> Result<PathBuf, Failure> {
    state_dir(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

/// The XDG base directory specification: a variable that is empty or no absolute path counts as
/// unset.
fn state_dir(state: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, Failure> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute(state).or_else(|| absolute(home).map(|home| home.join(".local/state")));
    base.map(|base| base.join("brooklet")).ok_or_else(|| {
        Failure::failed("resume data: HOME is not set: say where to keep it with --state DIR")
    })
}
