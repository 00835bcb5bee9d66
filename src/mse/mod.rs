//! Rank 3: Message Stream Encryption (MSE, also called PE): a handshake below BitTorrent's own that
//! hides it from whoever sorts connections by their first bytes, and a cipher for what follows. It
//! is obfuscation and no secrecy: neither end proves who it is, the key exchange is short, and RC4
//! is broken. Pure: bytes come in and go out, randomness is an argument.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod setting;

mod number;
pub mod rc4;

pub mod keys;

pub mod agreement;

pub mod acceptor;
pub mod initiator;

pub mod shield;

pub use agreement::Refused;
pub use keys::torrent_hash;
pub use rc4::Rc4;
pub use setting::{Encryption, Form};
pub use shield::Shield;
