//! Torrents that began as a link. Once the metadata have come from peers, they are saved as
//! `INFOHASH.torrent` in the state folder, so that the next start needs no peer, and the torrent's
//! files are opened.

use std::sync::Arc;

use super::claims::Claims;
use super::disk::output::Output;
use super::disk::{Store, places, state};
use super::merging;
use super::metadata_files::MetadataFiles;
use super::setup::{Mode, Only, Setup, Wanted};
use crate::base::{SortedMap, Time, TorrentKey};
use crate::session::{Session, command, extending};
use crate::storage::select;
use crate::torrent::{Effect, Report, Stage};
use crate::wire::magnet::{self, Link};
use crate::wire::{FileEntry, Metainfo};

/// Torrents that wait, and what others ask for of the metadata of all.
#[derive(Debug)]
pub struct Pending {
    files: MetadataFiles,
    /// For their metadata.
    unknown: SortedMap<TorrentKey, (Setup, Wanted)>,
    /// For their files to be opened.
    opening: SortedMap<TorrentKey, Setup>,
    /// What the torrents of the process have.
    claims: Claims,
}

impl Pending {
    /// None waits yet; metadata lie there, and the files of torrents that are known are taken.
    pub fn new(files: MetadataFiles, claims: Claims) -> Pending {
        Pending {
            files,
            claims,
            unknown: SortedMap::new(),
            opening: SortedMap::new(),
        }
    }

    /// When [`Pending::turn`] has something to do though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.files.next_deadline()
    }

    /// Does what an effect that is about metadata wants.
    pub fn perform(
        &mut self,
        effect: Effect,
        (store, session): (&mut Store, &mut Session),
        now: Time,
    ) {
        match effect {
            Effect::Metadata { torrent, info } => {
                self.on_metadata(torrent, &info, store, session, now);
            }
            Effect::ReadMetadata {
                torrent,
                key,
                piece,
            } => self.files.answer(session, (torrent, key), piece, now),
            _ => {}
        }
    }

    /// Begins with the torrents of which a link is known; the others come back.
    ///
    /// # Errors
    /// One is there already.
    pub fn begin_all(
        &mut self,
        setups: Vec<Setup>,
        session: &mut Session,
        now: Time,
    ) -> Result<Vec<Setup>, String> {
        let mut described = Vec::new();
        for mut setup in setups {
            match setup.origin.wanted.take() {
                Some(wanted) => {
                    let torrent = add_linked(&setup, &wanted.link, session, now)?;
                    self.unknown.insert(torrent, (setup, wanted));
                }
                None => described.push(setup),
            }
        }
        Ok(described)
    }

    /// The metadata of a torrent have come.
    fn on_metadata(
        &mut self,
        torrent: TorrentKey,
        info: &[u8],
        store: &mut Store,
        session: &mut Session,
        now: Time,
    ) {
        let Some((setup, wanted)) = self.unknown.remove(&torrent) else {
            return;
        };
        let text = wanted.link.torrent(info);
        let metainfo = match parse(&text, &setup.metainfo.name) {
            Ok(metainfo) => metainfo,
            Err(why) => {
                command::report(session, torrent, Report::Invalid);
                return session.fail(torrent, why, now);
            }
        };
        let next = describe(setup, &wanted, metainfo, &text);
        match next.and_then(|next| self.claim(next, &text)) {
            Ok(Next::Open(setup)) => {
                store.open(torrent, setup.request());
                self.opening.insert(torrent, *setup);
            }
            Ok(Next::Done(metainfo, output)) => {
                extending::report_metadata(session, torrent, &summary(&metainfo), now);
                if let Some(output) = output {
                    let name = output.name().into_owned();
                    command::report(session, torrent, Report::Written(name));
                }
                session.stop(torrent, "metadata", now);
            }
            Err(why) => session.fail(torrent, why, now),
        }
    }

    /// Takes the files of a torrent that has become known, and keeps its `.torrent`.
    fn claim(&mut self, next: Next, text: &[u8]) -> Result<Next, String> {
        if let Next::Open(setup) = &next {
            let taken = merging::take_place(setup, &mut self.claims);
            taken.map_err(|taken| taken.words(&setup.metainfo.name, "was known"))?;
            keep(setup, &setup.metainfo, text)?;
        }
        Ok(next)
    }

    /// Goes on with torrents whose files were opened, and with peers that wait for metadata; frees
    /// those that no peer asked for lately.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session, now: Time) {
        self.files.turn(session, now);
        if self.opening.is_empty() {
            return;
        }
        while let Some((torrent, outcome)) = store.next_opened() {
            let Some(setup) = self.opening.remove(&torrent) else {
                continue;
            };
            for message in outcome.warnings {
                session.warn(Some(torrent), message);
            }
            let stage = session.torrent(torrent).map(|it| it.life.stage);
            match outcome.result {
                Ok(opened) if stage == Some(Stage::Metadata) => {
                    let (order, content, params) = setup.order(opened);
                    store.insert(torrent, content, params);
                    extending::learn(session, torrent, order, now);
                }
                Ok(_) => {}
                Err(why) => session.fail(torrent, why, now),
            }
        }
    }
}

