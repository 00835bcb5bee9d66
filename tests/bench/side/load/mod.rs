//! The load generator: one thread that plays all other peers of a swarm, and its tracker. It holds
//! the content once, as a file on tmpfs, and does as little as the protocol allows, so that the
//! client under test is what limits a run.
//!
//! It is told what to do by its command line and by lines on standard input (`go`: who has to
//! connect to the client does; `go idle`: of them only who says nothing; `verify BYTES`: fetch so
//! much more and compare it with the content; `enough`: report what has come; the end: report and
//! exit), and tells what happens as JSON, a line each.

mod asker;
mod peer;
mod tracker;
mod world;

use std::io::{BufRead as _, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;

use super::{Failure, args::Args};
use peer::Peer;
use tracker::Visitor;
use world::World;

/// Where its tracker listens: the address of the namespace itself.
pub const TRACKER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 89, 0, 2), 6969);

/// The port of every peer that it plays.
pub const PEER_PORT: u16 = 6881;

/// How often an idle peer says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(100);

const PEERS: Token = Token(usize::MAX - 1);
const VISITORS: Token = Token(usize::MAX - 2);
const ORDERS: Token = Token(usize::MAX - 3);

/// The address of a peer: each has its own, out of a network that the namespace takes as a whole.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 89, 128 + (number / 250) as u8, 1 + (number % 250) as u8)
}

/// Which peer has this address.
fn number(address: Ipv4Addr) -> usize {
    let [_, _, high, low] = address.octets();
    usize::from(high.saturating_sub(128)) * 250 + usize::from(low.saturating_sub(1))
}

/// A connection.
enum Connection {
    Peer(Peer),
    Visitor(Visitor),
}

struct Load {
    world: World,
    poll: Poll,
    connections: Slab<Connection>,
    /// Peers that had more to send when their turn ended.
    busy: Vec<usize>,
    buffer: Vec<u8>,
    next_keep_alive: Instant,
}

