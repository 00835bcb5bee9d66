//! A stream of bytes to one peer or HTTP server. Nothing else in the loop knows which transport
//! carries it, and what comes before it can be used: the greeting of a proxy, and that of TLS. No
//! call blocks.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt;

use super::bind::Bind;
use super::route::Route;
use super::socket;
use super::tls::Tls;
use super::via::Via;
use super::words::plain;
use crate::socks::Place;

/// Where a connection goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The other end.
    pub place: Place,
    /// The name that its certificate must have, where TLS is spoken.
    pub tls: Option<Arc<str>>,
}

/// A connection, or one that is being made.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    stage: Stage,
    tls: Option<Box<Tls>>,
}

/// How far it has come.
#[derive(Debug)]
enum Stage {
    /// The socket connects; then that follows.
    Connecting(Option<Box<Via>>),
    /// A proxy connects on.
    Via(Box<Via>),
    /// TLS begins.
    Securing,
    /// It is up.
    Up,
}

impl Stream {
    /// Begins to connect, by this route.
    ///
    /// # Errors
    /// There is no way to that address, or there are no more handles.
    pub fn connect(target: &Target, route: &Route) -> io::Result<Stream> {
        let tls = target.tls.as_deref().map(Tls::new).transpose()?;
        let mut stream = Stream::begin(&target.place, route)?;
        stream.tls = tls.map(Box::new);
        Ok(stream)
    }

    fn begin(place: &Place, route: &Route) -> io::Result<Stream> {
        match (&route.proxy, place) {
            (Some(proxy), place) => {
                let via = Via::new(Arc::clone(proxy), place.clone());
                let mut stream = Stream::dial(proxy.addr()?, route.bind);
                match &mut stream {
                    Ok(stream) => stream.stage = Stage::Connecting(Some(Box::new(via))),
                    Err(error) => return Err(via.failed(&plain(error))),
                }
                stream
            }
            (None, Place::Addr(addr)) => Stream::dial(*addr, route.bind),
            // Names are looked up before.
            (None, Place::Name(..)) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Begins to connect without a proxy, from this local address or interface if one is named.
    ///
    /// # Errors
    /// As [`Stream::connect`].
    pub fn dial(addr: SocketAddr, bind: Option<Bind>) -> io::Result<Stream> {
        socket::connect(addr, bind).map(Stream::new)
    }

    /// A socket that was accepted, or that connects; [`Stream::finish`] says whether it is up.
    pub fn new(socket: TcpStream) -> Stream {
        Stream {
            socket,
            stage: Stage::Connecting(None),
            tls: None,
        }
    }

    /// Whether it is still being connected: nothing can be read or written yet.
    pub fn is_connecting(&self) -> bool {
        !matches!(self.stage, Stage::Up)
    }

    /// Why it is not up yet, if that is the proxy's fault.
    pub fn delay(&self) -> Option<String> {
        match &self.stage {
            Stage::Connecting(Some(via)) | Stage::Via(via) => via.delay(),
            Stage::Connecting(None) | Stage::Securing | Stage::Up => None,
        }
    }

    /// Goes on with what comes before the connection can be used. Whether it is up now.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn finish(&mut self) -> io::Result<bool> {
        if let Stage::Connecting(via) = &mut self.stage {
            match socket::connected(&self.socket) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    return Err(match via {
                        Some(via) => via.failed(&plain(&error)),
                        None => error,
                    });
                }
            }
            self.stage = via.take().map_or(Stage::Securing, Stage::Via);
        }
        if let Stage::Via(via) = &mut self.stage {
            if !via.go_on(&mut self.socket)? {
                return Ok(false);
            }
            self.stage = Stage::Securing;
        }
        if let (Stage::Securing, Some(tls)) = (&self.stage, &mut self.tls) {
            if !tls.finish(&mut self.socket)? {
                return Ok(false);
            }
        }
        self.stage = Stage::Up;
        Ok(true)
    }

    /// Reads once: the number of bytes, 0 at the end. `None`: nothing is there now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match &mut self.tls {
            Some(tls) => tls.read(&mut self.socket, buffer),
            None => socket::unless_blocked(|| self.socket.read(buffer)),
        }
    }

    /// Writes once: the number of bytes taken. `None`: none can be taken now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        match &mut self.tls {
            Some(tls) => tls.write(&mut self.socket, bytes),
            None => socket::unless_blocked(|| self.socket.write(bytes)),
        }
    }

    /// Whether it cannot be used for another request: it has ended, or sends bytes that were not
    /// asked for, of which one is read here and lost.
    pub fn is_spent(&mut self) -> bool {
        !matches!(self.read(&mut [0]), Ok(None))
    }

    /// Has the kernel acknowledge at once what was read.
    pub fn acknowledge(&self) {
        // Without it the acknowledgement comes later, and nothing is lost.
        let _ = sockopt::set_tcp_quickack(&self.socket, true);
    }

    /// Our address on this connection.
    ///
    /// # Errors
    /// The socket has none.
    pub fn local_ip(&self) -> io::Result<IpAddr> {
        self.socket.local_addr().map(|addr| addr.ip())
    }
}

impl Source for Stream {
    fn register(&mut self, poll: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.register(poll, token, interest)
    }

    fn reregister(&mut self, poll: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.socket.reregister(poll, token, interest)
    }

    fn deregister(&mut self, poll: &Registry) -> io::Result<()> {
        self.socket.deregister(poll)
    }
}

impl From<Place> for Target {
    fn from(place: Place) -> Target {
        Target { place, tls: None }
    }
}
