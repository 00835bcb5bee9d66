//! Performs the actions of trackers' machines: name look-ups, HTTP exchanges over TCP, datagrams.
//! Beside that it sends and receives the datagrams of the DHT and of the local network, and looks
//! up names of peers and of nodes. The results come back as [`Heard`] and as addresses.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use mio::event::Event;
use mio::{Registry, Token, Waker};

use super::fetch::{Fetcher, Start, Step};
use super::neighbours::Neighbours;
use super::resolve::Resolver;
use super::udp::{self, Received, Udp};
use crate::base::{Duration, InfoHash, Reach, Time, limits, sooner};
use crate::tracker::{Action, Families, Id, Input};
use crate::utp::Datagrams;
use crate::wire::lsd::Search;

/// Sockets and look-ups for trackers, sockets for the local network, and look-ups for the peers
/// that a user names and for nodes of the DHT.
#[derive(Debug)]
pub struct Outreach {
    resolver: Resolver<Asker>,
    fetcher: Fetcher,
    udp: Udp,
    neighbours: Neighbours,
    /// There is a local network that was not there before.
    new_network: bool,
    /// Tokens of sockets that had more than a turn reads.
    unread: Vec<Token>,
    /// Addresses of peers whose names were looked up, and their torrents.
    peers: Vec<(Option<InfoHash>, SocketAddr)>,
    /// The same of nodes of the DHT.
    nodes: Vec<SocketAddr>,
    /// The same of web seeds.
    web_seeds: Vec<FoundWebSeed>,
    /// Nodes that are being looked up.
    unresolved: usize,
    buffer: Vec<u8>,
    /// Datagrams of peers to be sent.
    batch: Vec<u8>,
    held: Option<Held>,
}

/// Datagrams that the system had no room for.
#[derive(Debug)]
struct Held {
    datagrams: Datagrams,
    /// Bytes of the batch that are done with.
    done: usize,
    /// When they are tried again.
    again: Time,
}

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

/// The torrent of a web seed, its host, and the addresses of that or why there are none.
pub type FoundWebSeed = (InfoHash, String, Result<Vec<IpAddr>, String>);

/// Where that goes.
pub type Hear<'a> = &'a mut dyn FnMut(Heard<'_>);

/// Who names a host that may be a node of the DHT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NamedBy {
    /// The user, perhaps one in a local network.
    User,
    /// All clients.
    Usage,
    /// A torrent: it can wait.
    Torrent,
}

/// For what a name is looked up.
#[derive(Debug)]
enum Asker {
    Tracker(Id),
    Peer {
        of: Option<InfoHash>,
        host: String,
        port: u16,
    },
    Node {
        host: String,
        port: u16,
        by: NamedBy,
    },
    WebSeed {
        of: InfoHash,
        host: String,
    },
}

/// Answers of trackers that come within this time are taken in one turn where that delays nobody:
/// each time that the process wakes up costs more than to read an answer.
const TOGETHER: Duration = Duration::from_millis(2);
/// Reads of one socket in one turn.
const READS: usize = 16;

impl Outreach {
    /// Opens the UDP sockets on the client's port (0: any). `tokens` are those of its sockets and
    /// bound their number; `waker` is that of the poll loop, which then calls
    /// [`Outreach::on_woken`].
    ///
    /// # Errors
    /// The port is taken, or cannot be used.
    pub fn new(
        registry: &Registry,
        tokens: Range<usize>,
        port: u16,
        bind: Option<IpAddr>,
        families: Families,
        waker: Arc<Waker>,
    ) -> io::Result<Outreach> {
        let neighbours = tokens.start + Udp::TOKENS;
        let streams = neighbours + Neighbours::TOKENS..tokens.end;
        Ok(Outreach {
            resolver: Resolver::new(waker),
            fetcher: Fetcher::new(streams, bind),
            udp: Udp::open(port, bind, families, tokens.start, registry)?,
            neighbours: Neighbours::new(bind, families, neighbours),
            new_network: false,
            unread: Vec::new(),
            peers: Vec::new(),
            nodes: Vec::new(),
            web_seeds: Vec::new(),
            unresolved: 0,
            buffer: vec![0; limits::DATAGRAMS_AT_ONCE * limits::DATAGRAMS_BYTES],
            batch: Vec::new(),
            held: None,
        })
    }

