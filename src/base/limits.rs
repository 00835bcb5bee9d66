//! Every bound in the program, with its reason. What comes from outside is never larger, longer or
//! more frequent than what stands here.

mod dht;
mod disk;
mod encryption;
mod finding;
mod metadata;
mod proxy;
mod trackers;
mod unattended;
mod utp;
mod web;

pub use dht::*;
pub use disk::*;
pub use encryption::*;
pub use finding::*;
pub use metadata::*;
pub use proxy::*;
pub use trackers::*;
pub use unattended::*;
pub use utp::*;
pub use web::*;

use super::time::Duration;

/// One kibibyte and one mebibyte, for the bounds below.
pub const KIB: usize = 1024;
/// See [`KIB`].
pub const MIB: usize = 1024 * KIB;

// Bencode and metainfo

/// Nesting of bencoded lists and dictionaries. Real metainfo has 5 levels; the parser recurses, so
/// the stack bounds it.
pub const BENCODE_DEPTH: u32 = 100;
/// Values in one bencoded text: [`FILES`] files with four components each have 3.5 million. Bounds
/// the work of reading it; memory does not depend on it.
pub const BENCODE_VALUES: usize = 4_000_000;
/// Bytes of a `.torrent`: 64 MiB is three million piece hashes.
pub const METAINFO_BYTES: usize = 64 * MIB;
/// Piece length: 256 MiB is sixteen times what any creator makes; offsets in a piece are 32 bits on
/// the wire (BEP 3).
pub const PIECE_LENGTH: u32 = 256 * 1024 * 1024;
/// Bytes of content: 2⁵³, what every JSON reader can still count.
pub const CONTENT_BYTES: u64 = 1 << 53;
/// Files in a torrent.
pub const FILES: usize = 500_000;
/// Trackers kept of a torrent: the rest is dropped, since asking them all would take longer than
/// the download.
pub const TRACKERS: usize = 200;
/// DHT nodes kept of a torrent: one that answers is enough to find the others.
pub const NODES: usize = 200;
/// Letters shown of what a stranger says in words: a few lines of a terminal.
pub const WORDS: usize = 200;
/// Bytes of a file's name: NAME_MAX of Linux, whose file systems take no longer one.
pub const NAME_BYTES: usize = 255;
/// Bytes of a URL: what common HTTP servers accept in a request line.
pub const URL_BYTES: usize = 4 * KIB;
/// Bytes of a magnet link: what common browsers let stand in an address bar, and a hundred trackers
/// take less than a sixth of it.
pub const LINK_BYTES: usize = 64 * KIB;
/// Peers kept of a magnet link: a link is no tracker, and its author names a few peers that have
/// the metadata.
pub const LINK_PEERS: usize = 50;

// JSON

/// Nesting of JSON lists and objects. Requests of remote control have 4 levels; the parser
/// recurses, so the stack bounds it.
pub const JSON_DEPTH: u32 = 32;
/// Values in one JSON text: a list of all [`FILES`] of a torrent, and what stands around it. A
/// value takes 32 bytes of memory, and may be written in two bytes.
pub const JSON_VALUES: usize = FILES + 1_000;

// Frames and peers

