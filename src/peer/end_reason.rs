//! Why a connection ends, and whether to try that address again.

use std::fmt;

use crate::wire::Malformed;
use crate::wire::message::Kind;

/// Why we hang up, or why the other end did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The first bytes are no BitTorrent handshake (BEP 3).
    NotBitTorrent,
    /// It began with BitTorrent's handshake, and our user wants it encrypted.
    Unencrypted,
    /// Its encrypted handshake is wrong: in this.
    Encryption(&'static str),
    /// It did not take the form in which it was dialed, for this reason: it is dialed in the other
    /// one, encrypted or not.
    OtherForm(Box<EndReason>),
    /// It did not find the keys of its encrypted handshake: it is dialed again, with other keys.
    OtherKeys,
    /// Over TCP it took no form, for this reason: it is called over uTP.
    OtherWay(Box<EndReason>),
    /// More peers at once begin encrypted handshakes than are answered.
    KeyFlood,
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

impl EndReason {
    /// Whether to dial the address again after this.
    pub fn redial(&self) -> Redial {
        match self {
            EndReason::TooEarly
            | EndReason::OtherForm(_)
            | EndReason::OtherKeys
            | EndReason::OtherWay(_)
            | EndReason::KeyFlood
            | EndReason::Duplicate
            | EndReason::ConnectTimeout
            | EndReason::HandshakeTimeout
            | EndReason::Silent
            | EndReason::Closed
            | EndReason::Network(_)
            | EndReason::NotReading
            | EndReason::Private
            | EndReason::Replaced
            | EndReason::Stopping
            | EndReason::Unreadable
            | EndReason::NoUse => Redial::Later,
            EndReason::NotBitTorrent
            | EndReason::Unencrypted
            | EndReason::Encryption(_)
            | EndReason::NotServed
            | EndReason::OtherTorrent
            | EndReason::Ourselves
            | EndReason::Malformed(_)
            | EndReason::TooLong(_)
            | EndReason::OutOfPlace(_)
            | EndReason::NotAgreed(_)
            | EndReason::BadBitfield
            | EndReason::HoldingsFlood
            | EndReason::ExtendedFlood
            | EndReason::BadMetadata
            | EndReason::NoSuchPiece(_)
            | EndReason::BadRequest
            | EndReason::RequestFlood
            | EndReason::UnaskedBlocks
            | EndReason::Poisoner => Redial::Never,
        }
    }

    /// Whether the network broke the connection, and neither end wanted that.
    pub fn is_loss(&self) -> bool {
        matches!(self, EndReason::Silent | EndReason::Network(_))
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::NotBitTorrent => write!(f, "it does not speak BitTorrent"),
            EndReason::Unencrypted => write!(f, "it is not encrypted"),
            EndReason::Encryption(why) => write!(f, "its encrypted handshake is wrong: {why}"),
            EndReason::OtherForm(why) => {
                write!(
                    f,
                    "{why}; encryption is switched over and it is dialed again"
                )
            }
            EndReason::OtherKeys => write!(f, "it hangs up: it is dialed again with other keys"),
            EndReason::OtherWay(why) => write!(f, "{why}; it is called over uTP"),
            EndReason::KeyFlood => write!(f, "too many begin encrypted handshakes at once"),
            EndReason::NotServed => {
                write!(f, "it asked for a torrent that is not shared here now")
            }
            EndReason::OtherTorrent => write!(f, "it named another torrent"),
            EndReason::TooEarly => write!(f, "it came before the check was done"),
            EndReason::Ourselves => write!(f, "it is this very client"),
            EndReason::Duplicate => write!(f, "we are connected to it already"),
            EndReason::Malformed(why) => {
                write!(f, "it sent a message that cannot be read: {why}")
            }
            EndReason::TooLong(bytes) => write!(f, "it announced a message of {bytes} bytes"),
            EndReason::OutOfPlace(kind) => write!(f, "it sent {kind} at the wrong time"),
            EndReason::NotAgreed(kind) => write!(f, "it sent {kind}, which was not agreed on"),
            EndReason::BadBitfield => write!(f, "its bitfield does not fit the torrent"),
            EndReason::HoldingsFlood => write!(f, "it says again and again what it has"),
            EndReason::ExtendedFlood => {
                write!(f, "it says again and again which extensions it speaks")
            }
            EndReason::BadMetadata => write!(f, "it sent metadata that are not this torrent's"),
            EndReason::NoSuchPiece(piece) => {
                write!(f, "it named piece {piece}, which does not exist")
            }
            EndReason::BadRequest => write!(f, "it asked for bytes that no piece has"),
            EndReason::RequestFlood => write!(f, "it floods us with requests"),
            EndReason::UnaskedBlocks => write!(f, "it sends blocks that we did not ask for"),
            EndReason::NotReading => write!(f, "it does not read what we send"),
            EndReason::ConnectTimeout => write!(f, "it did not answer"),
            EndReason::HandshakeTimeout => write!(f, "it sent no handshake in time"),
            EndReason::Silent => write!(f, "it was silent for too long"),
            EndReason::Closed => write!(f, "it closed the connection"),
            EndReason::Network(why) => write!(f, "{why}"),
            EndReason::Poisoner => write!(f, "it sent data that do not match the torrent"),
            EndReason::NoUse => write!(f, "neither of us needs anything of the other"),
            EndReason::Private => write!(f, "the torrent is private, and no tracker named it"),
            EndReason::Replaced => write!(f, "its place was needed for another peer"),
            EndReason::Unreadable => write!(f, "our content cannot be read"),
            EndReason::Stopping => write!(f, "this client is leaving"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_says_why_in_a_line_of_its_own() {
        let reasons = [
            EndReason::NotBitTorrent,
            EndReason::Unencrypted,
            EndReason::Encryption("no keys"),
            EndReason::OtherForm(Box::new(EndReason::Closed)),
            EndReason::OtherKeys,
            EndReason::OtherWay(Box::new(EndReason::Closed)),
            EndReason::KeyFlood,
            EndReason::OtherTorrent,
            EndReason::TooEarly,
            EndReason::Ourselves,
            EndReason::Duplicate,
            EndReason::Malformed(Malformed {
                what: "the data ends too soon",
                at: 3,
            }),
            EndReason::TooLong(4_294_967_295),
            EndReason::OutOfPlace(Kind::Handshake),
            EndReason::NotAgreed(Kind::HaveAll),
            EndReason::BadBitfield,
            EndReason::HoldingsFlood,
            EndReason::ExtendedFlood,
            EndReason::BadMetadata,
            EndReason::NoSuchPiece(7),
            EndReason::BadRequest,
            EndReason::RequestFlood,
            EndReason::UnaskedBlocks,
            EndReason::NotReading,
            EndReason::ConnectTimeout,
            EndReason::HandshakeTimeout,
            EndReason::Silent,
            EndReason::Closed,
            EndReason::Network("connection refused".to_string()),
            EndReason::Poisoner,
            EndReason::NoUse,
            EndReason::Private,
            EndReason::Replaced,
            EndReason::Unreadable,
            EndReason::Stopping,
        ];
        let lines: BTreeSet<String> = reasons.iter().map(EndReason::to_string).collect();
        assert_eq!(lines.len(), reasons.len());
        assert!(
            lines
                .iter()
                .all(|line| !line.is_empty() && !line.contains(char::is_control))
        );
        // What it did is named where that tells more.
        for (reason, word) in [
            (EndReason::TooLong(4_294_967_295), "4294967295"),
            (EndReason::OutOfPlace(Kind::Handshake), "handshake"),
            (EndReason::NotAgreed(Kind::HaveAll), "have all"),
            (EndReason::NoSuchPiece(7), "piece 7"),
            (
                EndReason::Network("connection refused".to_string()),
                "refused",
            ),
        ] {
            assert!(reason.to_string().contains(word), "{reason}");
        }
    }
}
