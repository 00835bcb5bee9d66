//! The end that dialed:
//!
//! 1. it sends its public key and padding of any length up to 512 bytes;
//! 2. the other end sends the same;
//! 3. it sends a hash by which the other end finds the end of the padding, one that names the
//!    torrent, and encrypted: eight zero bytes, the payload methods that it offers, padding, and
//!    the first bytes of the payload, which are its BitTorrent handshake;
//! 4. the other end sends, encrypted: eight zero bytes, the method that it has selected, padding.
//!    The zero bytes are found behind the padding of step 2, whose length nobody tells.

use super::agreement::{Established, Refused, counted_pad, find, pad, padding};
use super::keys::{self, CONSTANT, KEY, Private, Secret};
use super::rc4::Rc4;
use super::setting::{PLAIN, RC4};
use crate::base::{InfoHash, Rng, limits};

/// Bytes of the method and of the length of the padding behind it.
const SELECTION: usize = 6;

/// What this end waits for.
#[derive(Debug)]
pub struct Initiator {
    torrent: InfoHash,
    offer: u32,
    misread: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The other end's key.
    Key(Private),
    /// The zero bytes, which look like this. The ciphers of both directions, this end's first.
    Constant([u8; CONSTANT.len()], Rc4, Rc4),
    Selection(Rc4, Rc4),
    /// So many bytes of padding, after which this holds.
    Padding(usize, Option<Established>),
}

impl Initiator {
    /// Begins for this torrent, with these payload methods offered.
    pub fn new(torrent: InfoHash, offer: u32, rng: &mut Rng, out: &mut Vec<u8>) -> Initiator {
        let private = Private::new(rng);
        out.extend_from_slice(&private.public());
        pad(rng, out);
        Initiator {
            torrent,
            offer,
            misread: false,
            stage: Stage::Key(private),
        }
    }

    /// Takes what has come off `bytes`: how much that was, and what both ends have agreed on once
    /// they have. `initial`: the first bytes of the payload; they are sent in step 3.
    ///
    /// # Errors
    /// What came is wrong.
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        initial: &[u8],
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Established>), Refused> {
        let mut taken = 0;
        loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            match &mut self.stage {
                Stage::Key(private) => {
                    let Some(theirs) = rest.first_chunk::<KEY>() else {
                        return Ok((taken, None));
                    };
                    let secret = private.secret(theirs).ok_or(Refused::Key)?;
                    self.misread = secret.begins_with_zero();
                    self.stage = self.third(&secret, initial, rng, out);
                    taken += KEY;
                }
                Stage::Constant(constant, ours, theirs) => {
                    let Some(at) = find(rest, constant) else {
                        let over = rest.len() >= limits::MSE_PADDING + constant.len();
                        return if over {
                            Err(Refused::Constant)
                        } else {
                            Ok((taken, None))
                        };
                    };
                    taken += at + constant.len();
                    self.stage = Stage::Selection(ours.clone(), theirs.clone());
                }
                Stage::Selection(ours, theirs) => {
                    let Some(told) = rest.first_chunk_mut::<SELECTION>() else {
                        return Ok((taken, None));
                    };
                    theirs.apply(told);
                    let [a, b, c, d, e, f] = *told;
                    let method = u32::from_be_bytes([a, b, c, d]);
                    let padding = padding(u16::from_be_bytes([e, f]))?;
                    if ![PLAIN, RC4].contains(&method) || method & self.offer == 0 {
                        return Err(Refused::Method);
                    }
                    let both = Established {
                        incoming: theirs.clone(),
                        outgoing: ours.clone(),
                        encrypted: method == RC4,
                        initial: 0,
                    };
                    self.stage = Stage::Padding(padding, Some(both));
                    taken += SELECTION;
                }
                Stage::Padding(left, both) => {
                    let part = rest.len().min(*left);
                    if let Some(both) = both {
                        both.incoming.skip(part);
                    }
                    *left -= part;
                    let both = if *left == 0 { both.take() } else { None };
                    return Ok((taken + part, both));
                }
            }
        }
    }

    /// Sends the third message, and waits for the fourth.
    fn third(&self, secret: &Secret, initial: &[u8], rng: &mut Rng, out: &mut Vec<u8>) -> Stage {
        let (mut ours, mut theirs) = secret.ciphers(self.torrent);
        out.extend_from_slice(&secret.mark());
        out.extend_from_slice(&secret.hide(keys::torrent_hash(self.torrent)));
        let sealed = out.len();
        out.extend_from_slice(&CONSTANT);
        out.extend_from_slice(&self.offer.to_be_bytes());
        counted_pad(rng, out);
        out.extend_from_slice(&(initial.len() as u16).to_be_bytes());
        out.extend_from_slice(initial);
        ours.apply(&mut out[sealed..]);
        let mut constant = CONSTANT;
        theirs.apply(&mut constant);
        Stage::Constant(constant, ours, theirs)
    }

    /// Whether rtorrent calculates other keys: it leaves out zero bytes that a secret begins with.
    pub fn is_misread(&self) -> bool {
        self.misread
    }

    /// Whether the other end has sent nothing that it takes yet.
    pub fn awaits_key(&self) -> bool {
        matches!(self.stage, Stage::Key(_))
    }
}
