//! What all connections share: the content, who plays what, and what is left to fetch.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use brooklet::base::{BLOCK, Block, Geometry, Rng};
use brooklet::wire::Metainfo;

use super::super::{Failure, args::Args, torrent};
use super::peer::{Peer, Role};

/// The state of the swarm but for its connections.
pub struct World {
    pub torrent: Metainfo,
    pub content: File,
    seeds: usize,
    leechers: usize,
    idle: usize,
    /// Whether seeds connect to the client, not it to them.
    dial: bool,
    /// Whether connections are encrypted, with RC4 for the payload.
    pub rc4: bool,
    pub rng: Rng,
    /// Peers from this number on have connected to the client.
    undialled: usize,
    /// Requests that a leecher keeps outstanding.
    pub depth: usize,
    /// Bytes not yet asked for, over all leechers.
    pub left_to_ask: u64,
    /// Bytes asked for and not come.
    left_to_come: u64,
    wanted: u64,
    /// Whether what comes is compared with the content.
    pub verifying: bool,
    first: Option<Instant>,
    client: Option<SocketAddr>,
    /// What the last announce said, if there was one.
    complete: bool,
    told: bool,
    /// Bytes that each peer sent, by its number.
    sent: Vec<u64>,
    lost: usize,
    /// Handshakes that came.
    pub greeted: usize,
}

impl World {
    /// The world of a command line.
    pub fn new(mut args: Args) -> Result<World, Failure> {
        let torrent = torrent::read(args.next("TORRENT")?.as_ref())?;
        let content = File::open(args.next("CONTENT")?)?;
        let mut world = World {
            torrent,
            content,
            seeds: 0,
            leechers: 0,
            idle: 0,
            dial: false,
            rc4: false,
            rng: Rng::from_seed(1),
            undialled: 0,
            depth: 200,
            left_to_ask: 0,
            left_to_come: 0,
            wanted: 0,
            verifying: false,
            first: None,
            client: None,
            complete: false,
            told: false,
            sent: Vec::new(),
            lost: 0,
            greeted: 0,
        };
        while let Some(option) = args.option() {
            match option.as_str() {
                "--seeds" => world.seeds = args.number("--seeds")? as usize,
                "--leechers" => world.leechers = args.number("--leechers")? as usize,
                "--idle" => world.idle = args.number("--idle")? as usize,
                "--depth" => world.depth = args.number("--depth")? as usize,
                "--total" => world.want(args.number("--total")?),
                "--client" => world.client = Some(args.next("--client ADDRESS")?.parse()?),
                "--dial" => world.dial = true,
                "--rc4" => world.rc4 = true,
                other => return Err(format!("load: {other}: unknown").into()),
            }
        }
        world.undialled = world.seeds + world.leechers + world.idle;
        world.sent = vec![0; world.undialled];
        Ok(world)
    }

    /// Seeds come first, then leechers, then who does nothing.
    pub fn role(&self, number: usize) -> Role {
        match number {
            number if number < self.seeds => Role::Seed,
            number if number < self.seeds + self.leechers => {
                let place = (number - self.seeds) as u64 * u64::from(self.geometry().pieces());
                Role::leecher((place / self.leechers as u64) as u32)
            }
            _ => Role::Idle,
        }
    }

    /// Who the tracker names.
    pub fn listed(&self) -> std::ops::Range<usize> {
        if self.dial { 0..0 } else { 0..self.seeds }
    }

    /// Who connects to the client, or only who is idle of them; each is named once.
    pub fn dialers(&mut self, idle: bool) -> std::ops::Range<usize> {
        let from = if idle {
            self.seeds + self.leechers
        } else {
            self.listed().end
        };
        from..std::mem::replace(&mut self.undialled, from)
    }

    /// The measures of the torrent.
    pub fn geometry(&self) -> Geometry {
        self.torrent.geometry
    }

    /// Where the client listens.
    pub fn client(&self) -> Result<SocketAddr, Failure> {
        Ok(self.client.ok_or("the client has not announced itself")?)
    }

    /// An announce of the client: it listens there, and lacks so many bytes. Told where it is news.
    pub fn announced(&mut self, client: SocketAddr, left: u64) {
        if !self.told || self.complete != (left == 0) {
            println!(r#"{{"event":"announced","address":"{client}","left":{left}}}"#);
        }
        self.told = true;
        self.client = Some(client);
        self.complete = left == 0;
    }

    /// Fetches so much more, comparing it.
    pub fn verify(&mut self, bytes: u64) {
        self.verifying = true;
        self.want(bytes);
    }

    fn want(&mut self, bytes: u64) {
        let whole = bytes - bytes % u64::from(BLOCK);
        self.left_to_ask += whole;
        self.left_to_come += whole;
        self.wanted = whole;
        self.first = None;
    }

    /// A block begins to come.
    pub fn begins(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    /// A part of a block came to a leecher.
    pub fn came(&mut self, block: Block, begin: u32, data: &[u8]) -> Result<(), Failure> {
        if self.verifying {
            let offset = self.geometry().offset(block) + u64::from(begin);
            let mut right = vec![0; data.len()];
            self.content.read_exact_at(&mut right, offset)?;
            if right != data {
                println!(r#"{{"event":"bad","piece":{}}}"#, block.piece);
                return Err(format!("{block:?} is not the content").into());
            }
        }
        self.left_to_come -= data.len() as u64;
        if self.left_to_come == 0 {
            self.report_done();
        }
        Ok(())
    }

    /// Tells how much has come in which time.
    pub fn report_done(&self) {
        let seconds = self
            .first
            .map_or(0.0, |first| first.elapsed().as_secs_f64());
        let (bytes, lost) = (self.wanted - self.left_to_come, self.lost);
        println!(r#"{{"event":"done","seconds":{seconds:.6},"bytes":{bytes},"lost":{lost}}}"#);
    }

    /// A peer sent some bytes of content.
    pub fn sent(&mut self, number: usize, bytes: usize) {
        if let Some(sent) = self.sent.get_mut(number) {
            *sent += bytes as u64;
        }
    }

    /// A connection is gone: what it was asked for is to be asked for elsewhere.
    pub fn lost(&mut self, peer: Peer, why: &Failure) {
        self.lost += 1;
        self.left_to_ask += peer.unanswered();
        if self.left_to_come > 0 {
            let why = why.to_string().replace(['"', '\\'], "'");
            println!(r#"{{"event":"lost","peer":{},"why":"{why}"}}"#, peer.number);
        }
    }

    /// Tells how much each peer sent.
    pub fn report_end(&self) {
        let (greeted, lost, sent) = (self.greeted, self.lost, &self.sent);
        println!(r#"{{"event":"end","greeted":{greeted},"lost":{lost},"sent":{sent:?}}}"#);
    }
}
