//! The listeners for TCP, and the connection of each peer, over TCP or uTP, with its readiness as
//! it was reported last. Readiness is edge-triggered: a socket stays readable or writable until a
//! call says that it is not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::TcpListener;
use rustix::net::SocketType;

use super::bind::Bind;
use super::socket;
use super::stream::Stream;
pub use super::words::plain;
use crate::base::Time;
use crate::session::Sealed;
use crate::tracker::Families;
use crate::utp::{Key, Read, Utp};

/// Ports that are tried when none is named: what clients have always used.
const USUAL_PORTS: std::ops::RangeInclusive<u16> = 6881..=6889;
/// Tries to find a port that is free in both families.
const ANY_PORT_TRIES: usize = 16;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// What carries the bytes of a peer.
#[derive(Debug)]
pub enum Way {
    /// A socket of its own.
    Tcp(Stream),
    /// A connection of [`Utp`].
    Utp(Key),
}

/// One peer's connection.
#[derive(Debug)]
pub struct PeerSocket {
    /// The connection.
    pub way: Way,
    /// There may be something to read.
    pub readable: bool,
    /// It may take something.
    pub writable: bool,
    /// The other end will send nothing more: reading goes on until that has been read too.
    pub read_closed: bool,
    /// It is on the list of those to read from.
    pub queued: bool,
    /// Something was read and nothing written since.
    pub unanswered: bool,
}

impl PeerSocket {
    /// A socket of a connection that is being made.
    pub fn new(way: Way) -> PeerSocket {
        let is_up = matches!(way, Way::Utp(_));
        PeerSocket {
            way,
            readable: false,
            writable: is_up,
            read_closed: false,
            queued: false,
            unanswered: false,
        }
    }

    /// Whether the connection is still being made.
    pub fn is_connecting(&self) -> bool {
        match &self.way {
            Way::Tcp(stream) => stream.is_connecting(),
            Way::Utp(_) => false,
        }
    }

    /// Whether the connection is up now.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn finish(&mut self) -> io::Result<bool> {
        match &mut self.way {
            Way::Tcp(stream) => stream.finish(),
            Way::Utp(_) => Ok(true),
        }
    }

    /// Reads once. `None`: nothing is there now. A short read means that the socket is drained.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        utp: Option<&mut Utp>,
        now: Time,
    ) -> io::Result<Option<usize>> {
        let stream = match &mut self.way {
            Way::Tcp(stream) => stream,
            Way::Utp(key) => {
                let read = utp.map_or(Read::End, |utp| utp.read(*key, buffer, now));
                self.readable = matches!(read, Read::Bytes(_, true) | Read::End);
                return Ok(match read {
                    Read::Bytes(n, _) => Some(n),
                    Read::Nothing => None,
                    Read::End => Some(0),
                });
            }
        };
        let read = stream.read(buffer)?;
        match read {
            Some(n) => {
                self.readable = n == buffer.len() || self.read_closed;
                self.unanswered |= n > 0;
            }
            None => self.readable = false,
        }
        Ok(read)
    }

    /// Has the kernel acknowledge at once what was read. Linux delays that by 40 ms in the hope of
    /// something to send with it, and some clients leave Nagle's algorithm on: they hold back their
    /// next requests until their last message is acknowledged. Measured with torrent-stream 1.2.1
    /// and pieces of 16 KiB: 110 pieces a second without, 3,900 to 7,100 with it.
    pub fn acknowledge(&mut self) {
        self.unanswered = false;
        if let Way::Tcp(stream) = &self.way {
            stream.acknowledge();
        }
    }

    /// Bytes that it takes at a time at most, as far as that is known: what is beyond need not be
    /// fetched. `greeting`: how many are left up to the end of our handshake.
    ///
    /// Over uTP the handshake has a packet of its own: Transmission 3.00 looks at what comes in one
    /// packet with a handshake only once another packet comes.
    pub fn room(&self, utp: Option<&Utp>, greeting: usize) -> usize {
        match (&self.way, utp) {
            (Way::Utp(key), Some(utp)) if greeting > 0 => utp.room(*key).min(greeting),
            (Way::Utp(key), Some(utp)) => utp.room(*key),
            _ => usize::MAX,
        }
    }

    /// Our handshake was written, and messages follow.
    pub fn end_packet(&self, utp: Option<&mut Utp>) {
        if let (Way::Utp(key), Some(utp)) = (&self.way, utp) {
            utp.end_packet(*key);
        }
    }

    /// Writes once; the number of bytes taken. Fewer than offered mean that the socket is full.
    pub fn write(
        &mut self,
        sealed: Sealed<'_>,
        utp: Option<&mut Utp>,
        now: Time,
    ) -> io::Result<usize> {
        let bytes = sealed.bytes();
        let written = match &mut self.way {
            Way::Tcp(stream) => stream.write(bytes)?.unwrap_or(0),
            Way::Utp(key) => utp.map_or(0, |utp| utp.write(*key, bytes, now)),
        };
        self.writable = written == bytes.len();
        self.unanswered &= written == 0;
        Ok(written)
    }
}