/// A frame that carries a block: 16 KiB and the 9 bytes in front of it (BEP 3). We hang up on a
/// longer one that is not a bitfield.
pub const BLOCK_FRAME: usize = 16 * KIB + 9;
/// A block that we serve: 128 KiB, the largest that clients have asked for in practice.
pub const SERVED_BLOCK: u32 = 128 * 1024;
/// Requests of a peer that wait to be served before we stop reading from it for a while.
/// Transmission asks for ten seconds' worth at any rate, and a reject only makes it ask again.
pub const UPLOADS_FULL: usize = 500;
/// Requests of a peer that wait to be served at most: those of [`UPLOADS_FULL`] and of one more
/// read of a peer that owes us no blocks ([`ASKING_READ`]). Past it: reject, or ignore.
pub const QUEUED_UPLOADS: usize = 2_048;
/// Bytes read at a time of a peer that owes us no blocks: as many requests as keep us busy for a
/// while, so that few of them wait.
pub const ASKING_READ: usize = 16 * KIB;
/// Bytes read at a time of a peer whose handshake has not come, or is not answered: as many as most
/// peers send with it. They are kept while the torrent that it names wakes up.
pub const GREETING_READ: usize = 4 * KIB;
/// Bytes of content that the disk is told to read ahead for a peer and that were not sent to it, at
/// most: what [`UPLOADS_FULL`] requests ask for. Requests that are cancelled again would have the
/// disk read for nothing.
pub const READ_AHEAD: u64 = 8 * MIB as u64;
/// Requests past [`QUEUED_UPLOADS`] after which we hang up: a peer that reads our rejects sends
/// fewer.
pub const EXCESS_UPLOADS: u32 = 2_000;
/// Requests in flight to one peer at least, so that a connection is never idle for a round trip.
pub const DEPTH_LEAST: usize = 2;
/// Requests in flight to one peer at most: what common clients queue.
pub const DEPTH_MOST: usize = 500;
/// A peer that once sent a block within this time is near: in this machine or next to it.
pub const NEAR: Duration = Duration::from_millis(1);
/// Requests in flight to a near peer at most: they last for its round trip at 500 MB/s and more.
/// With more of them blocks wait in socket buffers and leave the cache, which cost a fifth of a
/// download's processor time.
pub const DEPTH_NEAR: usize = 32;
/// A near peer whose blocks take longer than this on average is asked for more: with so few it
/// sends at most 10 MB/s. Transmission looks twice a second for requests that came while it had
/// none.
pub const NEAR_MEAN: Duration = Duration::from_millis(50);
/// Requests in flight are what a peer sends in this time at its rate: long enough for any round
/// trip and a disk's pause.
pub const DEPTH_TIME: Duration = Duration::from_secs(3);
/// Blocks that we did not ask for, after which we hang up: a cancel may cross a block on the way,
/// but not so often.
pub const UNASKED: u32 = 64;
/// Bytes asked for at a time while a download limit is reached: fewer wake-ups than one for each
/// block.
pub const ASKED_AT_ONCE: u64 = 64 * KIB as u64;
/// Times a second that blocks are sent under an upload limit that is high enough: fewer wake-ups
/// than one for each block.
pub const SENDS_PER_SECOND: u64 = 100;
/// Times that a peer may say all that it has: by a bitfield, `have all` or `have none`. aria2 says
/// it again wherever that is shorter than a `have` for each new piece, which is 72 times at most,
/// whatever the torrent; each costs a look at all pieces.
pub const HOLDINGS_TOLD: u32 = 100;
/// Pieces of the allowed-fast set (BEP 6).
pub const ALLOWED_FAST: u32 = 10;
/// Times its allowed-fast set that a peer may have got when it asks for more of it while choked:
/// blocks get lost, but not so often.
pub const ALLOWED_FAST_AGAIN: u64 = 3;
/// A peer's allowed-fast messages that count: more than any client sends.
pub const ALLOWED_FAST_KEPT: u32 = 64;
/// Bytes of messages (blocks and one bitfield aside) that may wait for a peer that does not read,
/// if `--memory` allows that many. Past it we hang up. The system buffers a few times as many
/// besides.
pub const UNSENT: usize = 96 * KIB;
/// A block is late after at least this long, whatever the peer's rate: less would ask twice for
/// nothing.
pub const LATE_LEAST: Duration = Duration::from_secs(2);
/// A block is late after at most this long.
pub const LATE_MOST: Duration = Duration::from_secs(20);
/// A request is lost when this many times the requests in flight have been answered since: no
/// client answers in such disorder.
pub const SKIPPED: usize = 2;
/// The same, at least this many: with few in flight a little disorder is no sign.
pub const SKIPPED_LEAST: usize = 32;
/// Connecting takes at most this long.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);
/// The handshake is whole within this time after connecting.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(20);
/// Silence after which we hang up: keep-alives come every two minutes (BEP 3), and take time to
/// arrive.
pub const SILENCE: Duration = Duration::from_secs(180);
/// We say something at least this often.
pub const KEEP_ALIVE: Duration = Duration::from_secs(90);
/// The same to a peer that hangs up early: rqbit does after ten seconds of silence. Not less, since
/// aria2 takes two keep-alives within five seconds for a flood.
pub const KEEP_ALIVE_SHORT: Duration = Duration::from_secs(7);
/// A peer that hangs up after we have been silent for this long, and less than [`KEEP_ALIVE`], may
/// have waited for us to say something: its host is remembered.
pub const IMPATIENCE: Duration = Duration::from_secs(8);
/// Hosts remembered whose clients hang up early: there are few such clients.
pub const IMPATIENT_HOSTS: usize = 1_000;
/// The user hears of incoming connections that failed at most this often: there may be many.
pub const INCOMING_EVERY: Duration = Duration::from_secs(10);

