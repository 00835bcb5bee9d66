//! What the handshakes of both ends have in common: how they end, and padding.

use super::keys;
use super::rc4::Rc4;
use crate::base::{Rng, limits};

/// Why an encrypted handshake fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The other end's key is no honest one.
    Key,
    /// What must follow the padding of the end that dialed does not come.
    Mark,
    /// It is about a torrent that is not known here.
    Torrent,
    /// The bytes that prove the keys do not come.
    Constant,
    /// The other end offers or selects no payload method that may be used.
    Method,
    /// It announces more padding than there may be.
    Padding,
}

/// What both ends have agreed on.
#[derive(Debug)]
pub struct Established {
    /// Opens what comes, from the next byte on.
    pub incoming: Rc4,
    /// Seals what is sent, from the next byte on.
    pub outgoing: Rc4,
    /// The payload goes through these. If not, only the first bytes do.
    pub encrypted: bool,
    /// How many of the bytes that come next are opened in any case.
    pub initial: usize,
}

/// Padding of a random length, random bytes.
pub fn pad(rng: &mut Rng, out: &mut Vec<u8>) {
    let (start, bytes) = (out.len(), rng.below(limits::MSE_PADDING as u64 + 1));
    out.resize(start + bytes as usize, 0);
    keys::fill(&mut out[start..], rng);
}

/// Padding of a random length, behind that length; it is encrypted, so that zeros do.
pub fn counted_pad(rng: &mut Rng, out: &mut Vec<u8>) {
    let bytes = rng.below(limits::MSE_PADDING as u64 + 1) as u16;
    out.extend_from_slice(&bytes.to_be_bytes());
    out.resize(out.len() + usize::from(bytes), 0);
}

/// The length of a padding, if it may be so long.
pub fn padding(bytes: u16) -> Result<usize, Refused> {
    let bytes = usize::from(bytes);
    let fits = bytes <= limits::MSE_PADDING;
    fits.then_some(bytes).ok_or(Refused::Padding)
}

/// Where these bytes stand, with no more than the longest padding in front of them.
pub fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let most = bytes.len().min(limits::MSE_PADDING + mark.len());
    bytes
        .get(..most)?
        .windows(mark.len())
        .position(|part| part == mark)
}
