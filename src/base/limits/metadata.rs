//! Bounds of extensions, and of what is fetched where only a link is known.

use super::{KIB, MIB};
use crate::base::time::Duration;

// Extensions

/// A frame with a message of an extension: a block of metadata (16 KiB), and a dictionary in front
/// of it that takes a hundred bytes in all clients.
pub const EXTENDED_FRAME: usize = 17 * KIB;
/// Extended handshakes of one peer: one is usual, and each is a dictionary to be read.
pub const EXTENDED_TOLD: u32 = 100;

// Metadata of a magnet link

/// Bytes of an `info` dictionary that is fetched: 1.6 million piece hashes.
pub const METADATA_BYTES: usize = 32 * MIB;
/// Short dictionaries of all torrents that are being fetched take one part in so many of
/// `--memory`: they are read and gone within seconds.
pub const METADATA_PART: u64 = 8;
/// A dictionary is short if it takes at most one part in so many of that: the three lengths that
/// the peers of one torrent may name leave room for another torrent. By default it has half a
/// mebibyte, 26,000 pieces. One torrent at a time fetches longer ones, beside `--memory`, since
/// there is no other way to have a dictionary of [`METADATA_BYTES`].
pub const METADATA_SHORT: usize = 4;
/// Blocks of it that one peer may wait for: all of those, as rqbit asks for them at once.
pub const METADATA_QUEUE: usize = METADATA_BYTES / (16 * KIB);
/// Blocks of it in flight to one peer. Most clients answer any number; rtorrent only one at a time.
pub const METADATA_DEPTH: usize = 8;
/// Peers that are asked for one block at the same time: some answer late, or never.
pub const METADATA_TWICE: usize = 2;
/// A block that has not come is asked for again after this long. Transmission answers in pulses of
/// half a second.
pub const METADATA_LATE: Duration = Duration::from_secs(3);
/// A peer that has said no size is asked for the first block after this long, and then after twice
/// as long each time, up to [`METADATA_BACKOFF`]: it may learn the metadata as we do, soon.
pub const METADATA_POLL: Duration = Duration::from_secs(2);
/// A peer that rejects a block is left alone for this long: it may have the metadata by then.
pub const METADATA_BACKOFF: Duration = Duration::from_secs(60);
/// Its user hears why no metadata come after this long without a new block, though peers are
/// connected.
pub const METADATA_STUCK: Duration = Duration::from_secs(60);
/// Lengths of the dictionary that are fetched side by side where peers do not agree on it.
pub const METADATA_SIZES: usize = 3;
/// Where peers do not agree on the length, the hosts that name those which are fetched get a strike
/// after this long, so that other lengths have their turn. Honest peers send most dictionaries
/// within it; the blocks that came are kept until the next turn.
pub const METADATA_TURN: Duration = Duration::from_secs(4);
/// Hosts of which strikes are remembered, beside those that are connected: to connect anew is no
/// way to come first again.
pub const METADATA_HOSTS: usize = 1_000;
/// A peer that is asked for a whole dictionary alone gets so long for a block at first, beside
/// twice [`METADATA_LATE`]: 160 KiB a second, an ordinary uplink.
pub const METADATA_PACE: Duration = Duration::from_millis(100);
/// Bytes of bitfields that peers of all torrents have sent before the metadata are there, of those
/// with more than 139,000 pieces; shorter ones are no longer than other messages. Each of two
/// hundred peers may have 160,000 pieces, or some dozen of them 1.6 million, the most that
/// [`METADATA_BYTES`] allows.
pub const EARLY_BITFIELDS: usize = 4 * MIB;
/// Pieces that a peer names one by one before the metadata is there, and that are remembered.
pub const EARLY_HAVES: usize = 1_000;
/// How many times a peer may have a whole dictionary of us as fast as it takes it: some ask for
/// blocks twice that come late.
pub const METADATA_COPIES: u32 = 2;
/// After that it gets a block each time that this has passed.
pub const METADATA_AGAIN: Duration = Duration::from_millis(250);
/// Bytes of dictionaries that are kept in memory since peers ask for them: a few long ones, or some
/// hundred usual ones. One that is longer is kept alone.
pub const METADATA_CACHE: usize = 16 * MIB;
/// Dictionaries that are kept, among them those that could not be read.
pub const METADATA_CACHED: usize = 64;
/// Bytes of `.torrent` files that are read and hashed a second since peers ask for dictionaries
/// that are not kept: a tenth of the time at most, on a slow machine.
pub const METADATA_READ: u32 = 16 * MIB as u32;
/// How long the metadata are kept in memory after they were asked for last: a peer that asks for
/// one block asks for the next.
pub const METADATA_KEPT: Duration = Duration::from_secs(30);

// A `.torrent` by its URL

/// Redirects followed from a URL that a user names: mirrors and link shorteners take a few.
pub const URL_REDIRECTS: u32 = 10;
/// Parts of a body that gzip has packed, one behind the other: programs that pack on all cores make
/// one of each 64 KiB, which is a thousand for the longest `.torrent`. An empty one costs as much
/// work as a short one.
pub const HTTP_MEMBERS: usize = 2_048;
/// Time for one file by its URL: the longest torrent takes as long at 220 KiB/s.
pub const URL_TIME: Duration = Duration::from_secs(5 * 60);
/// A server that sends less than so many bytes in [`URL_PACE_TIME`] is given up: a modem has five
/// times that pace.
pub const URL_PACE: usize = 20 * KIB;
/// See [`URL_PACE`].
pub const URL_PACE_TIME: Duration = Duration::from_secs(20);