    /// Does what the machine asks for.
    pub fn perform(&mut self, action: Action, registry: &Registry, now: Time, hear: Hear<'_>) {
        match action {
            Action::Resolve { id, host, .. } => {
                self.resolver.look_up(Asker::Tracker(id), host, now);
            }
            Action::Connect { id, addr, request } => {
                match self.fetcher.start(id, addr, request, registry, now) {
                    Ok(Start::Connecting) => {}
                    Ok(Start::Connected(at)) => {
                        hear(Heard::Tracker(Input::Seen { at }));
                        hear(Heard::Tracker(Input::Connected { id }));
                    }
                    Err(why) => hear(Heard::Tracker(Input::Closed { id, how: &Err(why) })),
                }
            }
            Action::Abort { id } => self.fetcher.abort(id, registry),
            Action::Release { id, length } => self.fetcher.release(id, length, registry, now),
            Action::Datagram { to, bytes } => match self.udp.ask(to, &bytes, registry, now) {
                Ok(local) => local
                    .into_iter()
                    .for_each(|at| hear(Heard::Tracker(Input::Seen { at }))),
                Err(error) => {
                    let why = &udp::plain(&error);
                    hear(Heard::Tracker(Input::Undeliverable { to, why }));
                }
            },
        }
    }

    /// A socket is ready.
    pub fn on_event(&mut self, event: &Event, registry: &Registry, now: Time, hear: Hear<'_>) {
        let hear_search = &mut |from, bytes: &[u8]| hear(Heard::Search(from, bytes));
        if self
            .neighbours
            .receive(event.token(), registry, now, hear_search)
        {
            return;
        }
        let goes_on = !event.is_read_closed() && !event.is_error();
        self.read(event.token(), goes_on, registry, hear);
    }

    /// The loop was woken: names may have been found.
    pub fn on_woken(&mut self, now: Time, hear: Hear<'_>) {
        while let Some((asker, found)) = self.resolver.next_found(now) {
            self.unresolved -= usize::from(matches!(asker, Asker::Node { .. }));
            match (asker, found) {
                (Asker::Tracker(id), found) => {
                    let found = &found;
                    hear(Heard::Tracker(Input::Resolved { id, found }));
                }
                (Asker::WebSeed { of, host }, found) => self.web_seeds.push((of, host, found)),
                (Asker::Peer { of, port, .. }, Ok(ips)) => {
                    let addrs = ips.into_iter().map(|ip| (of, SocketAddr::new(ip, port)));
                    self.peers.extend(addrs);
                }
                (Asker::Node { host, port, by }, Ok(ips)) => {
                    let ips = ips.into_iter().filter(|ip| may_be_node(&host, by, *ip));
                    self.nodes.extend(ips.map(|ip| SocketAddr::new(ip, port)));
                }
                // There may be no network, or the name is unknown: other hosts are asked, too.
                (Asker::Node { host, .. }, Err(why)) => log::info!("DHT node {host}: {why}"),
                (Asker::Peer { host, .. }, Err(why)) => log::warn!("peer {host}: {why}"),
            }
        }
    }

    /// Looks up a peer of this torrent (none: perhaps of all) that the user named; see
    /// [`Outreach::take_peers`].
    pub fn look_up_peer(&mut self, of: Option<InfoHash>, host: String, port: u16, now: Time) {
        let asker = Asker::Peer {
            of,
            host: host.clone(),
            port,
        };
        if of.is_some() {
            self.resolver.look_up_later(asker, host, now);
        } else {
            self.resolver.look_up(asker, host, now);
        }
    }

    /// Addresses of the user's peers found since the last call, each with its torrent.
    pub fn take_peers(&mut self) -> Vec<(Option<InfoHash>, SocketAddr)> {
        std::mem::take(&mut self.peers)
    }

    /// Looks up the host of a web seed of this torrent; see [`Outreach::take_web_seeds`].
    pub fn look_up_web_seed(&mut self, of: InfoHash, host: String, now: Time) {
        let asker = Asker::WebSeed {
            of,
            host: host.clone(),
        };
        self.resolver.look_up_later(asker, host, now);
    }

    /// What was found of web seeds since the last call.
    pub fn take_web_seeds(&mut self) -> Vec<FoundWebSeed> {
        std::mem::take(&mut self.web_seeds)
    }

    /// Looks up a host that may be a node of the DHT; see [`Outreach::take_nodes`].
    pub fn look_up_node(&mut self, host: String, port: u16, by: NamedBy, now: Time) {
        self.unresolved += 1;
        let asker = Asker::Node {
            host: host.clone(),
            port,
            by,
        };
        if by == NamedBy::Torrent {
            self.resolver.look_up_later(asker, host, now);
        } else {
            self.resolver.look_up(asker, host, now);
        }
    }

    /// Whether nodes are being looked up.
    pub fn is_looking(&self) -> bool {
        self.unresolved > 0
    }

