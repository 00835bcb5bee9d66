//! The end that is dialed; the steps are those of [`initiator`](super::initiator).

use super::agreement::{Established, Refused, counted_pad, find, pad, padding};
use super::keys::{CONSTANT, HASH, KEY, Private, Secret};
use super::rc4::Rc4;
use super::setting::{Encryption, RC4};
use crate::base::{InfoHash, Rng, limits};

/// Bytes of the zeros, the offer and the length of the padding behind it.
const OFFER: usize = CONSTANT.len() + 6;
/// Bytes of a length.
const LENGTH: usize = 2;
/// Keys that are tried so that the secret does not begin with a zero byte. One in 256 does, so that
/// the third try fails once in 16 million.
const TRIES: usize = 3;

/// What this end waits for, at first for the other end's key.
#[derive(Debug, Default)]
pub struct Acceptor(Stage);

#[derive(Debug, Default)]
enum Stage {
    /// The other end's key.
    #[default]
    Key,
    /// The hash behind its padding, which looks like this.
    Mark([u8; HASH], Secret),
    Torrent(Secret),
    /// The offer. The ciphers of both directions, the other end's first.
    Offer(Rc4, Rc4),
    /// So many bytes of padding, behind an offer from which this was selected.
    Padding(usize, u32, Rc4, Rc4),
    /// How many bytes of the payload stand in the handshake.
    Initial(u32, Rc4, Rc4),
}

impl Acceptor {
    /// Takes what has come off `bytes`: how much that was, and what both ends have agreed on once
    /// they have. `torrent` says which torrent has this [`torrent_hash`](super::torrent_hash).
    ///
    /// # Errors
    /// What came is wrong, or the setting takes none of what is offered.
    pub fn feed(
        &mut self,
        bytes: &mut [u8],
        setting: Encryption,
        torrent: &mut dyn FnMut(&[u8; HASH]) -> Option<InfoHash>,
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<Established>), Refused> {
        let mut taken = 0;
        loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            match &mut self.0 {
                Stage::Key => {
                    let Some(theirs) = rest.first_chunk::<KEY>() else {
                        return Ok((taken, None));
                    };
                    let (private, secret) = answer(theirs, rng).ok_or(Refused::Key)?;
                    out.extend_from_slice(&private.public());
                    pad(rng, out);
                    self.0 = Stage::Mark(secret.mark(), secret);
                    taken += KEY;
                }
                Stage::Mark(mark, secret) => {
                    let Some(at) = find(rest, mark) else {
                        let over = rest.len() >= limits::MSE_PADDING + HASH;
                        return if over {
                            Err(Refused::Mark)
                        } else {
                            Ok((taken, None))
                        };
                    };
                    taken += at + HASH;
                    self.0 = Stage::Torrent(secret.clone());
                }
                Stage::Torrent(secret) => {
                    let Some(&hidden) = rest.first_chunk::<HASH>() else {
                        return Ok((taken, None));
                    };
                    let named = torrent(&secret.hide(hidden)).ok_or(Refused::Torrent)?;
                    let (theirs, ours) = secret.ciphers(named);
                    self.0 = Stage::Offer(theirs, ours);
                    taken += HASH;
                }
                Stage::Offer(theirs, ours) => {
                    let Some(told) = rest.first_chunk_mut::<OFFER>() else {
                        return Ok((taken, None));
                    };
                    theirs.apply(told);
                    let [constant @ .., a, b, c, d, e, f] = *told;
                    if constant != CONSTANT {
                        return Err(Refused::Constant);
                    }
                    let method = setting.select(u32::from_be_bytes([a, b, c, d]));
                    let method = method.ok_or(Refused::Method)?;
                    let padding = padding(u16::from_be_bytes([e, f]))?;
                    self.0 = Stage::Padding(padding, method, theirs.clone(), ours.clone());
                    taken += OFFER;
                }
                Stage::Padding(left, method, theirs, ours) => {
                    let part = rest.len().min(*left);
                    theirs.skip(part);
                    *left -= part;
                    taken += part;
                    if *left > 0 {
                        return Ok((taken, None));
                    }
                    self.0 = Stage::Initial(*method, theirs.clone(), ours.clone());
                }
                Stage::Initial(method, theirs, ours) => {
                    let Some(told) = rest.first_chunk_mut::<LENGTH>() else {
                        return Ok((taken, None));
                    };
                    theirs.apply(told);
                    let sealed = out.len();
                    out.extend_from_slice(&CONSTANT);
                    out.extend_from_slice(&method.to_be_bytes());
                    counted_pad(rng, out);
                    ours.apply(&mut out[sealed..]);
                    let both = Established {
                        incoming: theirs.clone(),
                        outgoing: ours.clone(),
                        encrypted: *method == RC4,
                        initial: usize::from(u16::from_be_bytes(*told)),
                    };
                    return Ok((taken + LENGTH, Some(both)));
                }
            }
        }
    }

    /// Whether the other end's key has not come.
    pub fn awaits_key(&self) -> bool {
        matches!(self.0, Stage::Key)
    }
}

/// A key for this one of the other end, and what both know then. rtorrent leaves out the zero bytes
/// that a secret begins with, and so calculates another hash; this end can choose otherwise.
fn answer(theirs: &[u8; KEY], rng: &mut Rng) -> Option<(Private, Secret)> {
    let mut made = || {
        let private = Private::new(rng);
        let secret = private.secret(theirs)?;
        Some((private, secret))
    };
    let mut chosen = made()?;
    for _ in 1..TRIES {
        if chosen.1.begins_with_zero() {
            chosen = made()?;
        }
    }
    Some(chosen)
}
