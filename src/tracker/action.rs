//! What the machine wants of the outside, and what it has heard, as values.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::base::TorrentKey;

/// Identifies a question, a name look-up or a connection that is under way, uniquely in the
/// process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Id {
    /// The torrent that asks.
    pub torrent: TorrentKey,
    /// Its own count.
    pub number: u32,
}

/// What happened outside, or that a question may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// A name was looked up.
    Resolved {
        /// That of the `Resolve`.
        id: Id,
        /// Its addresses, or why there are none.
        found: &'a Result<Vec<IpAddr>, String>,
    },
    /// A connection is up.
    Connected {
        /// That of the `Connect`.
        id: Id,
    },
    /// Bytes came over a connection. Those of one that was aborted are ignored.
    Bytes {
        /// That of the `Connect`.
        id: Id,
        /// What came.
        bytes: &'a [u8],
    },
    /// A connection could not be made, or has ended. It need not be aborted any more.
    Closed {
        /// That of the `Connect`.
        id: Id,
        /// In order, or why.
        how: &'a Result<(), String>,
    },
    /// A datagram came.
    Datagram {
        /// Where it came from.
        from: SocketAddr,
        /// Its content.
        bytes: &'a [u8],
    },
    /// Datagrams to this address cannot be sent, or are refused there.
    Undeliverable {
        /// Where they went.
        to: SocketAddr,
        /// Why, in a few words.
        why: &'a str,
    },
    /// We talk to trackers from this local address: a peer at this address and our port is this
    /// client itself.
    Seen {
        /// The address.
        at: IpAddr,
    },
    /// This question may be sent now. From [`Shared::next_admitted`](super::Shared::next_admitted).
    Admitted {
        /// The question.
        id: Id,
    },
    /// The tracker was silent to the one that asked for a connection id, for which this question
    /// waited. From [`Shared::next_admitted`](super::Shared::next_admitted).
    Unanswered {
        /// The question.
        id: Id,
    },
    /// Fewer torrents ask the tracker for which this one waited. From
    /// [`Shared::next_admitted`](super::Shared::next_admitted).
    MayAsk {
        /// The torrent.
        torrent: TorrentKey,
    },
}

/// What the outside must do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Look up a host name; the answer is an [`Input::Resolved`].
    Resolve {
        /// To be given back with the answer.
        id: Id,
        /// The name.
        host: String,
        /// The port that will be asked there.
        port: u16,
    },
    /// Connect by TCP, or take a connection that was kept; send the request, hand back all that
    /// comes until the other end closes.
    Connect {
        /// To be given back with everything that happens to the connection.
        id: Id,
        /// Whom to connect to.
        addr: SocketAddr,
        /// The name that its certificate must have, where TLS is spoken.
        tls: Option<String>,
        /// What to send.
        request: Vec<u8>,
    },
    /// Close this connection, or stop making it. Nothing more is to be said of it.
    Abort {
        /// That of the `Connect`.
        id: Id,
    },
    /// The answer is whole. Keep the connection for the next request to the same address, unless
    /// the server has sent, or sends, more than the answer. Nothing more is to be said of it.
    Release {
        /// That of the `Connect`.
        id: Id,
        /// Bytes of the answer, its head and all that belongs to its body.
        length: u64,
    },
    /// Send a datagram from the client's port, and report it if it is refused there.
    Datagram {
        /// Whom to send it to.
        to: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
}

/// How a tracker answered, for the session and the user. A tracker that is reached over both
/// families answers twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// Its announce URL.
    pub url: String,
    /// Peers that it named, or why it failed.
    pub outcome: Result<Vec<SocketAddr>, String>,
    /// Its words for the user.
    pub warning: Option<String>,
    /// What else there was in its answer than these peers: other entries, counts.
    pub remark: Option<String>,
    /// How many take part, as far as it said.
    pub counts: Counts,
}

impl Response {
    /// A tracker failed.
    pub fn failed(url: String, why: String) -> Response {
        Response {
            url,
            outcome: Err(why),
            warning: None,
            remark: None,
            counts: Counts::default(),
        }
    }
}

/// How many take part in a swarm, as far as a tracker says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that have not.
    pub leechers: Option<u32>,
    /// Downloads that ever completed; known from a scrape only.
    pub completed: Option<u32>,
}

/// Actions on their way out, and responses on their way to the session.
#[derive(Debug)]
pub struct Outbox {
    torrent: TorrentKey,
    /// `None`: nothing. Most torrents say nothing for half an hour.
    waiting: Option<Box<Waiting>>,
    last: u32,
}

#[derive(Debug, Default)]
struct Waiting {
    actions: VecDeque<Action>,
    responses: VecDeque<Response>,
}

impl Outbox {
    /// That of a torrent.
    pub fn new(torrent: TorrentKey) -> Outbox {
        Outbox {
            torrent,
            waiting: None,
            last: 0,
        }
    }

    /// Whose it is.
    pub fn torrent(&self) -> TorrentKey {
        self.torrent
    }

    /// Asks for an action.
    pub fn push(&mut self, action: Action) {
        self.waiting
            .get_or_insert_default()
            .actions
            .push_back(action);
    }

    /// The oldest action.
    pub fn pop(&mut self) -> Option<Action> {
        let action = self.waiting.as_mut()?.actions.pop_front();
        self.tidy();
        action
    }

    /// A tracker has answered, or failed.
    pub fn respond(&mut self, response: Response) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.responses.push_back(response);
    }

    /// The oldest response.
    pub fn pop_response(&mut self) -> Option<Response> {
        let response = self.waiting.as_mut()?.responses.pop_front();
        self.tidy();
        response
    }

    /// Whether all actions and responses are out.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    fn tidy(&mut self) {
        let is_empty = |it: &mut Box<Waiting>| it.actions.is_empty() && it.responses.is_empty();
        self.waiting.take_if(is_empty);
    }

    /// An id that nothing under way has.
    pub fn new_id(&mut self) -> Id {
        self.last = self.last.wrapping_add(1);
        Id {
            torrent: self.torrent,
            number: self.last,
        }
    }
}
