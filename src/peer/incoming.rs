//! Why incoming connections ended before they belonged to a torrent.

use std::fmt;

use super::end_reason::EndReason;
use super::greeting::Greeting;
use crate::wire::Foreign;

/// Why an incoming connection failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failed {
    /// It spoke another protocol.
    Foreign(Foreign),
    /// It was not encrypted.
    Unencrypted,
    /// Its encrypted handshake was wrong.
    Encryption,
    /// It began an encrypted handshake when more did than are answered.
    KeyFlood,
    /// Its handshake names a torrent that we do not have, or that is paused, queued, failed or
    /// ending.
    NotServed,
    /// It was this very client.
    Ourselves,
    /// It said nothing.
    Silent,
    /// It began a handshake and did not finish it in time.
    Slow,
    /// It hung up without a word.
    Closed,
    /// It hung up within its handshake.
    Cut,
    /// The network ended the connection.
    Reset,
    /// It came while what is on disk was being checked.
    TooEarly,
    /// The torrent that it named slept, and did not wake up before its time was over or it hung up.
    NotAwake,
    /// All slots were taken by others.
    NoRoom,
    /// Its host is banned.
    Banned,
}

impl Failed {
    /// Why an incoming connection failed that ends by this reason; `None`: the peer did not fail.
    pub fn of(greeting: &Greeting, reason: &EndReason) -> Option<Failed> {
        let begun = greeting.was_heard();
        // A key looks like nothing else. What is too short to be told may look like anything.
        let seems = |it: &Foreign| !matches!(it, Foreign::Encrypted | Foreign::Unknown);
        let foreign = greeting.foreign().filter(seems);
        let waits = greeting.put_back_len() > 0;
        Some(match reason {
            EndReason::Closed | EndReason::HandshakeTimeout | EndReason::Replaced if waits => {
                Failed::NotAwake
            }
            EndReason::NotBitTorrent => {
                Failed::Foreign(greeting.foreign().unwrap_or(Foreign::Unknown))
            }
            EndReason::Unencrypted => Failed::Unencrypted,
            EndReason::Encryption(_) => Failed::Encryption,
            EndReason::KeyFlood => Failed::KeyFlood,
            EndReason::NotServed => Failed::NotServed,
            EndReason::TooEarly => Failed::TooEarly,
            EndReason::Closed | EndReason::Network(_) | EndReason::HandshakeTimeout
                if greeting.is_ourselves() =>
            {
                Failed::Ourselves
            }
            EndReason::Closed | EndReason::HandshakeTimeout | EndReason::Replaced
                if foreign.is_some() =>
            {
                Failed::Foreign(foreign.unwrap_or(Foreign::Unknown))
            }
            EndReason::Closed if begun => Failed::Cut,
            EndReason::Closed => Failed::Closed,
            EndReason::Network(_) => Failed::Reset,
            EndReason::HandshakeTimeout | EndReason::Replaced if begun => Failed::Slow,
            EndReason::HandshakeTimeout | EndReason::Replaced => Failed::Silent,
            _ => return None,
        })
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failed::Foreign(foreign) => return foreign.fmt(f),
            Failed::Unencrypted => "without encryption",
            Failed::Encryption => "with a wrong encrypted handshake",
            Failed::KeyFlood => "one of too many encrypted handshakes",
            Failed::NotServed => "for a torrent not shared here",
            Failed::Ourselves => "from this very client",
            Failed::Silent => "silent",
            Failed::Slow => "too slow",
            Failed::Closed => "closed without a word",
            Failed::Cut => "closed within the handshake",
            Failed::Reset => "reset",
            Failed::TooEarly => "before the check was done",
            Failed::NotAwake => "before its torrent was awake",
            Failed::NoRoom => "without a free slot",
            Failed::Banned => "banned",
        })
    }
}