// Swarm

/// Connections, unless `--max-peers` says otherwise.
pub const PEERS: usize = 60;
/// The same where many torrents share them: `brooklet run`.
pub const RUN_PEERS: usize = 200;
/// Torrents that `brooklet run` downloads at the same time, unless `--active` says otherwise: each
/// gets a fair part of the line, and is done before the last.
pub const ACTIVE: usize = 5;
/// What `--max-peers` may ask for at most.
pub const PEERS_MOST: usize = 10_000;
/// Connections being made at one time: home routers lose track of more.
pub const HALF_OPEN: usize = 30;
/// Connections begun a second.
pub const DIALS_PER_SECOND: u32 = 10;
/// Connections of a download that count as one of a torrent that only uploads, where both have
/// addresses to dial: after a start hundreds of seeds would otherwise dial each other first.
pub const DIALS_OF_DOWNLOAD: usize = 4;
/// Addresses of one torrent that are remembered beside those that are connected; the least
/// promising are forgotten first. With ten dials a second they last for three minutes.
pub const CANDIDATES: usize = 2_000;
/// Hosts that are banned: each has cost a piece.
pub const BANNED: usize = 5_000;
/// Our own addresses that are known, so that no torrent dials them: a machine with more of them
/// now and then dials itself.
pub const OWN_ADDRESSES: usize = 256;
/// Bytes of a table of the system that are looked through for them: a router with the whole
/// Internet's routes has hundreds of times as many.
pub const OWN_TABLE: usize = MIB;
/// Wait after a first failure to connect; doubled each time.
pub const REDIAL: Duration = Duration::from_secs(60);
/// The same for an address that the user named, and is waiting for.
pub const REDIAL_USER: Duration = Duration::from_secs(5);
/// The same after two connections crossed and both ended: one that is begun by one end alone lasts.
pub const REDIAL_CROSSED: Duration = Duration::from_secs(5);
/// The same for a peer that was of use when the network failed: it may be back at once. Doubled up
/// to [`REDIAL`], [`DIAL_FAILURES`] times; after that it is dialed as often as others.
pub const REDIAL_LOST: Duration = Duration::from_secs(5);
/// Longest wait before an address is dialed again.
pub const REDIAL_MOST: Duration = Duration::from_secs(30 * 60);
/// Ports of one host in the world that strangers may have us dial: the clients of a home share its
/// address, but a long list of ports would make us scan or flood that host.
pub const HOST_PORTS: usize = 16;
/// Once [`HOST_PORTS`] ports of a host were named, one more may be tried in place of one that
/// failed, and then one each time that this has passed: a long list of ports makes no faster scan
/// than repeated dials to these.
pub const HOST_PORT_GAP: Duration = Duration::from_secs(30);
/// Two connections between us and a peer, one begun by each end, crossed on the way if both came up
/// within this time; if both ended within this time, each end may have closed a different one. It
/// is longer than any handshake takes to arrive, and too short for a connection to have been of
/// use.
pub const CROSSING: Duration = Duration::from_secs(1);
/// Dials repeated after failures; the next failure makes us forget the address.
pub const DIAL_FAILURES: u32 = 6;
/// One slot in this many is kept for connections that we dial, as long as a download has an address
/// due.
pub const KEPT_TO_DIAL: usize = 8;
/// When all connections are taken, a peer that connected this long ago and has sent nothing but its
/// handshake may be replaced.
pub const WORDLESS: Duration = Duration::from_secs(5);
/// An unchoked peer that neither asked for nor got anything for this long does not use its upload
/// slot, and may lose its connection when all are taken: a peer that wants something asks within a
/// round trip. Half of [`CHOKE_ROUND`], so that two may be tried in each.
pub const UNUSED: Duration = Duration::from_secs(5);
/// When all connections are taken, a peer that connected this long ago, has nothing for us and
/// moves no bytes may be replaced.
pub const IDLE: Duration = Duration::from_secs(60);
/// When all connections are taken, a peer that connected this long ago and has transferred nothing
/// at all may be replaced. An unchoked peer that asked for nothing comes last for this long.
pub const BARREN: Duration = Duration::from_secs(300);
/// Handles for other things than peers, trackers and content: the standard streams, the poll,
/// listeners, state.
pub const OTHER_HANDLES: usize = 32;
/// The choker decides this often (BEP 3: ten seconds, to let TCP find its rate).
pub const CHOKE_ROUND: Duration = Duration::from_secs(10);
/// The optimistic unchoke moves on this often (BEP 3).
pub const OPTIMISTIC_ROUND: Duration = Duration::from_secs(30);
/// Regular upload slots at least, however little flows or may flow.
pub const UPLOAD_SLOTS: usize = 4;
/// Regular upload slots at most: more divide the rate too finely.
pub const UPLOAD_SLOTS_MOST: usize = 50;
/// A connection counts as new, and is three times as likely to be tried, for this long.
pub const NEWCOMER: Duration = Duration::from_secs(60);
/// A peer that owes us blocks and sent none for this long snubs us.
pub const SNUBBED: Duration = Duration::from_secs(60);

