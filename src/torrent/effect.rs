//! Everything the outside must do or hear of, as values.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::metadata::Reached;
use super::way::Transport;
use crate::base::{Bits, Block, InfoHash, PeerKey, TorrentKey, Totals};
use crate::peer::incoming::Failed;
use crate::tracker;
use crate::wire::lsd::Search;

/// What a user may want to hear of. The command line turns these into the progress line, log lines
/// and JSON events.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The program is listening and begins to look at what is on disk.
    Start {
        /// The torrent's name.
        name: String,
        /// Its info hash.
        info_hash: InfoHash,
        /// Bytes of all its files (padding left out), and its pieces; `None`: only its info hash is
        /// known.
        content: Option<(u64, u32)>,
        /// The port we listen on.
        port: u16,
    },
    /// A torrent of which only the info hash was known is described by its peers.
    Metadata {
        /// The torrent's name.
        name: String,
        /// Bytes of all its files (padding left out).
        size: u64,
        /// Its pieces.
        pieces: u32,
        /// Seconds since the start.
        seconds: f64,
    },
    /// How far the search for a torrent's metadata is; comes with the progress.
    Waiting {
        /// Nodes of the DHT that answered the last lookup, if there was one.
        nodes: Option<usize>,
        /// Addresses of peers.
        found: usize,
        /// Peers that have the metadata, and blocks of it.
        reached: Reached,
    },
    /// What is on disk is known.
    Checked {
        /// Pieces verified.
        have: u32,
        /// Pieces in all.
        pieces: u32,
        /// Bytes of selected files not yet verified.
        missing: u64,
    },
    /// A tracker answered or failed.
    Tracker {
        /// Its announce URL.
        url: String,
        /// Peers it named, or why it failed.
        outcome: Result<usize, String>,
        /// What else there was in its answer.
        remark: Option<String>,
    },
    /// The metadata are written, which was all that was wanted: to this file.
    Written(String),
    /// The metadata have come, and are not those of a valid torrent; [`Report::Error`] says why.
    Invalid,
    /// A tracker sent a warning with its answer (BEP 3's `warning message`).
    TrackerWarning {
        /// Its announce URL.
        url: String,
        /// Its words.
        message: String,
    },
    /// A lookup in the DHT is over.
    Dht {
        /// Nodes that answered.
        nodes: usize,
        /// Peers that they named.
        peers: usize,
    },
    /// A peer greeted us: the connection is up.
    Connected {
        /// Where it is.
        addr: SocketAddr,
        /// The front of its peer id, for people.
        client: String,
        /// Whether it began with an encrypted handshake.
        encrypted: bool,
        /// What carries its bytes.
        transport: Transport,
    },
    /// A connection to a web seed is up.
    WebSeed {
        /// Where it is.
        addr: SocketAddr,
        /// Its URL.
        url: String,
    },
    /// A connection to a web seed is over.
    WebSeedOver {
        /// Where it is.
        addr: SocketAddr,
        /// Why.
        reason: String,
    },
    /// A connection, or the attempt at one, is over.
    Disconnected {
        /// Where the peer is.
        addr: SocketAddr,
        /// Why.
        reason: String,
        /// Whether it began with an encrypted handshake.
        encrypted: bool,
    },
    /// How many incoming connections failed before they belonged to a torrent, by what went wrong,
    /// since the start.
    FailedIncoming(Vec<(Failed, u64)>),
    /// How far it is; comes once a second while anything changes, and with
    /// [`Us::heartbeat`](super::Us::heartbeat) always.
    Progress(Progress),
    /// A piece was hashed: it passed or failed.
    Piece {
        /// Its index.
        index: u32,
        /// Whether its SHA-1 matched.
        ok: bool,
    },
    /// Everything selected is verified and on disk.
    Complete {
        /// Seconds since the start.
        seconds: f64,
        /// Bytes of content received.
        downloaded: u64,
        /// Bytes of content sent.
        uploaded: u64,
    },
    /// A torrent begins to leave its swarm.
    Stopped {
        /// Why: `complete`, `metadata`, `paused`, `removed`, `ratio`, `seed-time`, `error`, or the
        /// name of a signal.
        reason: String,
    },
    /// A download has no peer, and why: after some seconds, then rarely.
    Alone(String),
    /// Something is wrong, and the torrent or the process goes on.
    Warning(String),
    /// Something is wrong, and the torrent ends; without a torrent, the process.
    Error(String),
    /// This torrent cannot begin, and why.
    Unbegun(InfoHash, String),
}

/// Where a download stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of selected content that are verified.
    pub done: u64,
    /// Bytes of selected content.
    pub size: u64,
    /// Bytes a second coming in.
    pub down_rate: u64,
    /// Bytes a second going out.
    pub up_rate: u64,
    /// Peers connected.
    pub peers: usize,
    /// Web seeds connected.
    pub web_seeds: usize,
    /// Bytes being checked on disk: how many have been, of how many. `None` when not checking.
    pub checking: Option<(u64, u64)>,
}

