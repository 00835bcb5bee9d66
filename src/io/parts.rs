//! What a loop is made of.

use mio::Poll;

use super::clock::Clock;
use super::disk::Store;
use super::folder::Unattended;
use super::net::{Listeners, Outreach, Route};
use super::nodes::Nodes;
use super::pending::Pending;
use crate::session::Session;

/// What a reactor is made of.
pub struct Parts {
    /// The poll that everything is registered with.
    pub poll: Poll,
    /// The machine that decides.
    pub session: Session,
    /// Torrents that were to be run and could not be opened.
    pub unopened: usize,
    /// What serves a folder of torrents: the loop ends with a signal.
    pub unattended: Option<Unattended>,
    /// The files of all torrents.
    pub store: Store,
    /// Sockets for trackers, the DHT and the local network, and look-ups of names.
    pub outreach: Outreach,
    /// Nodes of the DHT to begin with.
    pub nodes: Nodes,
    /// Torrents of which only a link is known.
    pub pending: Pending,
    /// The clock that the session was started with.
    pub clock: Clock,
    /// The sockets that peers dial.
    pub listeners: Listeners,
    /// The way of all connections.
    pub route: Route,
}
