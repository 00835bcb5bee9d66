//! What a run of a folder of torrents is started with.

use std::path::PathBuf;
use std::sync::Arc;

use super::settings::{Handling, Wishes};
use crate::base::{PieceHash, limits};
use crate::io::net::Route;
use crate::io::setup::{Mode, Origin, Process, Reaching, Setup, Sources, Wanted};
use crate::torrent::Stay;
use crate::wire::Metainfo;
use crate::wire::magnet::Link;

/// What a run of a whole folder of torrents needs to know.
#[derive(Clone, Debug)]
pub struct FolderSetup {
    /// The folder: `torrents/` and the socket lie in it.
    pub folder: PathBuf,
    /// Where the content of all torrents lies.
    pub dir: PathBuf,
    /// Port to listen on, as in [`Setup`].
    pub port: Option<u16>,
    /// Local address or interface to listen on and connect from, and the proxy.
    pub route: Route,
    /// What the torrents share.
    pub process: Process,
    /// How each torrent is handled.
    pub handling: Handling,
    /// Where peers are looked for.
    pub sources: Sources,
    /// How long each torrent stays once everything is there.
    pub stay: Stay,
    /// The command that is run for each torrent that is complete.
    pub on_complete: Option<PathBuf>,
    /// What all this was read from, some of it to be read again.
    pub wishes: Wishes,
}

impl FolderSetup {
    /// The setup of a folder as it is wished for.
    pub fn new(folder: PathBuf, wishes: Wishes) -> FolderSetup {
        let settings = wishes.settings();
        FolderSetup {
            stay: settings.stay(),
            dir: settings.dir.unwrap_or_else(|| folder.join("downloads")),
            folder,
            handling: settings.handling,
            port: settings.port,
            process: Process {
                max_peers: settings.max_peers.unwrap_or(limits::RUN_PEERS),
                memory: settings.memory.unwrap_or(limits::MEMORY),
                down: settings.down,
                up: settings.up,
                active: Some(settings.active.unwrap_or(limits::ACTIVE)),
                reaching: Reaching {
                    allow_local: settings.reaching.allow_local.is_some(),
                    encryption: settings.reaching.encryption.unwrap_or_default(),
                },
                utp: settings.without.utp.is_none(),
                heartbeat: false,
            },
            sources: Sources {
                trackers: settings.without.trackers.is_none(),
                dht: settings.without.dht.is_none(),
                pex: settings.without.pex.is_none(),
                lsd: settings.without.lsd.is_none(),
                web_seeds: settings.reaching.no_web_seeds.is_none(),
                dht_nodes: settings.dht_nodes,
                utp: settings.without.utp.is_none(),
            }
            .by(&settings.route),
            route: settings.route,
            on_complete: settings.on_complete,
            wishes,
        }
    }

    /// Where torrents and their resume data are kept.
    pub fn state_dir(&self) -> PathBuf {
        let usual = || self.folder.join("torrents");
        self.handling.state.clone().unwrap_or_else(usual)
    }

    /// The setup of one torrent, whose content lies in this folder.
    pub fn setup_of(&self, mut metainfo: Metainfo, dir: PathBuf) -> Setup {
        let hashes = std::mem::take(&mut metainfo.hashes);
        self.setup_with_hashes((Arc::new(metainfo), hashes), dir)
    }

    /// The setup of a torrent of which only this link is known, whose content is to lie there.
    pub fn setup_of_link(&self, link: Link, dir: PathBuf) -> Setup {
        let metainfo = Metainfo::of_link(link.info_hash, link.title());
        let mut setup = self.setup_of(metainfo, dir);
        setup.origin.wanted = Some(Wanted {
            link,
            files: Vec::new(),
            only: None,
        });
        setup
    }

    /// The setup of a torrent of which the hashes of the pieces were taken out of the metainfo.
    pub fn setup_with_hashes(
        &self,
        (metainfo, hashes): (Arc<Metainfo>, Vec<PieceHash>),
        dir: PathBuf,
    ) -> Setup {
        Setup {
            hashes,
            metainfo,
            mode: Mode::Get { stay: self.stay },
            dir,
            origin: Origin {
                state_dir: self.state_dir(),
                ..Origin::default()
            },
            port: self.port,
            route: self.route.clone(),
            peers: Vec::new(),
            max_peers: self.process.max_peers,
            memory: self.process.memory,
            down: self.process.down,
            up: self.process.up,
            selection: None,
            sequential: self.handling.sequential.is_some(),
            sources: Sources {
                dht_nodes: Vec::new(),
                ..self.sources
            },
            reaching: self.process.reaching,
            timeout: self.handling.timeout,
            heartbeat: self.process.heartbeat,
            overwrite: self.handling.overwrite.is_some(),
            recheck: false,
        }
    }
}
