//! Sockets as all of ours are made: they never block, are closed when another program is run, and
//! those of IPv6 take no IPv4, which would show as IPv4-mapped addresses.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::bind::Bind;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

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
