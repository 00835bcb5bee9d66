//! Performs the actions of trackers' machines: name look-ups, HTTP exchanges over TCP, datagrams.
//! Beside that it sends and receives the datagrams of the DHT and of the local network, and looks
//! up names of peers and of nodes. The results come back as [`Heard`] and as addresses.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use mio::event::Event;
use mio::{Events, Registry, Token, Waker};

use super::fetch::{Fetcher, Start, Step};
use super::heard::{Hear, Heard};
use super::look_ups::LookUps;
use super::neighbours::Neighbours;
use super::relay::{self, Relay};
use super::route::Route;
use super::stream::Target;
use super::udp::{self, Received, Udp};
use crate::base::{Time, limits, sooner};
use crate::tracker::{Action, Families, Input};
use crate::utp::Datagrams;
use crate::wire::lsd::Search;

/// Sockets and look-ups for trackers, sockets for the local network, and look-ups for the peers
/// that a user names and for nodes of the DHT.
#[derive(Debug)]
pub struct Outreach {
    /// Names that are looked up.
    pub look_ups: LookUps,
    fetcher: Fetcher,
    udp: Udp,
    /// What carries datagrams to trackers where all goes through a proxy.
    relay: Option<Relay>,
    neighbours: Neighbours,
    /// There is a local network that was not there before.
    new_network: bool,
    /// Tokens of sockets that had more than a turn reads.
    unread: Vec<Token>,
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
        route: &Route,
        families: Families,
        waker: Arc<Waker>,
    ) -> io::Result<Outreach> {
        let neighbours = tokens.start + Udp::TOKENS;
        let relay = neighbours + Neighbours::TOKENS;
        let streams = relay + Relay::TOKENS..tokens.end;
        let bind = route.bind;
        // Nothing is sent or heard past a proxy.
        let own = if route.has_proxy() {
            Families {
                v4: false,
                v6: false,
            }
        } else {
            families
        };
        Ok(Outreach {
            look_ups: LookUps::new(waker, route.has_proxy()),
            fetcher: Fetcher::new(streams, route.clone()),
            udp: Udp::open(port, bind, own, tokens.start, registry)?,
            relay: Relay::new(route, relay),
            neighbours: Neighbours::new(bind, own, neighbours),
            new_network: false,
            unread: Vec::new(),
            buffer: vec![0; limits::DATAGRAMS_AT_ONCE * limits::DATAGRAMS_BYTES],
            batch: Vec::new(),
            held: None,
        })
    }

    /// Does what the machine asks for.
    pub fn perform(&mut self, action: Action, registry: &Registry, now: Time, hear: Hear<'_>) {
        match action {
            Action::Resolve { id, host, .. } => {
                self.look_ups.look_up_tracker(id, host, now);
            }
            Action::Connect {
                id,
                addr,
                tls,
                request,
            } => {
                let fetcher = &mut self.fetcher;
                let place = self.look_ups.place(addr);
                let start = |place| {
                    let tls = tls.as_deref().map(Arc::from);
                    let target = Target { place, tls };
                    fetcher.start(id, (addr, target), request, registry, now)
                };
                match place.and_then(start) {
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
            Action::Datagram { to, bytes } if self.relay.is_some() => {
                let place = self.look_ups.place(to);
                let hear = &mut |heard: relay::Heard<'_>| hear(Heard::of(heard));
                match (&mut self.relay, place) {
                    (Some(relay), Ok(place)) => {
                        relay.send((to, place), bytes, registry, now, hear);
                    }
                    (_, Err(why)) => hear(relay::Heard::Refused(to, &why)),
                    (None, Ok(_)) => {}
                }
            }
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
        if let Some(relay) = self.relay.as_mut().filter(|it| it.owns(event.token())) {
            let hear = &mut |heard: relay::Heard<'_>| hear(Heard::of(heard));
            return relay.on_event(registry, now, &mut self.buffer, hear);
        }
        let goes_on = !event.is_read_closed() && !event.is_error();
        self.read(event.token(), goes_on, registry, hear);
    }

    /// The loop was woken: names may have been found.
    pub fn on_woken(&mut self, now: Time, hear: Hear<'_>) {
        self.look_ups.on_woken(now, |id, found| {
            hear(Heard::Tracker(Input::Resolved { id, found }));
        });
    }

    /// What an address leads to: itself, or the name of a peer that stands for it.
    ///
    /// # Errors
    /// That is not known any more.
    pub fn target(&self, addr: SocketAddr, tls: Option<Arc<str>>) -> Result<Target, String> {
        let place = self.look_ups.place(addr)?;
        Ok(Target { place, tls })
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

    /// Whether more answers of trackers may come together with these events: all are of sockets to
    /// trackers that are asked over HTTP, and several requests to such are under way. Not if
    /// something else waits to be read or to be sent.
    pub fn expects_more(&self, events: &Events) -> bool {
        let asked = |event: &Event| self.fetcher.has(event.token());
        let alone = !events.is_empty() && events.iter().all(asked);
        alone && self.unread.is_empty() && self.held.is_none() && self.fetcher.has_several()
    }

    /// When [`Outreach::handle_timeout`] is due: at once if the last turn left something unread.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.unread.is_empty() {
            let held = self.held.as_ref().map(|held| held.again);
            let relay = self.relay.as_ref().and_then(Relay::next_deadline);
            sooner(
                sooner(sooner(held, relay), self.fetcher.next_deadline()),
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
        if let Some(relay) = &mut self.relay {
            let hear = &mut |heard: relay::Heard<'_>| hear(Heard::of(heard));
            relay.handle_timeout(now, &mut self.buffer, hear);
        }
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

#[cfg(test)]
mod tests;
