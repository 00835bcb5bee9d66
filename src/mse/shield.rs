//! What stands between a connection's bytes and its machine: the encrypted handshake first, then
//! the ciphers of both directions, if the ends have agreed on RC4. It owns no buffer: what was read
//! is opened where it lies, and what is to be sent is sealed where it was put together.

use super::acceptor::Acceptor;
use super::agreement::{Established, Refused};
use super::initiator::Initiator;
use super::keys::HASH;
use super::rc4::Rc4;
use super::setting::Encryption;
use crate::base::{InfoHash, Rng};

/// What the end that feeds a shield knows.
pub struct Terms<'a> {
    /// What the user wants.
    pub setting: Encryption,
    /// The torrent of this [`torrent_hash`](super::torrent_hash).
    pub torrent: &'a mut dyn FnMut(&[u8; HASH]) -> Option<InfoHash>,
    /// The first bytes that our machine has to say.
    pub initial: &'a [u8],
    /// Makes keys and padding.
    pub rng: &'a mut Rng,
}

/// What came of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// So many of them belonged to the handshake; what follows is opened.
    pub taken: usize,
    /// [`Terms::initial`] is on its way: the machine has said it.
    pub said: bool,
}

/// The shield of one connection.
#[derive(Debug)]
pub struct Shield {
    /// What is to be sent of the handshake, as it is.
    out: Vec<u8>,
    /// What came of it, and cannot be taken before more comes.
    kept: Vec<u8>,
    /// [`Terms::initial`] stands in [`Shield::out`].
    carries: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// We dial for this torrent with this offer, and the connection is not up.
    Dials(InfoHash, u32),
    Asks(Initiator),
    Answers(Acceptor),
    Through {
        /// Opens so many bytes that come, if they are to be opened.
        incoming: Option<(Rc4, u64)>,
        outgoing: Option<Rc4>,
    },
}

impl Shield {
    /// For a connection that we begin, for this torrent.
    pub fn dial(torrent: InfoHash, offer: u32) -> Shield {
        Shield::new(State::Dials(torrent, offer))
    }

    /// For a connection that a peer began.
    pub fn accept() -> Shield {
        Shield::new(State::Answers(Acceptor::default()))
    }

    fn new(state: State) -> Shield {
        Shield {
            out: Vec::new(),
            kept: Vec::new(),
            carries: false,
            state,
        }
    }

    /// The connection that we began is up.
    pub fn begin(&mut self, rng: &mut Rng) {
        if let State::Dials(torrent, offer) = self.state {
            let initiator = Initiator::new(torrent, offer, rng, &mut self.out);
            self.state = State::Asks(initiator);
        }
    }

    /// Whether both ends have not agreed yet: our machine neither hears nor says anything.
    pub fn is_shaking_hands(&self) -> bool {
        !matches!(self.state, State::Through { .. })
    }

    /// Whether it is not known whether the other end speaks MSE at all: its key has not come.
    pub fn awaits_key(&self) -> bool {
        match &self.state {
            State::Dials(..) => true,
            State::Asks(initiator) => initiator.awaits_key(),
            State::Answers(acceptor) => acceptor.awaits_key(),
            State::Through { .. } => false,
        }
    }

    /// Whether what is to be sent as it is ends with [`Terms::initial`].
    pub fn carries_initial(&self) -> bool {
        self.carries
    }

    /// Whether an end that we dialed may have calculated other keys than we have, by an error that
    /// other keys avoid.
    pub fn is_misread(&self) -> bool {
        matches!(&self.state, State::Asks(initiator) if initiator.is_misread())
    }

    /// Whether the payload is encrypted.
    pub fn is_sealing(&self) -> bool {
        matches!(
            &self.state,
            State::Through {
                outgoing: Some(_),
                ..
            }
        )
    }

    /// What came of the handshake and belongs in front of what is read next.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// What is to be sent as it is, before anything that our machine says.
    pub fn out(&self) -> &[u8] {
        &self.out
    }

    /// Opens what was read, in place: [`Shield::kept`], while both ends have not agreed yet, then
    /// what is new. Bytes of a frame that our machine has kept are not to be opened again.
    ///
    /// # Errors
    /// The handshake fails.
    pub fn open(&mut self, bytes: &mut [u8], terms: Terms<'_>) -> Result<Opened, Refused> {
        let awaited = self.awaits_key();
        let (taken, both) = match &mut self.state {
            State::Dials(..) => return Ok(Opened::default()),
            State::Through { incoming, .. } => {
                let over = incoming.as_mut().is_some_and(|(cipher, left)| {
                    let part = (bytes.len() as u64).min(*left);
                    cipher.apply(&mut bytes[..part as usize]);
                    *left -= part;
                    *left == 0
                });
                if over {
                    *incoming = None;
                }
                return Ok(Opened::default());
            }
            State::Asks(asks) => asks.feed(bytes, terms.initial, terms.rng, &mut self.out)?,
            State::Answers(answers) => answers.feed(
                bytes,
                terms.setting,
                terms.torrent,
                terms.rng,
                &mut self.out,
            )?,
        };
        // An end that dialed says it as soon as the other end's key has come.
        let asks = matches!(self.state, State::Asks(_));
        let mut opened = Opened {
            taken,
            said: asks && awaited && !self.awaits_key(),
        };
        self.carries |= opened.said;
        self.kept.clear();
        let Some(both) = both else {
            self.kept.extend_from_slice(&bytes[taken..]);
            opened.taken = bytes.len();
            return Ok(opened);
        };
        let Established {
            incoming,
            outgoing,
            encrypted,
            initial,
        } = both;
        let left = if encrypted { u64::MAX } else { initial as u64 };
        self.kept = Vec::new();
        self.state = State::Through {
            incoming: (left > 0).then_some((incoming, left)),
            outgoing: encrypted.then_some(outgoing),
        };
        self.open(&mut bytes[taken..], terms)?;
        Ok(opened)
    }

    /// Seals bytes of which the first are [`Shield::out`], and the others what our machine says: in
    /// place, with a copy of the cipher, since the socket may take less. The copy comes back: it is
    /// the cipher for what follows if all of them go.
    pub fn seal(&self, bytes: &mut [u8]) -> Option<Rc4> {
        let State::Through { outgoing, .. } = &self.state else {
            return None;
        };
        let mut copy = outgoing.clone()?;
        if let Some(said) = bytes.get_mut(self.out.len()..) {
            copy.apply(said);
        }
        Some(copy)
    }

    /// So many bytes were sent: how many of them our machine said. `after`: the cipher for what
    /// follows, if [`Shield::seal`] has given it for these very bytes.
    pub fn transmitted(&mut self, bytes: usize, after: Option<Rc4>) -> usize {
        let own = bytes.min(self.out.len());
        if own == self.out.len() {
            (self.out, self.carries) = (Vec::new(), false);
        } else {
            self.out.drain(..own);
        }
        let said = bytes - own;
        if let State::Through {
            outgoing: Some(outgoing),
            ..
        } = &mut self.state
        {
            match after {
                Some(after) => *outgoing = after,
                None => outgoing.skip(said),
            }
        }
        said
    }
}

#[cfg(test)]
mod tests;