    /// Addresses of nodes found since the last call.
    pub fn take_nodes(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.nodes)
    }

    /// Sends a datagram, or loses it: nothing is lost that is not sent again.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let _ = self.udp.send(to, bytes);
    }

    /// What [`Outreach::send_batch`] sends, to be filled.
    pub fn batch(&mut self) -> &mut Vec<u8> {
        &mut self.batch
    }

    /// Sends the datagrams of the batch. What the system has no room for is held.
    ///
    /// # Errors
    /// They cannot be sent uncut.
    pub fn send_batch(&mut self, datagrams: Datagrams, now: Time) -> io::Result<()> {
        self.go_on_sending(datagrams, 0, now)
    }

    /// Sends what is held, if it is time. Returns whether nothing is left of it.
    pub fn send_held(&mut self, now: Time) -> bool {
        match self.held.take() {
            Some(held) if held.again <= now => {
                // What cannot be sent uncut was not held.
                let _ = self.go_on_sending(held.datagrams, held.done, now);
            }
            held => self.held = held,
        }
        self.held.is_none()
    }

    fn go_on_sending(&mut self, datagrams: Datagrams, from: usize, now: Time) -> io::Result<()> {
        let done = from + self.udp.send_batch(datagrams, &self.batch[from..])?;
        self.held = (done < self.batch.len()).then(|| Held {
            datagrams,
            done,
            again: now + limits::SEND_AGAIN,
        });
        Ok(())
    }

    /// Announces something to the local network.
    pub fn search(&mut self, search: &Search, registry: &Registry) {
        self.neighbours.search(search, registry);
    }

    /// Whether a local network has come since the last call.
    pub fn take_new_network(&mut self) -> bool {
        std::mem::take(&mut self.new_network)
    }

    /// Gives trackers a moment if several are being asked over HTTP, or one about several torrents.
    /// Not to be called while somebody else waits.
    pub fn await_answers(&self) {
        if self.fetcher.has_several() {
            thread::sleep(TOGETHER);
        }
    }

    /// When [`Outreach::handle_timeout`] is due: at once if the last turn left something unread.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.unread.is_empty() {
            let held = self.held.as_ref().map(|held| held.again);
            sooner(
                sooner(held, self.fetcher.next_deadline()),
                self.neighbours.next_deadline(),
            )
        } else {
            Some(Time::default())
        }
    }

    /// Reads on where the last turn stopped, and closes connections that were kept and not used.
    pub fn handle_timeout(&mut self, registry: &Registry, now: Time, hear: Hear<'_>) {
        self.fetcher.handle_timeout(registry, now);
        self.new_network |= self.neighbours.handle_timeout(registry, now);
        for token in std::mem::take(&mut self.unread) {
            self.read(token, false, registry, hear);
        }
    }

    /// Reads from a socket until it is empty or has had its turn. `goes_on`: the other end has not
    /// closed it, so that a read that does not fill the buffer has emptied it; the poll tells of
    /// what comes later.
    fn read(&mut self, token: Token, goes_on: bool, registry: &Registry, hear: Hear<'_>) {
        let drained = if self.udp.tokens().contains(&token.0) {
            self.read_datagrams(token, hear)
        } else {
            self.read_stream(token, goes_on, registry, hear)
        };
        if !drained && !self.unread.contains(&token) {
            self.unread.push(token);
        }
    }

    fn read_datagrams(&mut self, token: Token, hear: Hear<'_>) -> bool {
        for _ in 0..READS {
            let heard = &mut |from, bytes: &[u8]| hear(Heard::Datagram(from, bytes));
            match self.udp.receive(token, &mut self.buffer, heard) {
                Received::Some => {}
                Received::Refused(to, why) => {
                    hear(Heard::Tracker(Input::Undeliverable { to, why: &why }));
                }
                Received::Nothing => return true,
            }
        }
        false
    }

    fn read_stream(
        &mut self,
        token: Token,
        goes_on: bool,
        registry: &Registry,
        hear: Hear<'_>,
    ) -> bool {
        let Some(id) = self.fetcher.id(token) else {
            self.fetcher.check_kept(token, registry);
            return true;
        };
        let buffer = &mut self.buffer[..limits::DATAGRAM];
        for _ in 0..READS {
            match self.fetcher.step(token, buffer, registry) {
                Step::Connected(at) => {
                    hear(Heard::Tracker(Input::Seen { at }));
                    hear(Heard::Tracker(Input::Connected { id }));
                }
                Step::Bytes(n) => {
                    let bytes = &buffer[..n];
                    hear(Heard::Tracker(Input::Bytes { id, bytes }));
                    if goes_on && n < buffer.len() {
                        return true;
                    }
                }
                Step::Wait => return true,
                Step::Closed(how) => {
                    hear(Heard::Tracker(Input::Closed { id, how: &how }));
                    return true;
                }
            }
        }
        false
    }
}

/// Whether a host to begin with may be at this address: a public name that leads to a local one is
/// none, unless the user has named it.
fn may_be_node(host: &str, by: NamedBy, ip: IpAddr) -> bool {
    let is_address = host.parse::<IpAddr>().is_ok();
    by == NamedBy::User || is_address || !Reach::of(ip).is_local()
}

#[cfg(test)]
mod tests;