/// The sockets that peers dial, one a family, all on the same port.
#[derive(Debug)]
pub struct Listeners {
    /// The sockets.
    pub sockets: Vec<TcpListener>,
    /// Their port.
    pub port: u16,
    /// Families that can be listened on, and so be used at all.
    pub families: Families,
    /// Those, by their places, at which peers may wait to be accepted.
    pub ready: Vec<usize>,
}

impl Listeners {
    /// Listens on this port (`None`: the first free of the usual ones, 0: any), at this address or
    /// interface, or everywhere. The error is a line for the user.
    pub fn open(port: Option<u16>, bind: Option<Bind>) -> Result<Listeners, String> {
        let ips = match bind {
            Some(bind) => bind.ips().collect(),
            None => vec![
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            ],
        };
        match port {
            Some(0) => {
                let mut last = String::new();
                for _ in 0..ANY_PORT_TRIES {
                    match Listeners::bind(0, &ips, bind) {
                        Ok(listeners) => return Ok(listeners),
                        Err(why) => last = why,
                    }
                }
                Err(last)
            }
            Some(port) => Listeners::bind(port, &ips, bind)
                .map_err(|why| format!("{why}: choose another with --port (0: any that is free)")),
            None => {
                let mut usual = USUAL_PORTS;
                usual
                    .find_map(|port| Listeners::bind(port, &ips, bind).ok())
                    .map_or_else(|| Listeners::bind(*USUAL_PORTS.start(), &ips, bind), Ok)
                    .map_err(|why| match bind {
                        None => format!("{why}, as do all up to 6889: choose another with --port"),
                        Some(bind) => format!("{bind}, {why}"),
                    })
            }
        }
    }

    /// Listens nowhere; connections to both families may be made.
    pub fn none() -> Listeners {
        Listeners {
            sockets: Vec::new(),
            port: 0,
            families: Families { v4: true, v6: true },
            ready: Vec::new(),
        }
    }

    fn bind(mut port: u16, ips: &[IpAddr], bind: Option<Bind>) -> Result<Listeners, String> {
        let mut sockets = Vec::new();
        let mut families = Families {
            v4: false,
            v6: false,
        };
        for &ip in ips {
            let listening = listen(SocketAddr::new(ip, port), bind).and_then(|socket| {
                // The same port is needed for UDP; whether it is free is known by trying.
                socket::bound(socket.local_addr()?, SocketType::DGRAM, bind)?;
                Ok(socket)
            });
            match listening {
                Ok(socket) => {
                    port = socket.local_addr().map_or(port, |addr| addr.port());
                    sockets.push(socket);
                    families.v4 |= ip.is_ipv4();
                    families.v6 |= ip.is_ipv6();
                }
                // A machine without IPv6, or without IPv4, is listened on with what it has.
                Err(error) if ips.len() > 1 && socket::lacks_family(&error) => {}
                Err(error) => return Err(format!("port {port}: {}", plain(&error))),
            }
        }
        if sockets.is_empty() {
            return Err(format!(
                "port {port}: this machine has neither IPv4 nor IPv6"
            ));
        }
        Ok(Listeners {
            sockets,
            port,
            families,
            ready: Vec::new(),
        })
    }
}

fn listen(addr: SocketAddr, bind: Option<Bind>) -> io::Result<TcpListener> {
    let socket = socket::bound(addr, SocketType::STREAM, bind)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let here = Bind::from(IpAddr::from(Ipv4Addr::LOCALHOST));
        let first = Listeners::open(Some(0), Some(here)).unwrap();
        let error = Listeners::open(Some(first.port), Some(here)).unwrap_err();
        assert!(
            error.contains(&first.port.to_string()) && error.contains("another program"),
            "{error}"
        );
    }

    #[test]
    fn a_port_is_free_only_if_it_is_for_datagrams_too() {
        let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
        let taken = std::net::UdpSocket::bind((ip, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(Listeners::open(Some(port), Some(ip.into())).is_err());
        drop(taken);
        assert!(Listeners::open(Some(port), Some(ip.into())).is_ok());
    }

    #[test]
    fn both_families_share_a_port() {
        let listeners = Listeners::open(Some(0), None).unwrap();
        assert!(listeners.port != 0 && listeners.families.v4);
        for socket in &listeners.sockets {
            assert_eq!(socket.local_addr().unwrap().port(), listeners.port);
        }
    }
}
