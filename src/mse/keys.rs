//! What both ends calculate of the secret that they share and of the torrent's name.

use sha1::{Digest as _, Sha1};

use super::number::{self, EXPONENT, LEN};
use super::rc4::Rc4;
use crate::base::{InfoHash, Rng};

/// Bytes of a public key.
pub const KEY: usize = LEN;
/// Bytes of a hash.
pub const HASH: usize = 20;
/// Eight zero bytes: whoever can read them has the right keys.
pub const CONSTANT: [u8; 8] = [0; 8];

/// What one end keeps to itself until the other end's key has come.
#[derive(Debug)]
pub struct Private([u8; EXPONENT]);

/// What both ends know and nobody else.
#[derive(Clone, Debug)]
pub struct Secret([u8; KEY]);

impl Private {
    /// Any.
    pub fn new(rng: &mut Rng) -> Private {
        let mut bytes = [0; EXPONENT];
        fill(&mut bytes, rng);
        Private(bytes)
    }

    /// What the other end is told.
    pub fn public(&self) -> [u8; KEY] {
        number::power_of_base(&self.0)
    }

    /// What both know once this key of the other end has come; `None`: it is no honest one.
    pub fn secret(&self, theirs: &[u8; KEY]) -> Option<Secret> {
        number::power(theirs, &self.0).map(Secret)
    }
}

impl Secret {
    /// Whether its first byte is 0.
    pub fn begins_with_zero(&self) -> bool {
        self.0.starts_with(&[0])
    }

    /// `HASH('req1', S)`: where it stands the padding of the end that dialed is over.
    pub fn mark(&self) -> [u8; HASH] {
        hash(&[b"req1", &self.0])
    }

    /// `HASH('req2', SKEY) xor HASH('req3', S)`, from one of the two into the other.
    pub fn hide(&self, torrent: [u8; HASH]) -> [u8; HASH] {
        let mut hidden = hash(&[b"req3", &self.0]);
        for (byte, mask) in hidden.iter_mut().zip(torrent) {
            *byte ^= mask;
        }
        hidden
    }

    /// The cipher of what the end that dialed sends, and that of the other direction.
    pub fn ciphers(&self, torrent: InfoHash) -> (Rc4, Rc4) {
        let key = |name: &[u8]| Rc4::new(&hash(&[name, &self.0, &torrent.0]));
        (key(b"keyA"), key(b"keyB"))
    }
}

/// `HASH('req2', SKEY)`: by this the end that is dialed finds the torrent, whose info hash is SKEY.
pub fn torrent_hash(torrent: InfoHash) -> [u8; HASH] {
    hash(&[b"req2", &torrent.0])
}

/// Random bytes: hashes of what the generator gives. Of its numbers as they are, in a padding that
/// all can read, our next keys could be calculated.
pub fn fill(bytes: &mut [u8], rng: &mut Rng) {
    for part in bytes.chunks_mut(HASH) {
        let random: [[u8; 8]; 3] = std::array::from_fn(|_| rng.bits64().to_le_bytes());
        part.copy_from_slice(&hash(&[random.as_flattened()])[..part.len()]);
    }
}

fn hash(parts: &[&[u8]]) -> [u8; HASH] {
    let mut sha1 = Sha1::new();
    parts.iter().for_each(|part| sha1.update(part));
    sha1.finalize().into()
}
