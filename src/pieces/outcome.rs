//! What the piece table says: where a piece stands, what became of a block, how an attempt at a
//! piece ended.

use std::net::SocketAddr;

/// Where a piece stands. Each is in exactly one state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Wanted, and nothing of it is asked or received.
    Missing,
    /// Begun: some of it is asked, received, or being verified.
    Partial,
    /// Verified.
    Verified,
    /// Not wanted and not verified.
    Skipped,
}

/// What became of a block that came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// New: it is to be written to disk, and then reported to [`super::Pieces::written`].
    Fresh,
    /// A duplicate, or a block of a piece that is not partial, or that this peer may not send.
    Unwanted,
}

/// The end of one attempt at a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Its index.
    pub piece: u32,
    /// Whether its SHA-1 matched: it is now Verified. Otherwise it is Missing again.
    pub ok: bool,
    /// The peers now known to have sent bad bytes for this piece, one address for each host: to be
    /// banned.
    pub guilty: Vec<SocketAddr>,
}
