//! The tokens of the loop's sockets in the poll: two listeners, the waker, then those for trackers,
//! the DHT and the local network, those of remote control and of the watch folder, and those of
//! peers.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use mio::{Poll, Token, Waker};

use crate::base::limits;

/// The sockets that peers dial.
pub const LISTENERS: Range<usize> = 0..2;
/// The token that helper threads, and signals, wake the loop with.
pub const WAKER: Token = Token(2);
/// Sockets for trackers, the DHT and the local network.
pub const OUTREACH: Range<usize> = 3..1024;
/// Remote control: its listener, then its clients.
pub const CONTROL: Range<usize> = OUTREACH.end..OUTREACH.end + 1 + limits::CONTROL_CLIENTS;
/// What tells of changes in the folder for new torrents.
pub const WATCH: Token = Token(CONTROL.end);
/// All that serves a folder of torrents: remote control, and what watches for new ones.
pub const UNATTENDED: Range<usize> = CONTROL.start..CONTROL.end + 1;
/// The token of the first peer: the others follow by their keys.
pub const PEERS: usize = UNATTENDED.end;

/// A waker for the helper threads.
///
/// # Errors
/// The system has no more handles.
pub fn waker(poll: &Poll) -> io::Result<Arc<Waker>> {
    Waker::new(poll.registry(), WAKER).map(Arc::new)
}
