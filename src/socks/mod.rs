//! Rank 3: SOCKS5 (RFC 1928) from a client's side, with a user and a password (RFC 1929): what goes
//! to a proxy before a connection through it can be used, and around each datagram. The proxy looks
//! names up. Pure: bytes come in and go out.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

pub mod place;

pub mod datagram;
pub mod greeting;

pub use greeting::{Greeting, Login, Request};
pub use place::Place;