/// The torrent that was made of a link and its metadata. `name`: what it is called.
///
/// # Errors
/// It is not valid: a line for the user.
pub fn parse(text: &[u8], name: &str) -> Result<Metainfo, String> {
    let why = |why| format!("{name}: its metadata are not those of a valid torrent: {why}");
    Metainfo::parse(text).map_err(why)
}

/// Has the session take on a torrent of which only a link is known.
///
/// # Errors
/// It is there already.
pub fn add_linked(
    setup: &Setup,
    link: &Link,
    session: &mut Session,
    now: Time,
) -> Result<TorrentKey, String> {
    let added = session.add(setup.order_of_link(link), now);
    added.map_err(|_| String::from("the torrent is there already"))
}

/// What comes after the metadata of a torrent are there.
enum Next {
    /// Its files are opened.
    Open(Box<Setup>),
    /// Nothing: they were all that was wanted, and have been written there.
    Done(Box<Metainfo>, Option<Output>),
}

/// What users hear of a torrent.
fn summary(metainfo: &Metainfo) -> (String, u64, u32) {
    let (name, pieces) = (metainfo.name.clone(), metainfo.geometry.pieces());
    (name, metainfo.size(), pieces)
}

/// What comes next of a torrent whose metadata have come.
fn describe(
    mut setup: Setup,
    wanted: &Wanted,
    mut metainfo: Metainfo,
    text: &[u8],
) -> Result<Next, String> {
    match &wanted.only {
        Some(Only::Kept) => {
            keep(&setup, &metainfo, text)?;
            return Ok(Next::Done(Box::new(metainfo), None));
        }
        Some(Only::Written(file)) => {
            let output = Output::new(file.clone(), &metainfo.name);
            output.look((!setup.overwrite).then_some("--overwrite"))?;
            output.put(text)?;
            // The next start needs no peer, as after any other fetch.
            if let Err(why) = keep(&setup, &metainfo, text) {
                log::warn!("{why}");
            }
            return Ok(Next::Done(Box::new(metainfo), Some(output)));
        }
        None => {}
    }
    let download = matches!(setup.mode, Mode::Get { .. });
    places::fold(&setup.dir, &mut metainfo, download);
    places::find(&setup.dir, &mut metainfo);
    setup.selection = selected(wanted, &metainfo.files)?;
    setup.hashes = std::mem::take(&mut metainfo.hashes);
    setup.metainfo = Arc::new(metainfo);
    Ok(Next::Open(Box::new(setup)))
}

/// Puts the `.torrent` into the state folder, so that the next start needs no peer.
fn keep(setup: &Setup, metainfo: &Metainfo, text: &[u8]) -> Result<(), String> {
    let kept = state::path(&setup.origin.state_dir, metainfo.info_hash, "torrent");
    state::replace(&kept, text).map_err(|error| error.to_string())
}

/// The files that are to be downloaded; `None`: all.
fn selected(wanted: &Wanted, files: &[FileEntry]) -> Result<Option<Vec<usize>>, String> {
    if wanted.files.is_empty() {
        return selected_by(&wanted.link, files);
    }
    let chosen = select::choose_all(&wanted.files, files);
    chosen.map_err(|why| format!("--files {why}"))
}

/// The files that a link selects (BEP 53); `None`: all.
///
/// # Errors
/// It selects none of those that there are.
pub fn selected_by(link: &Link, files: &[FileEntry]) -> Result<Option<Vec<usize>>, String> {
    if link.selection.is_empty() {
        return Ok(None);
    }
    let chosen = magnet::chosen(&link.selection, files.len());
    if chosen.is_empty() {
        let (title, named) = (link.title(), magnet::ranges_text(&link.selection));
        let last = files.len().saturating_sub(1);
        return Err(format!(
            "{title}: its link selects files {named} (so=, counted from 0), and the last file is {last}"
        ));
    }
    Ok(Some(chosen))
}