// Pieces

/// Pieces picked at random before rarest first begins: the first whole piece is what we can trade
/// with.
pub const RANDOM_FIRST: u32 = 4;
/// Peers that are asked for the same block in the end game, at most.
pub const END_GAME: usize = 2;
/// Peers that are asked for the very last block, at most.
pub const LAST_BLOCK: usize = 3;
/// Between two rounds of telling peers what we have goes this much time for each of them: a write
/// to a socket takes about 5 µs, so it is a tenth of the time at most.
pub const TELL_GAP: Duration = Duration::from_micros(50);
/// Pieces after which they are announced without waiting for more: one write for this many costs
/// little.
pub const TOLD_AT_ONCE: usize = 64;
/// Pieces begun and not finished, whatever the number of peers: bounds the memory of block maps.
pub const PARTIAL_PIECES: usize = 4_096;
/// Places looked at in the order of rarity for a new piece: one that half of the peers have is
/// found in two.
pub const RAREST_PROBES: usize = 64;
/// Pieces compared for their rarity where a peer has so few that [`RAREST_PROBES`] did not find
/// one.
pub const RAREST_SAMPLE: usize = 16;
/// Partial pieces looked at for one peer in the end game, from a random one on: the others have
/// their turn later.
pub const END_GAME_PROBES: usize = 512;
/// Pieces that failed and are remembered until they pass. Each costs a download: more at a time is
/// an attack on memory.
pub const SUSPECT_PIECES: usize = 64;
/// Blocks remembered of pieces that failed: 1 GiB of content, in 640 KiB of memory.
pub const SUSPECT_DIGESTS: usize = 65_536;
/// Pieces shared with others that one peer may have a part in before they are verified: what a liar
/// can spoil before it is known.
pub const SHARED_PARTS: usize = 4;
/// Hosts of which one peer alone may begin a piece that failed and not finish it, before all may
/// help with it again.
pub const SOLO_RESTARTS: usize = 3;
/// The same, counted in attempts by any host: a host that often loses its connection may be the
/// only one that has the piece.
pub const SOLO_TRIES: u32 = 12;

// Memory

/// Bytes read of a socket at a time: what the second-level cache still has when it is hashed.
pub const READ: usize = 192 * KIB;
/// Bytes that buffers may take, unless `--memory` says otherwise: small beside any board's memory.
pub const MEMORY: u64 = 16 * MIB as u64;
/// What `--memory` may ask for at least: a receive buffer, and a few blocks on their way out.
pub const MEMORY_LEAST: u64 = MIB as u64;
