//! brooklet: a BitTorrent client in one binary, with one thread for the whole protocol.
//!
//! The modules in reading order, each allowed to import only what stands above it: [`base`]
//! (vocabulary), [`wire`] (bytes and values), [`http`], the machines [`peer`], [`pieces`],
//! [`storage`], [`tracker`], [`webseed`], [`dht`], [`lsd`], [`mse`], [`socks`] and [`utp`] (which
//! do not know each other), [`torrent`], [`session`], [`rpc`] (remote control), then [`io`], which
//! alone touches sockets, threads and the content's files, and [`cli`], what a user sees. The doc
//! of each module begins with its rank: it may import only from lower ones. PROTOCOL.md follows a
//! block from a socket to the disk, a stranger from its first byte, a bare hash until it is a
//! torrent, a command until it survives a kill, and a turn of the loop through these modules.
//!
//! # Glossary
//!
//! BitTorrent's own words:
//! - *torrent*: a set of files that is shared, and what describes it (the `.torrent`);
//! - *info hash*: the SHA-1 of the description's `info` dictionary, which names the torrent;
//! - *metadata*: that `info` dictionary, when peers send it (BEP 9);
//! - *piece*: a run of the content with a hash of its own, the unit that is verified and announced;
//! - *block*: a part of a piece, 16 KiB mostly, the unit that is requested and sent;
//! - *peer*: the program at the other end of a connection, or an address of one;
//! - *swarm*: all peers of a torrent; a *seed* has every piece, a *leecher* lacks some;
//! - *choke*: to refuse a peer's requests until *unchoke*;
//! - *interested*: a peer wants a piece that the other end has;
//! - *snub*: a peer snubs us if it owes us blocks and has sent none for a minute, or is
//!   late with the first;
//! - *tracker tier*: a list of trackers of which the first that answers is enough (BEP 12);
//! - *node*: a participant of the DHT; it is no peer, and names peers.
//!
//! Words of this program:
//! - *machine*: a state machine of a protocol, which is told what happened and says what to do, and
//!   touches nothing outside;
//! - *slot*: a connection to a peer and what is kept beside it; an *upload slot* is the right of an
//!   unchoked peer to be sent blocks;
//! - *connections* of a torrent: its slots, those that are still being dialed included; a *member*
//!   is one whose handshakes are done;
//! - *link*: a magnet link, unless a *symbolic link* is named;
//! - *candidate*: an address that may be dialed; to *dial* is to begin a connection to it;
//! - *open* and *seal*: the two functions of a session that all bytes pass: those of a peer before
//!   anything else is done with them, and those for a peer last of all. They decrypt, encrypt and
//!   log;
//! - *shield*: what decrypts and encrypts the bytes of one connection, its encrypted handshake
//!   included; a connection is dialed in one of two *forms*, plain or encrypted;
//! - *awake*: a torrent with its piece table in memory; one that *sleeps* has none, and keeps only
//!   what its trackers and the handshake of a peer need;
//! - *turn*: one round of the event loop; a method `turn` does a part's work of one round;
//! - *agenda*: the torrents and slots that something happened to, which this turn plans for; to
//!   *stir* a torrent is to put it there, to *touch* a slot is to have its peer looked at in this
//!   turn and asked for more, to *enlist* a slot is the same without asking;
//! - *effect*: a value by which the session has `io` do something;
//! - *verified*: a piece that we have, since its hash matched.

pub mod base;

pub mod wire;

pub mod http;

pub mod dht;
pub mod lsd;
pub mod mse;
pub mod peer;
pub mod pieces;
pub mod socks;
pub mod storage;
pub mod tracker;
pub mod utp;
pub mod webseed;

pub mod torrent;

pub mod session;

pub mod rpc;

pub mod io;

pub mod cli;
