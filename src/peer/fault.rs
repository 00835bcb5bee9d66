//! Why a connection ends: whose fault it is, and whether to try that address again.

use std::fmt;

use crate::wire::Malformed;
use crate::wire::message::Kind;

/// Why we hang up, or why the other end did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The first bytes are no BitTorrent handshake (BEP 3).
    NotBitTorrent,
    /// The handshake names a torrent that we do not have, or that is paused, queued, failed or
    /// ending.
    NotServed,
    /// The handshake names another torrent than the one that this connection is for.
    OtherTorrent,
    /// The handshake names a torrent that is not ready: what is on disk is still being checked.
    TooEarly,
    /// The peer is ourselves: it has our own peer id.
    Ourselves,
    /// We have a connection to this peer already.
    Duplicate,
    /// A frame that cannot be read.
    Malformed(Malformed),
    /// A frame longer than its message may be, in bytes.
    TooLong(u32),
    /// A message that may not come at this point.
    OutOfPlace(Kind),
    /// A message of an extension that was not agreed on in the handshake.
    NotAgreed(Kind),
    /// A bitfield of the wrong size or with spare bits set (BEP 3).
    BadBitfield,
    /// It says again and again what it has.
    HoldingsFlood,
    /// It says again and again which extensions it speaks.
    ExtendedFlood,
    /// It sent metadata that are not those of the torrent.
    BadMetadata,
    /// A piece index past the end of the torrent.
    NoSuchPiece(u32),
    /// A request that reaches outside its piece, or is too long.
    BadRequest,
    /// More requests than a peer sends that reads our answers.
    RequestFlood,
    /// Blocks that we did not ask for, again and again.
    UnaskedBlocks,
    /// The peer does not read what we send.
    NotReading,
    /// Connecting took too long.
    ConnectTimeout,
    /// The handshake took too long.
    HandshakeTimeout,
    /// Nothing came for [`limits::SILENCE`](crate::base::limits::SILENCE) (BEP 3).
    Silent,
    /// The other end closed the connection.
    Closed,
    /// The network failed, in the system's words.
    Network(String),
    /// It sent data that do not match the torrent's hashes.
    Poisoner,
    /// Both ends have everything that the other could want.
    NoUse,
    /// The torrent has turned out to be private, and neither the user nor a tracker has named the
    /// peer (BEP 27).
    Private,
    /// A better use for the connection's place turned up.
    Replaced,
    /// Our content cannot be read any more.
    Unreadable,
    /// We are leaving.
    Stopping,
}

/// Whether an address is worth another try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Redial {
    /// After a wait that grows with each failure.
    Later,
    /// Not in this run.
    Never,
}

impl Fault {
    /// Whether to dial the address again after this.
    pub fn redial(&self) -> Redial {
        match self {
            Fault::TooEarly
            | Fault::Duplicate
            | Fault::ConnectTimeout
            | Fault::HandshakeTimeout
            | Fault::Silent
            | Fault::Closed
            | Fault::Network(_)
            | Fault::NotReading
            | Fault::Private
            | Fault::Replaced
            | Fault::Stopping
            | Fault::Unreadable
            | Fault::NoUse => Redial::Later,
            Fault::NotBitTorrent
            | Fault::NotServed
            | Fault::OtherTorrent
            | Fault::Ourselves
            | Fault::Malformed(_)
            | Fault::TooLong(_)
            | Fault::OutOfPlace(_)
            | Fault::NotAgreed(_)
            | Fault::BadBitfield
            | Fault::HoldingsFlood
            | Fault::ExtendedFlood
            | Fault::BadMetadata
            | Fault::NoSuchPiece(_)
            | Fault::BadRequest
            | Fault::RequestFlood
            | Fault::UnaskedBlocks
            | Fault::Poisoner => Redial::Never,
        }
    }

