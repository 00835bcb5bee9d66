//! What sockets other than those of peers tell.

use std::net::SocketAddr;

use super::relay;
use crate::tracker::Input;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// Something that trackers wait for.
    Tracker(Input<'a>),
    /// A datagram came from this address.
    Datagram(SocketAddr, &'a [u8]),
    /// The same to a group of the local network.
    Search(SocketAddr, &'a [u8]),
}

impl<'a> Heard<'a> {
    /// What came of datagrams through a proxy.
    pub fn of(heard: relay::Heard<'a>) -> Heard<'a> {
        match heard {
            relay::Heard::Datagram(from, bytes) => Heard::Datagram(from, bytes),
            relay::Heard::Refused(to, why) => Heard::Tracker(Input::Undeliverable { to, why }),
        }
    }

    /// The same where trackers are all that there is to hear of.
    pub fn input(self) -> Input<'a> {
        match self {
            Heard::Tracker(input) => input,
            Heard::Datagram(from, bytes) | Heard::Search(from, bytes) => {
                Input::Datagram { from, bytes }
            }
        }
    }
}

/// Where that goes.
pub type Hear<'a> = &'a mut dyn FnMut(Heard<'_>);