/// What the outside must do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Connect to this address; the socket lies under this key.
    Dial {
        /// The slot.
        key: PeerKey,
        /// The peer.
        addr: SocketAddr,
        /// The name that its certificate must have, where TLS is spoken.
        tls: Option<Arc<str>>,
    },
    /// Look up the host of a web seed, for
    /// [`handle_found`](crate::session::web_seeds::handle_found).
    LookUp {
        /// The torrent.
        info_hash: InfoHash,
        /// The host.
        host: String,
    },
    /// Close the socket under this key.
    Hangup {
        /// The slot.
        key: PeerKey,
    },
    /// Something for a tracker.
    Tracker {
        /// The torrent that it is asked about.
        torrent: TorrentKey,
        /// What to do.
        action: tracker::Action,
    },
    /// Send a datagram from the client's port, or lose it.
    Datagram {
        /// The address to send it to.
        to: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Announce this to the local network. Announcements of others go to
    /// [`handle_search`](crate::session::datagrams::handle_search).
    Search(Search),
    /// No node of the DHT is known: look up hosts to begin with, for
    /// [`Finding::add_nodes`](crate::session::Finding::add_nodes).
    FindNodes {
        /// The usual ones, too, and not only those that the user or a torrent names.
        usual: bool,
    },
    /// Put on disk, if they have changed, the nodes that
    /// [`Finding::dht`](crate::session::Finding::dht) knows.
    KeepNodes,
    /// These bytes will be sent soon: have them in memory by then.
    ReadAhead {
        /// The torrent.
        torrent: TorrentKey,
        /// Where its bytes lie.
        block: Block,
    },
    /// Write a block, and then call [`handle_written`](crate::session::Session::handle_written) or
    /// [`handle_unwritten`](crate::session::Session::handle_unwritten).
    Write {
        /// The torrent.
        torrent: TorrentKey,
        /// Where it belongs.
        block: Block,
        /// Its content.
        data: Vec<u8>,
    },
    /// Put on disk what is known.
    Save {
        /// The torrent.
        torrent: TorrentKey,
        /// What is known of it.
        snapshot: Snapshot,
    },
    /// A torrent has nothing left to get and no peers: its files may be closed until some come.
    Rest {
        /// The torrent.
        torrent: TorrentKey,
    },
    /// A torrent that rests may sleep: once everything of it is saved, its files and what is known
    /// of them may be let go of, see [`sleep`](crate::session::sleep).
    Sleep {
        /// The torrent.
        torrent: TorrentKey,
    },
    /// A torrent that sleeps is to wake up: its files are to be looked at again, and the result
    /// handed to [`sleep::wake_up`](crate::session::sleep::wake_up), or
    /// [`Session::fail`](crate::session::session::Session::fail) to be called.
    Wake {
        /// The torrent.
        torrent: TorrentKey,
    },
    /// A torrent that had failed is resumed: once everything of it is written and saved, its files
    /// are closed, and it is opened as at a start: see
    /// [`reopening`](crate::session::reopening).
    Reopen {
        /// The torrent.
        torrent: TorrentKey,
    },
    /// A torrent is to be forgotten: once everything of it is written and saved, its files are
    /// closed, and [`Session::forget`](crate::session::Session::forget) is to be called.
    Close {
        /// The torrent.
        torrent: TorrentKey,
        /// Whether its content is deleted.
        data: bool,
    },
    /// The `info` dictionary of a torrent has been fetched: its files are to be opened, and
    /// [`learn`](crate::session::extending::learn) is to be called.
    Metadata {
        /// The torrent.
        torrent: TorrentKey,
        /// The dictionary.
        info: Vec<u8>,
    },
    /// A peer waits for a block of the `info` dictionary:
    /// [`handle_metadata`](crate::session::extending::handle_metadata) is to be called.
    ReadMetadata {
        /// The torrent.
        torrent: TorrentKey,
        /// The peer's slot.
        key: PeerKey,
        /// The block's number.
        piece: u32,
    },
    /// The check is over, and the download begins: files may be made and cut to their length.
    MakeReady {
        /// The torrent.
        torrent: TorrentKey,
    },
    /// Log a message of a peer, see [`trace`](crate::session::command::trace).
    Trace {
        /// The peer.
        addr: SocketAddr,
        /// We sent it; else the peer did.
        ours: bool,
        /// What it says.
        words: String,
    },
    /// Tell the user.
    Report {
        /// The torrent that it is about; `None`: the process.
        torrent: Option<TorrentKey>,
        /// What happened.
        report: Report,
    },
}

/// Effects in the order in which they are to be performed.
pub type Effects = VecDeque<Effect>;

/// The state of a torrent at one moment, for the resume data: each piece in `verified` was written
/// before it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Pieces that are verified.
    pub verified: Bits,
    /// Content received and sent in all sessions.
    pub totals: Totals,
    /// Nothing will be written after this: no download is under way.
    pub clean: bool,
}