    /// Whether the network broke the connection, and neither end wanted that.
    pub fn is_loss(&self) -> bool {
        matches!(self, Fault::Silent | Fault::Network(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotBitTorrent => write!(f, "it does not speak BitTorrent"),
            Fault::NotServed => write!(f, "it asked for a torrent that is not shared here now"),
            Fault::OtherTorrent => write!(f, "it named another torrent"),
            Fault::TooEarly => write!(f, "it came before the check was done"),
            Fault::Ourselves => write!(f, "it is this very client"),
            Fault::Duplicate => write!(f, "we are connected to it already"),
            Fault::Malformed(why) => write!(f, "it sent a message that cannot be read: {why}"),
            Fault::TooLong(bytes) => write!(f, "it announced a message of {bytes} bytes"),
            Fault::OutOfPlace(kind) => write!(f, "it sent {kind} at the wrong time"),
            Fault::NotAgreed(kind) => write!(f, "it sent {kind}, which was not agreed on"),
            Fault::BadBitfield => write!(f, "its bitfield does not fit the torrent"),
            Fault::HoldingsFlood => write!(f, "it says again and again what it has"),
            Fault::ExtendedFlood => {
                write!(f, "it says again and again which extensions it speaks")
            }
            Fault::BadMetadata => write!(f, "it sent metadata that are not this torrent's"),
            Fault::NoSuchPiece(piece) => write!(f, "it named piece {piece}, which does not exist"),
            Fault::BadRequest => write!(f, "it asked for bytes that no piece has"),
            Fault::RequestFlood => write!(f, "it floods us with requests"),
            Fault::UnaskedBlocks => write!(f, "it sends blocks that we did not ask for"),
            Fault::NotReading => write!(f, "it does not read what we send"),
            Fault::ConnectTimeout => write!(f, "it did not answer"),
            Fault::HandshakeTimeout => write!(f, "it sent no handshake in time"),
            Fault::Silent => write!(f, "it was silent for too long"),
            Fault::Closed => write!(f, "it closed the connection"),
            Fault::Network(why) => write!(f, "{why}"),
            Fault::Poisoner => write!(f, "it sent data that do not match the torrent"),
            Fault::NoUse => write!(f, "neither of us needs anything of the other"),
            Fault::Private => write!(f, "the torrent is private, and no tracker named it"),
            Fault::Replaced => write!(f, "its place was needed for another peer"),
            Fault::Unreadable => write!(f, "our content cannot be read"),
            Fault::Stopping => write!(f, "this client is leaving"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_says_why_in_a_line_of_its_own() {
        let faults = [
            Fault::NotBitTorrent,
            Fault::OtherTorrent,
            Fault::TooEarly,
            Fault::Ourselves,
            Fault::Duplicate,
            Fault::Malformed(Malformed {
                what: "the data ends too soon",
                at: 3,
            }),
            Fault::TooLong(4_294_967_295),
            Fault::OutOfPlace(Kind::Handshake),
            Fault::NotAgreed(Kind::HaveAll),
            Fault::BadBitfield,
            Fault::HoldingsFlood,
            Fault::ExtendedFlood,
            Fault::BadMetadata,
            Fault::NoSuchPiece(7),
            Fault::BadRequest,
            Fault::RequestFlood,
            Fault::UnaskedBlocks,
            Fault::NotReading,
            Fault::ConnectTimeout,
            Fault::HandshakeTimeout,
            Fault::Silent,
            Fault::Closed,
            Fault::Network("connection refused".to_string()),
            Fault::Poisoner,
            Fault::NoUse,
            Fault::Private,
            Fault::Replaced,
            Fault::Unreadable,
            Fault::Stopping,
        ];
        let lines: BTreeSet<String> = faults.iter().map(Fault::to_string).collect();
        assert_eq!(lines.len(), faults.len());
        assert!(
            lines
                .iter()
                .all(|line| !line.is_empty() && !line.contains(char::is_control))
        );
        // What it did is named where that tells more.
        for (fault, word) in [
            (Fault::TooLong(4_294_967_295), "4294967295"),
            (Fault::OutOfPlace(Kind::Handshake), "handshake"),
            (Fault::NotAgreed(Kind::HaveAll), "have all"),
            (Fault::NoSuchPiece(7), "piece 7"),
            (Fault::Network("connection refused".to_string()), "refused"),
        ] {
            assert!(fault.to_string().contains(word), "{fault}");
        }
    }
}
