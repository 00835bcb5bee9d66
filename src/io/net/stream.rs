//! A stream of bytes to one peer or HTTP server. Nothing else in the loop knows which transport
//! carries it. No call blocks.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::net::{SocketType, sockopt};

use super::bind::Bind;
use super::socket;
use crate::base::reach::lacks_interface;

/// What is said where the system has but a number.
const NO_INTERFACE: &str = "a link-local address: which interface it is at is not known";

/// A connection, or one that is being made.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    connecting: bool,
}

impl Stream {
    /// Begins to connect, from this local address or interface if one is named.
    ///
    /// # Errors
    /// There is no way to that address, or there are no more handles.
    pub fn connect(addr: SocketAddr, bind: Option<Bind>) -> io::Result<Stream> {
        if lacks_interface(addr) {
            return Err(io::Error::other(NO_INTERFACE));
        }
        let socket = match bind {
            None => TcpStream::connect(addr)?,
            Some(bind) => {
                let local = bind.beside(addr.ip());
                let local = local.ok_or(io::ErrorKind::NetworkUnreachable)?;
                let socket = socket::unbound(addr, SocketType::STREAM, Some(bind))?;
                rustix::net::bind(&socket, &SocketAddr::new(local, 0))?;
                match rustix::net::connect(&socket, &addr) {
                    Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
                    Err(error) => return Err(error.into()),
                }
                TcpStream::from_std(socket.into())
            }
        };
        Ok(Stream::new(socket))
    }

    /// A socket that was accepted, or that connects; [`Stream::finish`] says whether it is up.
    pub fn new(socket: TcpStream) -> Stream {
        Stream {
            socket,
            connecting: true,
        }
    }

    /// Whether it is still being connected: nothing can be read or written yet.
    pub fn is_connecting(&self) -> bool {
        self.connecting
    }

    /// Whether the connection is up now.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn finish(&mut self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => {
                self.connecting = false;
                // Requests are small and must not wait for each other; blocks are written whole
                // anyway.
                self.socket.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads once: the number of bytes, 0 at the end. `None`: nothing is there now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_blocked(|| self.socket.read(buffer))
    }

    /// Writes once: the number of bytes taken. `None`: none can be taken now.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        unless_blocked(|| self.socket.write(bytes))
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

/// The outcome of a call that is made again when a signal interrupts it; `None`: it would wait.
fn unless_blocked(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(n) => return Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