/// `load TORRENT CONTENT [--seeds N] [--leechers N] [--idle N] [--total BYTES] [--depth N]
/// [--client ADDRESS] [--dial] [--rc4]`
pub fn main(args: Args) -> Result<(), Failure> {
    let poll = Poll::new()?;
    let registry = poll.registry();
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let mut peers = TcpListener::bind(any(PEER_PORT))?;
    let mut visitors = TcpListener::bind(any(TRACKER.1))?;
    registry.register(&mut peers, PEERS, Interest::READABLE)?;
    registry.register(&mut visitors, VISITORS, Interest::READABLE)?;
    // Kept until the end: a wake-up is lost with its waker.
    let waker = Arc::new(Waker::new(registry, ORDERS)?);
    let orders = orders(Arc::clone(&waker));
    let mut load = Load {
        world: World::new(args)?,
        poll,
        connections: Slab::new(),
        busy: Vec::new(),
        buffer: vec![0; 256 * 1024],
        next_keep_alive: Instant::now() + KEEP_ALIVE,
    };
    println!(r#"{{"event":"listening"}}"#);
    let mut events = Events::with_capacity(1024);
    loop {
        load.wait(&mut events)?;
        for event in &events {
            match event.token() {
                PEERS => load.accept_peers(&peers)?,
                VISITORS => load.accept_visitors(&visitors)?,
                ORDERS => {
                    if !load.take_orders(&orders)? {
                        load.world.report_end();
                        return Ok(());
                    }
                }
                Token(key) => load.serve(key, event.is_writable()),
            }
        }
        for key in std::mem::take(&mut load.busy) {
            load.serve(key, true);
        }
    }
}

impl Load {
    fn wait(&mut self, events: &mut Events) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.next_keep_alive {
            self.next_keep_alive = now + KEEP_ALIVE;
            for (key, connection) in &mut self.connections {
                if let Connection::Peer(peer) = connection {
                    peer.keep_alive();
                    self.busy.push(key);
                }
            }
        }
        let timeout = if self.busy.is_empty() {
            self.next_keep_alive - now
        } else {
            Duration::ZERO
        };
        match self.poll.poll(events, Some(timeout)) {
            Err(why) if why.kind() == ErrorKind::Interrupted => Ok(()),
            result => Ok(result?),
        }
    }

    fn accept_peers(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        while let Some((stream, _)) = accepted(listener)? {
            let SocketAddr::V4(local) = stream.local_addr()? else {
                continue;
            };
            let role = self.world.role(number(*local.ip()));
            let shield = self.world.rc4.then(|| peer::shield(None));
            let number = number(*local.ip());
            self.add(Connection::Peer(Peer::new(stream, role, number, shield)))?;
        }
        Ok(())
    }

    fn accept_visitors(&mut self, listener: &TcpListener) -> Result<(), Failure> {
        while let Some((stream, from)) = accepted(listener)? {
            self.add(Connection::Visitor(Visitor::new(stream, from)))?;
        }
        Ok(())
    }

    fn add(&mut self, mut connection: Connection) -> Result<(), Failure> {
        let token = Token(self.connections.vacant_key());
        connection.register(self.poll.registry(), token)?;
        self.connections.insert(connection);
        Ok(())
    }

    fn serve(&mut self, key: usize, writable: bool) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let open = match connection {
            Connection::Visitor(visitor) => visitor.serve(&mut self.world),
            Connection::Peer(peer) => {
                let served = peer.serve(writable, &mut self.buffer, &mut self.world);
                if served.as_ref().is_ok_and(|more| *more) {
                    self.busy.push(key);
                }
                served.map(|_| ())
            }
        };
        if let Err(why) = open {
            // A visitor goes when it has its answer.
            if let Connection::Peer(peer) = self.connections.remove(key) {
                self.world.lost(peer, &why);
            }
        }
    }

    /// Whether standard input is still open.
    fn take_orders(&mut self, orders: &Receiver<String>) -> Result<bool, Failure> {
        loop {
            match orders.try_recv() {
                Err(TryRecvError::Empty) => return Ok(true),
                Err(TryRecvError::Disconnected) => return Ok(false),
                Ok(line) => match line.split_once(' ') {
                    Some(("verify", bytes)) => {
                        self.world.verify(bytes.parse()?);
                        self.busy
                            .extend(self.connections.iter().map(|(key, _)| key));
                    }
                    Some(_) => self.connect(true)?,
                    None if line == "enough" => self.world.report_done(),
                    None => self.connect(false)?,
                },
            }
        }
    }

    /// Connects everybody who has to be the one to connect and has not; or of them only who is
    /// idle.
    fn connect(&mut self, idle: bool) -> Result<(), Failure> {
        for number in self.world.dialers(idle) {
            let role = self.world.role(number);
            let stream = peer::dial(address(number), self.world.client()?)?;
            let torrent = self.world.torrent.info_hash;
            let shield = self.world.rc4.then(|| peer::shield(Some(torrent)));
            self.add(Connection::Peer(Peer::new(stream, role, number, shield)))?;
        }
        Ok(())
    }
}

impl Connection {
    fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Connection::Peer(peer) => registry.register(&mut peer.stream, token, both),
            Connection::Visitor(visitor) => registry.register(&mut visitor.stream, token, both),
        }
    }
}

/// Lines of standard input. A thread of its own waits for them: a pipe is nothing that mio polls.
fn orders(waker: Arc<Waker>) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
            let _ = waker.wake();
        }
        drop(sender);
        let _ = waker.wake();
    });
    receiver
}

fn accepted(listener: &TcpListener) -> Result<Option<(mio::net::TcpStream, SocketAddr)>, Failure> {
    match listener.accept() {
        Ok(accepted) => Ok(Some(accepted)),
        Err(why) if why.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(why) => Err(why.into()),
    }
}
