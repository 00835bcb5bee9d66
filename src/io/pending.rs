//! Torrents that began as a link. Once the metadata have come from peers, they are saved as
//! `INFOHASH.torrent` in the state folder, so that the next start needs no peer, and the torrent's
//! files are opened.

use std::path::PathBuf;
use std::sync::Arc;

use super::claims::Claims;
use super::disk::{Store, places, state};
use super::metadata_files::MetadataFiles;
use super::setup::{Mode, Setup, Wanted};
use crate::base::{Now, SortedMap, TorrentKey};
use crate::session::{Session, extending};
use crate::storage::select;
use crate::torrent::{Effect, Stage};
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
    pub fn next_deadline(&self) -> Option<Now> {
        self.files.next_deadline()
    }

    /// Does what an effect that is about metadata wants.
    pub fn perform(
        &mut self,
        effect: Effect,
        (store, session): (&mut Store, &mut Session),
        now: Now,
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
        now: Now,
    ) -> Result<Vec<Setup>, String> {
        let mut whole = Vec::new();
        for mut setup in setups {
            match setup.origin.wanted.take() {
                Some(wanted) => {
                    let torrent = begin(&setup, &wanted.link, session, now)?;
                    self.unknown.insert(torrent, (setup, wanted));
                }
                None => whole.push(setup),
            }
        }
        Ok(whole)
    }

    /// The metadata of a torrent have come.
    fn on_metadata(
        &mut self,
        torrent: TorrentKey,
        info: &[u8],
        store: &mut Store,
        session: &mut Session,
        now: Now,
    ) {
        let Some((setup, wanted)) = self.unknown.remove(&torrent) else {
            return;
        };
        match describe(setup, &wanted, info).and_then(|next| self.claim(next)) {
            Ok(Next::Open(setup)) => {
                store.open(torrent, setup.request());
                self.opening.insert(torrent, setup);
            }
            Ok(Next::Done(metainfo, path)) => {
                extending::report_metadata(session, torrent, &about(&metainfo), now);
                session.warn(Some(torrent), format!("{}: written", path.display()));
                session.stop(torrent, "metadata", now);
            }
            Err(why) => session.fail(torrent, why, now),
        }
    }

    /// Takes the files of a torrent that has become known.
    fn claim(&mut self, next: Next) -> Result<Next, String> {
        if let Next::Open(setup) = &next {
            let taken = self.claims.take_place(&setup.request());
            taken.map_err(|taken| taken.words(&setup.metainfo.name, "was known"))?;
        }
        Ok(next)
    }

    /// Goes on with torrents whose files were opened, and frees metadata that no peer asked for
    /// lately.
    pub fn turn(&mut self, store: &mut Store, session: &mut Session, now: Now) {
        self.files.sweep(now);
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
                    let (order, content, keeping) = setup.order(opened);
                    store.insert(torrent, content, keeping);
                    extending::learn(session, torrent, order, now);
                }
                Ok(_) => {}
                Err(why) => session.fail(torrent, why, now),
            }
        }
    }
}

/// Begins with a torrent of which a link is known.
///
/// # Errors
/// It is there already.
pub fn begin(
    setup: &Setup,
    link: &Link,
    session: &mut Session,
    now: Now,
) -> Result<TorrentKey, String> {
    let added = session.add(setup.order_of_link(link), now);
    added.map_err(|_| String::from("the torrent is there already"))
}

/// What comes after the metadata of a torrent are there.
enum Next {
    /// Its files are opened.
    Open(Setup),
    /// Nothing: they were all that was wanted, and lie there.
    Done(Metainfo, PathBuf),
}

/// What users hear of a torrent.
fn about(metainfo: &Metainfo) -> (String, u64, u32) {
    let (name, pieces) = (metainfo.name.clone(), metainfo.geometry.pieces());
    (name, metainfo.size(), pieces)
}

/// Keeps what is known now.
fn describe(mut setup: Setup, wanted: &Wanted, info: &[u8]) -> Result<Next, String> {
    let text = wanted.link.torrent(info);
    let name = &setup.metainfo.name;
    let mut metainfo = Metainfo::parse(&text)
        .map_err(|why| format!("{name}: its metadata are not those of a valid torrent: {why}"))?;
    if let Some(file) = &wanted.only {
        let own = || PathBuf::from(format!("{}.torrent", metainfo.name));
        let path = file.clone().unwrap_or_else(own);
        state::replace(&path, &text).map_err(|error| error.to_string())?;
        return Ok(Next::Done(metainfo, path));
    }
    let kept = setup
        .origin
        .state_dir
        .join(format!("{}.torrent", metainfo.info_hash));
    state::replace(&kept, &text).map_err(|error| error.to_string())?;
    let download = matches!(setup.mode, Mode::Get { .. });
    places::fold(&setup.dir, &mut metainfo, download);
    places::find(&setup.dir, &mut metainfo);
    setup.selection = selected(wanted, &metainfo.files)?;
    setup.hashes = std::mem::take(&mut metainfo.hashes);
    setup.metainfo = Arc::new(metainfo);
    Ok(Next::Open(setup))
}

/// The files that are to be downloaded; `None`: all.
fn selected(wanted: &Wanted, files: &[FileEntry]) -> Result<Option<Vec<usize>>, String> {
    let mut chosen = Vec::new();
    for pattern in &wanted.files {
        let found = select::choose(pattern, files);
        chosen.extend(found.map_err(|why| format!("--files {why}"))?);
    }
    if wanted.files.is_empty() {
        chosen = magnet::chosen(&wanted.link.selection, files.len());
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok((!chosen.is_empty()).then_some(chosen))
}
