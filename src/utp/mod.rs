//! Rank 3: uTP (BEP 29), a stream of bytes over datagrams that gives way to everything else on the
//! line: it sends less as soon as its packets have to queue. [`Utp`] holds all connections.
//! Datagrams go in by [`Utp::receive`], time by [`Utp::handle_timeout`]; datagrams to be sent come
//! out of [`Utp::transmit`], and what happened to connections as [`Event`]s. Their streams are read
//! by [`Utp::read`] and written by [`Utp::write`].

mod number;

mod cookie;
mod delay;
mod mtu;
mod resend;

mod congestion;

mod receiving;
mod sending;

mod connection;
mod departing;

mod strays;
#[allow(clippy::module_inception)]
mod utp;

pub use connection::{Gone, Reason};
pub use departing::{Datagrams, Fragments};
pub use utp::{Event, Key, Read, Utp};
