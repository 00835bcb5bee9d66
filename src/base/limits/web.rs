//! Bounds on web seeds (BEP 19).

use super::{KIB, MIB};
use crate::base::time::Duration;

/// Web seeds kept of a torrent: no torrent names more than a few dozen mirrors.
pub const WEB_SEEDS: usize = 200;
/// Web seeds of one torrent that are asked at one time: each holds a connection.
pub const WEB_SEEDS_AT_ONCE: usize = 4;
/// Connections to one web seed of a torrent: one fills a line, and a second asks for the next file
/// while the first waits for an answer, where files are small.
pub const WEB_CONNECTIONS: usize = 2;
/// Bytes of a torrent's file on average below which a web seed gets its second connection: such a
/// file arrives within a few round trips.
pub const WEB_SMALL_FILE: u64 = MIB as u64;
/// Missing bytes in a row that are shared by two connections to one web seed, and of which as many
/// must be left for the second: on a fast line the processor hashes two pieces at once in less time
/// than one after the other. Each time that one of them meets the other it ends, and some of what
/// is on its way is lost.
pub const WEB_SPLIT: u64 = 64 * MIB as u64;
/// Bytes that a web seed is asked for at a time, and may be ahead of what has come: what it is
/// asked for, peers are not.
pub const WEB_RANGE: u64 = 16 * MIB as u64;
/// The same at least: shorter requests cost more round trips than bytes.
pub const WEB_RANGE_LEAST: u64 = 256 * KIB as u64;
/// The same before its rate is known.
pub const WEB_RANGE_FIRST: u64 = MIB as u64;
/// A web seed is asked for what it sends in this time at its rate, within these bounds: a slow one
/// must not keep much from peers.
pub const WEB_RANGE_TIME: Duration = Duration::from_secs(8);
/// With peers connected, a web seed is asked for at most one part in this many of what is left, so
/// that neither waits long for the other at the end.
pub const WEB_RANGE_PART: u64 = 4;
/// Bytes between two runs of missing ones that are read and dropped: a new request costs as much
/// time where a line is fast and far.
pub const WEB_GAP: u64 = 256 * KIB as u64;
/// Bytes of a file that are read and dropped in front of what is missing, of a server that sends
/// whole files only. More are if as many are missing behind them.
pub const WEB_SKIP: u64 = 64 * MIB as u64;
/// Missing blocks that a web seed is asked for, though a peer is asked for them, when nothing else
/// is missing.
pub const WEB_REPEATS: usize = 16;
/// After so long without a byte of the answer, or of the block that is due, peers may be asked for
/// what the web seed owes us.
pub const WEB_LATE: Duration = Duration::from_secs(5);
/// After so long without a byte of the answer the connection ends.
pub const WEB_SILENCE: Duration = Duration::from_secs(20);
/// A connection to a web seed that is asked for nothing is kept for so long: pieces that fail, or
/// that peers drop, can be asked for over it.
pub const WEB_KEPT_FOR: Duration = Duration::from_secs(10);
/// How often a web seed that has no connection is looked at anew, where it had nothing that could
/// be asked for: each look costs a pass over the missing pieces.
pub const WEB_LOOK: Duration = Duration::from_secs(2);
/// First wait after a web seed failed; doubled each time.
pub const WEB_BACKOFF: Duration = Duration::from_secs(5);
/// Longest wait after a web seed failed, also where it asks for a longer one (`Retry-After`).
pub const WEB_BACKOFF_MOST: Duration = Duration::from_secs(30 * 60);
/// Redirects in a row that are followed without a byte of content.
pub const WEB_REDIRECTS: u32 = 5;
/// Redirects of single files that are remembered for each web seed: the others are asked for again
/// where the torrent says.
pub const WEB_REDIRECTS_KEPT: usize = 64;
/// Pieces of a web seed that may be wrong: after each, the files that the piece lies in are not
/// asked for there any more, and after so many the web seed is left alone. A mirror often has one
/// file in another version.
pub const WEB_WRONG: u32 = 3;
/// Bytes that may come behind what a web seed was asked for, such as the end of the last chunk.
/// With more than that the connection ends.
pub const WEB_TAIL: u64 = KIB as u64;
