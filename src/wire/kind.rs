//! The names of the messages, in the order in which the BEPs number them.

use std::fmt;

/// The kind of a message, without its content. The handshake is one, so that one table says what
/// may come when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // `Message` says what each of them means.
pub enum Kind {
    Handshake,
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have,
    Bitfield,
    Request,
    Piece,
    Cancel,
    Port,
    Suggest,
    HaveAll,
    HaveNone,
    Reject,
    AllowedFast,
    Extended,
    Unknown,
}

impl Kind {
    /// Whether it is about pieces, so that it cannot be checked before their number is known.
    pub fn is_about_pieces(self) -> bool {
        matches!(
            self,
            Kind::Have
                | Kind::Bitfield
                | Kind::HaveAll
                | Kind::HaveNone
                | Kind::AllowedFast
                | Kind::Suggest
                | Kind::Request
                | Kind::Cancel
                | Kind::Piece
                | Kind::Reject
        )
    }

    /// All of them, in the order in which the BEPs number them.
    pub const ALL: [Kind; 19] = [
        Kind::Handshake,
        Kind::KeepAlive,
        Kind::Choke,
        Kind::Unchoke,
        Kind::Interested,
        Kind::NotInterested,
        Kind::Have,
        Kind::Bitfield,
        Kind::Request,
        Kind::Piece,
        Kind::Cancel,
        Kind::Port,
        Kind::Suggest,
        Kind::HaveAll,
        Kind::HaveNone,
        Kind::Reject,
        Kind::AllowedFast,
        Kind::Extended,
        Kind::Unknown,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Handshake => "handshake",
            Kind::KeepAlive => "keep-alive",
            Kind::Choke => "choke",
            Kind::Unchoke => "unchoke",
            Kind::Interested => "interested",
            Kind::NotInterested => "not interested",
            Kind::Have => "have",
            Kind::Bitfield => "bitfield",
            Kind::Request => "request",
            Kind::Piece => "piece",
            Kind::Cancel => "cancel",
            Kind::Port => "port",
            Kind::Suggest => "suggest piece",
            Kind::HaveAll => "have all",
            Kind::HaveNone => "have none",
            Kind::Reject => "reject request",
            Kind::AllowedFast => "allowed fast",
            Kind::Extended => "extended",
            Kind::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> =
            Kind::ALL.iter().map(Kind::to_string).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
