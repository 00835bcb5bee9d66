//! Bounds of what serves a folder of torrents, and of how it is steered.

use super::{KIB, MIB};
use crate::base::time::Duration;

// Remote control

/// A torrent counts as recently active for this long after something happened to it, and a removed
/// one as recently removed: what Transmission's clients expect, which ask every few seconds.
pub const RECENTLY_ACTIVE: Duration = Duration::from_secs(60);
/// Clients of remote control at one time. When one more comes, the one that was silent for the
/// longest time goes.
pub const CONTROL_CLIENTS: usize = 32;
/// Bytes of a request: a `.torrent` of six mebibytes, which is 300,000 pieces, in base64.
pub const CONTROL_REQUEST: usize = 8 * MIB;
/// Bytes of requests of all clients together: of those that are not whole or wait, and of those
/// that are being worked on. What is more waits, except that the client that has sent most may
/// always send the rest, so that one of them comes to its end.
pub const CONTROL_BYTES: usize = 2 * CONTROL_REQUEST;
/// Requests of so few bytes do not wait for those of others: all but torrents and long batches. Of
/// its answers a client may leave so many unread before the next request of its batch is answered.
pub const CONTROL_SHORT: usize = 64 * KIB;
/// Bytes of answers that clients have not taken, of all of them together but the one that has most
/// to take, at which no further request is begun, also amid a batch. The last one that was begun
/// may pass it by its answer.
pub const CONTROL_UNSENT: usize = 16 * MIB;
/// While that is reached, a client that takes nothing for this long is closed: others wait for it.
pub const CONTROL_STUCK: Duration = Duration::from_secs(2);
/// Bytes of requests and answers after which peers and trackers have their turn: a few milliseconds
/// of work. A single request, or its answer, may be longer.
pub const CONTROL_TURN: usize = MIB;
/// A client that neither sends nor takes anything for this long is closed.
pub const CONTROL_IDLE: Duration = Duration::from_secs(60);
/// Lines in a row that are no JSON, after which a client is closed: one mistyped line costs only
/// itself, and a program that speaks another protocol ends soon.
pub const CONTROL_GARBAGE: usize = 8;
/// Requests in one batch: more than any program asks at a time.
pub const CONTROL_BATCH: usize = 100;
/// Bytes of the answer to a batch, after which the rest of its requests are refused: ten thousand
/// torrents with all their fields.
pub const CONTROL_ANSWER: usize = 16 * MIB;

/// URLs of `.torrent` files that are fetched for clients of remote control at one time; more of
/// them wait.
pub const URLS_AT_ONCE: usize = 8;
/// Of these all but one wait while they have more bytes than this; most torrents are shorter.
pub const URL_SHORT: usize = MIB;

// A folder of torrents

/// Clients of remote control, and the service manager that started the process, wait this long at
/// most for the torrents of the folder: ten thousand are read in less, and a disk that does not
/// answer must not leave a user without an answer, too.
pub const LOADING: Duration = Duration::from_secs(5);
/// A file in the watch folder that is no torrent may still be written: it is refused if it has not
/// changed for so long. A program that writes over a slow network makes shorter pauses.
pub const WATCH_SETTLED: Duration = Duration::from_secs(5);
/// How often the watch folder is looked at though the system tells of no change: network file
/// systems do not tell.
pub const WATCH_RESCAN: Duration = Duration::from_secs(60);
/// Torrents of the watch folder that are being added at one time: their metadata are in memory, and
/// other work of the loop goes on between them.
pub const WATCH_AT_ONCE: usize = 16;
/// Torrents that clients add which are being added at one time, for the same reason: each is
/// written to disk by a thread, and many at once take hardly longer than one. As many more may wait
/// for disks that do not answer, and [`CONTROL_BATCH`] for the list, which is written once for all
/// of them: fewer if they take more than [`URL_SHORT`].
pub const ADDS_AT_ONCE: usize = 16;
/// A download that has got nothing for so long no longer counts among those that `--active` bounds,
/// so that those without peers do not keep the others waiting. Within this time each tracker was
/// tried five times and the DHT asked several times. libtorrent waits a minute, Transmission 30.
pub const STALLED: Duration = Duration::from_secs(5 * 60);
/// Downloads at one time that do not count for that reason: each takes memory, and looks for peers.
pub const STALLED_MOST: usize = 100;
/// A seed that has sent something falls asleep this long after its last peer has gone: what it sent
/// is on record then, and the next peer often comes soon.
pub const DROWSY: Duration = Duration::from_secs(60);
/// Torrents of a folder that are awake to be checked at one time: one is read, and the next ones
/// are found meanwhile. Each has the hashes of all its pieces in memory, 20 bytes a piece.
pub const CHECKS: usize = 3;
/// Bytes of the list of torrents of a folder: more than a hundred thousand of them. It is our own
/// file; a longer one is not.
pub const LIST_BYTES: usize = 64 * MIB;
/// Time for each torrent of the list before it is written again: ten times what writing takes. With
/// ten thousand of them that is 0.2 s, and with a few no time at all.
pub const LIST_REST: Duration = Duration::from_micros(20);
/// Bytes of the file of settings: a few lines are usual.
pub const CONFIG_BYTES: usize = 64 * KIB;
/// Turns of remote control at the end of the process, in which those are answered that still wait:
/// two for each of them, or as many as a batch has requests. Whoever takes more has no answer.
pub const LAST_TURNS: usize = 2 * CONTROL_BATCH;
/// How long the end of the process waits for commands that are being started, so that each is on
/// record as run or not run. To start one takes a millisecond, unless a disk does not answer.
pub const STARTING_COMMANDS: Duration = Duration::from_secs(2);
/// Commands that are run at one time for torrents that are complete: each has a thread that waits
/// for it, and whatever it does keeps the disk busy.
pub const COMMANDS: usize = 4;
