//! The client's UDP sockets, one a family on the same port: an IPv6 socket that also took IPv4 would show its addresses in
//! disguise, and not every system has such.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::tracker::Families;

/// The sockets, IPv4 and IPv6.
#[derive(Debug)]
pub struct Udp {
    sockets: [Option<UdpSocket>; 2],
}

impl Udp {
    /// Opens the sockets of these families on a port (0: any, perhaps a different one each), at this local address or all. The
    /// tokens are for IPv4 and IPv6.
    pub fn open(
        port: u16,
        bind: Option<IpAddr>,
        families: Families,
        tokens: [Token; 2],
        registry: &Registry,
    ) -> io::Result<Udp> {
        let all = [
            families.v4.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            families.v6.then_some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        ];
        let mut sockets = [None, None];
        for ((ip, token), place) in all.into_iter().zip(tokens).zip(&mut sockets) {
            let Some(ip) = ip else { continue };
            let local = match bind {
                Some(bind) if bind.is_ipv4() == ip.is_ipv4() => bind,
                Some(_) => continue,
                None => ip,
            };
            let mut socket = match open(SocketAddr::new(local, port)) {
                // A machine without one of the families is one with the other.
                Err(error) if bind.is_none() && lacks_family(&error) => continue,
                other => other?,
            };
            registry.register(&mut socket, token, Interest::READABLE)?;
            *place = Some(socket);
        }
        Ok(Udp { sockets })
    }

    /// Sends a datagram, or loses it: whoever wants an answer sends again.
    ///
    /// # Errors
    /// It can never get there.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        use io::ErrorKind;
        let Some(socket) = &self.sockets[usize::from(to.is_ipv6())] else {
            return Err(ErrorKind::NetworkUnreachable.into());
        };
        match socket.send_to(bytes, to) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NetworkUnreachable
                        | ErrorKind::HostUnreachable
                        | ErrorKind::AddrNotAvailable
                        | ErrorKind::PermissionDenied
                        | ErrorKind::InvalidInput
                ) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// The next datagram of a socket, and who sent it; `None`: there is none now.
    pub fn receive(&self, v6: bool, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let socket = self.sockets[usize::from(v6)].as_ref()?;
        loop {
            match socket.recv_from(buffer) {
                Ok((n, from)) => return Some((from, n)),
                // What became of an earlier datagram of ours is no reason to stop.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

fn lacks_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn open(addr: SocketAddr) -> io::Result<UdpSocket> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    rustix::net::bind(&socket, &addr)?;
    Ok(UdpSocket::from_std(socket.into()))
}
