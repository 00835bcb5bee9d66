//! Sockets as all of ours are made: they never block, are closed when another program is run, and
//! those of IPv6 take no IPv4, which would show as IPv4-mapped addresses.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::bind::Bind;
use crate::base::reach::lacks_interface;

/// What is said where the system has but a number.
const NO_INTERFACE: &str = "a link-local address: which interface it is at is not known";

/// A socket for addresses of this one's family, bound to none yet, but to the interface that is
/// named, if one is.
pub fn unbound(addr: SocketAddr, kind: SocketType, bind: Option<Bind>) -> io::Result<OwnedFd> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, kind, flags, None)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    if let Some(bind) = bind {
        bind.hold(&socket)?;
    }
    Ok(socket)
}

/// A socket that is bound to this address. Connections of an earlier run that linger do not keep
/// the port.
pub fn bound(addr: SocketAddr, kind: SocketType, bind: Option<Bind>) -> io::Result<OwnedFd> {
    let socket = unbound(addr, kind, bind)?;
    if kind == SocketType::STREAM {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &addr)?;
    Ok(socket)
}

/// Whether a socket could not be made or bound since the machine has no such family.
pub fn lacks_family(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    let lacking = [
        Errno::AFNOSUPPORT,
        Errno::ADDRNOTAVAIL,
        Errno::PROTONOSUPPORT,
    ];
    code.is_some_and(|code| lacking.contains(&code))
}

/// Begins to connect, from this local address or interface if one is named.
///
/// # Errors
/// There is no way to that address, or there are no more handles.
pub fn connect(addr: SocketAddr, bind: Option<Bind>) -> io::Result<TcpStream> {
    if lacks_interface(addr) {
        return Err(io::Error::other(NO_INTERFACE));
    }
    let Some(bind) = bind else {
        return TcpStream::connect(addr);
    };
    let local = bind.beside(addr.ip());
    let local = local.ok_or(io::ErrorKind::NetworkUnreachable)?;
    let socket = unbound(addr, SocketType::STREAM, Some(bind))?;
    rustix::net::bind(&socket, &SocketAddr::new(local, 0))?;
    match rustix::net::connect(&socket, &addr) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from_std(socket.into())),
        Err(error) => Err(error.into()),
    }
}

/// Whether a socket is connected now.
///
/// # Errors
/// It cannot be.
pub fn connected(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => {
            // Requests are small and must not wait for each other; blocks are written whole
            // anyway.
            socket.set_nodelay(true)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// The outcome of a call that is made again when a signal interrupts it; `None`: it would wait.
///
/// # Errors
/// The connection is lost.
pub fn unless_blocked(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(n) => return Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
