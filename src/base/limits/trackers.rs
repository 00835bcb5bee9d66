//! Bounds of trackers, and of what is fetched over HTTP.

use super::{KIB, MIB};
use crate::base::time::Duration;

// Trackers

/// Time for one HTTP exchange, from look-up to the last byte.
pub const HTTP_TIME: Duration = Duration::from_secs(30);
/// Bytes of an HTTP response, head and body; and of the body when it is unpacked.
pub const HTTP_REPLY: usize = 2 * MIB;
/// Bytes of an HTTP response's head.
pub const HTTP_HEAD: usize = 16 * KIB;
/// Header lines of an HTTP response.
pub const HTTP_HEADERS: usize = 64;
/// Bytes of a line with a chunk's size: it may contain extensions, which no server uses.
pub const HTTP_CHUNK_LINE: usize = 256;
/// Codings of an HTTP body one around the other: two are a server behind a proxy that compresses
/// once more, and each costs a pass over the body.
pub const HTTP_CODINGS: usize = 3;
/// Bytes of an HTTP body that is unpacked: a thousand peers take half of it, each in a dictionary
/// of its own. A bit of deflate may cost many times as much as it yields, so [`HTTP_REPLY`] of them
/// would hold up everything for seconds.
pub const HTTP_PACKED: usize = 64 * KIB;
/// Bytes of a file with the certificates that a system trusts: Debian's has 220 KiB.
pub const ROOTS_FILE: u64 = 8 * MIB as u64;
/// Redirects followed for one announce.
pub const HTTP_REDIRECTS: u32 = 5;
/// First wait after a tracker failed; doubled each time.
pub const TRACKER_BACKOFF: Duration = Duration::from_secs(15);
/// Longest wait after a tracker failed.
pub const TRACKER_BACKOFF_MOST: Duration = Duration::from_secs(30 * 60);
/// Never announce to a tracker more often than this, whatever `interval` it names.
pub const INTERVAL_LEAST: Duration = Duration::from_secs(30);
/// Never wait longer than this for the next announce, whatever `interval` it names.
pub const INTERVAL_MOST: Duration = Duration::from_secs(4 * 3600);
/// Announce interval where a tracker names none.
pub const INTERVAL_DEFAULT: Duration = Duration::from_secs(30 * 60);
/// A UDP request is repeated after this long, doubled each time (BEP 15).
pub const UDP_RETRY: Duration = Duration::from_secs(15);
/// UDP requests lost in a row before the next tracker of the tier is tried.
pub const UDP_PATIENCE: u32 = 2;
/// After a UDP answer that makes no sense, a better one is waited for this long: a duplicate or
/// a straggler arrives within a round trip or two.
pub const UDP_SECOND_ANSWER: Duration = Duration::from_secs(2);
/// A UDP connection id may be used for this long (BEP 15).
pub const UDP_CONNECTION: Duration = Duration::from_secs(60);
/// uTP connections refused a second. A refusal is as long as the packet that it answers, so an
/// attacker gains nothing by having us send it to a victim; and so few cost us little.
pub const UTP_REFUSALS: u32 = 50;
/// Bytes of a datagram that is read: more than any tracker's reply.
pub const DATAGRAM: usize = 16 * KIB;
/// Datagrams, or runs of them that came together, that are read by one call.
pub const DATAGRAMS_AT_ONCE: usize = 8;
/// Bytes of such a run: 65,535 at most. What is never read into takes no memory.
pub const DATAGRAMS_BYTES: usize = 64 * KIB;
/// Bytes of a tracker id that is sent back with each announce: a longer one is dropped, since an
/// announce must stay small.
pub const TRACKER_ID: usize = 256;
/// Local addresses of ours remembered, by which a tracker's answer shows us to ourselves: one a
/// family, and those of a network that was left.
pub const LOCAL_ADDRESSES: usize = 8;
/// Peers asked for in an announce.
pub const NUM_WANT: u32 = 80;
/// Peers taken of one tracker's reply.
pub const REPLY_PEERS: usize = 1_000;
/// Addresses of a tracker's name that are tried, of each family: more would only cost time.
pub const TRACKER_ADDRESSES: usize = 3;
/// Questions that one address may be asked without a pause, whichever torrents name it or trackers
/// redirect to it. A torrent that names two hundred URLs of one victim would make an attacker of
/// every client.
pub const TRACKER_VISITS: u32 = 10;
/// A download without a peer says so after this long: by then ten silent trackers were passed.
pub const ALONE: Duration = Duration::from_secs(8);
/// It says so once more after this long: by then late answers have come, if any do.
pub const ALONE_SECOND: Duration = Duration::from_secs(60);
/// And then again after this long each time: for a log that is read the next day.
pub const ALONE_AGAIN: Duration = Duration::from_secs(600);
/// Reasons of failed dials that are told apart then: more would be a list of errors, not an
/// explanation.
pub const ALONE_REASONS: usize = 8;
/// Names looked up at one time, a thread each: as many as a torrent's trackers at one time.
pub const LOOKUPS: usize = 32;
/// Of these, names of peers and nodes that links and torrents give: the others are left to trackers
/// and to what the user names.
pub const LOOKUPS_LATER: usize = 8;
/// How long the answer to a look-up is reused for the same name: torrents start, or announce again,
/// one after the other. Name servers let theirs count for minutes, and a failed tracker asks anew
/// after [`TRACKER_BACKOFF`].
pub const LOOKUP_KEPT_FOR: Duration = Duration::from_secs(10);
/// Answers that are kept: more names than torrents have in common.
pub const LOOKUPS_KEPT: usize = 64;
/// While no peer is connected, trackers that come next are asked beside those that were silent for
/// this long: many times what an answer takes, and with ten silent ones in front six seconds in
/// all.
pub const TRACKER_HURRY: Duration = Duration::from_secs(2);
/// While peers are connected, the tracker that comes next is asked beside one that was silent for
/// this long: longer than any exchange lasts, so that only a question that stands in a line is.
pub const TRACKER_PATIENCE: Duration = Duration::from_secs(60);
/// After [`TRACKER_VISITS`] questions the next ones to an address that has not answered as a
/// tracker follow each other after this long: two hundred trackers of one host take ten minutes,
/// and all of them are asked.
pub const VISIT_GAP: Duration = Duration::from_secs(3);
/// Time between two questions to an address that has answered as a tracker does, on average: with
/// [`PROVEN_AT_ONCE`] of them together it gets fewer than fifty a second, and a thousand torrents
/// have announced within half a minute.
pub const PROVEN_GAP: Duration = Duration::from_millis(25);
/// Questions to such an address that go together: a process with many torrents then wakes up five
/// times a second for them, and each needs a connection of its own meanwhile.
pub const PROVEN_AT_ONCE: u32 = 8;
/// Time between two questions to such an address on the way out: within [`FAREWELL`] three thousand
/// torrents can say `stopped`, as fast as the tracker answers over [`TRACKER_CONNECTIONS_EACH`].
pub const FAREWELL_GAP: Duration = Duration::from_micros(500);
/// An address counts as a tracker's for this long after it answered as one: longer than
/// [`INTERVAL_MOST`], so that one in use need not prove it again.
pub const PROVEN_FOR: Duration = Duration::from_secs(5 * 3600);
/// Torrents that ask one tracker, or stand in its line, at one time: more than go within a second,
/// so that none is late. The others begin when one of those is done, or was silent for
/// [`TRACKER_HURRY`] and has other trackers: a question takes half a kilobyte.
pub const TRACKER_CROWD: usize = 64;
/// Trackers of one torrent that are asked, or wait for it, at one time: no torrent keeps others
/// waiting with more.
pub const TRACKERS_AT_ONCE: usize = 32;
/// Connections to trackers over HTTP at one time, of all torrents.
pub const TRACKER_CONNECTIONS: usize = 64;
/// The same to one address: a silent tracker that many torrents have must not take them all.
pub const TRACKER_CONNECTIONS_EACH: usize = 10;
/// Connections to trackers over HTTP that are kept for the next request, of all trackers: more
/// trackers seldom have several torrents each. They count among [`TRACKER_CONNECTIONS`].
pub const TRACKER_KEPT: usize = 16;
/// The same to one address: as many as the announces that go together need.
pub const TRACKER_KEPT_EACH: usize = 8;
/// How long they are kept: longer than [`VISIT_GAP`], and less than the five seconds after which
/// servers like Apache and Node close them, so that seldom both ends do so at one time.
pub const TRACKER_KEPT_FOR: Duration = Duration::from_secs(4);
/// Trackers over UDP that have a socket of their own at one time. Others are asked from the common
/// one, where a refusal looks like silence.
pub const TRACKER_SOCKETS: usize = 32;
/// Early announces, for more peers, come after [`INTERVAL_LEAST`] at first where a tracker names no
/// `min interval`, then after twice that, doubled this many times: often while a swarm forms,
/// seldom in one that has no other peers.
pub const EARLY_DOUBLINGS: u32 = 3;
/// What saving the state of a complete download may take: a slow card's write-back of all that is
/// unsaved.
pub const SAVE_PATIENCE: Duration = Duration::from_secs(600);
/// What writing and saving may take after a signal: what was not saved by then is fetched again.
pub const STOP_PATIENCE: Duration = Duration::from_millis(1500);
/// The same at least, however long the trackers took.
pub const STOP_PATIENCE_LEAST: Duration = Duration::from_millis(500);
/// What leaving may take: trackers are told `stopped` within this time or not at all. With
/// [`STOP_PATIENCE_LEAST`] it is two seconds, which is what one waits for a Ctrl-C.
pub const FAREWELL: Duration = Duration::from_millis(1500);
