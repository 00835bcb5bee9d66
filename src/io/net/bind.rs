//! What of this machine the sockets are at, where the user names something (`--bind`): an address,
//! or an interface, whatever addresses it has now and later. Sockets are bound to the interface
//! itself: nothing goes out or comes in by another one, whatever the routes say. Linux before 5.7
//! lets only root do that: there the addresses that the interface has at the start are used.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice};
use socket2::SockRef;

use super::addresses;
use super::words::plain;
use crate::tracker::Families;

/// What the sockets are at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bind {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
    device: Option<Device>,
}

/// An interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Device {
    /// Its name, then zeros.
    name: [u8; NAME],
    index: u32,
}

/// Bytes that the name of an interface may have (IFNAMSIZ, without the zero at its end).
const NAME: usize = 15;
/// The number of the loopback interface, in each network of Linux.
const LOOPBACK: u32 = 1;
/// Interfaces that are listed for a user who has named none of them.
const LISTED: usize = 8;

impl Bind {
    /// Reads an IP address (one of IPv6 may stand in brackets), or the name of an interface.
    ///
    /// # Errors
    /// It is neither, in a few words.
    pub fn parse(text: &str) -> Result<Bind, String> {
        if let Some(ip) = address(text) {
            return Ok(Bind::from(ip));
        }
        Bind::of_interface(text).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let known = known_interfaces();
                format!("expected an IP address or an interface of this machine ({known})")
            }
            _ => plain(&error),
        })
    }

    fn of_interface(name: &str) -> io::Result<Bind> {
        let mut device = Device {
            name: [0; NAME],
            index: 0,
        };
        let room = device.name.get_mut(..name.len());
        let room = room.filter(|_| !name.is_empty() && !name.contains('\0'));
        room.ok_or(io::ErrorKind::NotFound)?
            .copy_from_slice(name.as_bytes());
        let flags = SocketFlags::CLOEXEC;
        let family = [AddressFamily::INET, AddressFamily::INET6].into_iter();
        let mut made =
            family.map(|it| rustix::net::socket_with(it, SocketType::DGRAM, flags, None));
        let socket = made.find_map(Result::ok);
        let socket = socket.ok_or(io::ErrorKind::Unsupported)?;
        let found = netdevice::name_to_index(&socket, name);
        device.index = found.map_err(|_| io::ErrorKind::NotFound)?;
        let bind = Bind {
            v4: Some(Ipv4Addr::UNSPECIFIED),
            v6: Some(Ipv6Addr::UNSPECIFIED),
            device: Some(device),
        };
        match bind.hold(&socket) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Bind::of_addresses(device.index)
            }
            held => held.map(|()| bind),
        }
    }

    /// The addresses that an interface has now, one a family.
    fn of_addresses(index: u32) -> io::Result<Bind> {
        let ips = addresses::of_interface(index)?;
        let bind = Bind {
            v4: ips.iter().find_map(|ip| match ip {
                IpAddr::V4(ip) => Some(*ip),
                IpAddr::V6(_) => None,
            }),
            v6: ips.iter().find_map(|ip| match ip {
                IpAddr::V6(ip) if !ip.is_unicast_link_local() => Some(*ip),
                _ => None,
            }),
            device: None,
        };
        match (bind.v4, bind.v6) {
            (None, None) => Err(io::Error::other("this interface has no address")),
            _ => Ok(bind),
        }
    }

    /// What a socket for addresses of the same family as this one is bound to; `None`: there is to
    /// be none.
    pub fn beside(&self, ip: IpAddr) -> Option<IpAddr> {
        match ip {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }

    /// What sockets are bound to, one a family at most.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        let both = [self.v4.map(IpAddr::V4), self.v6.map(IpAddr::V6)];
        both.into_iter().flatten()
    }

    /// Whether nothing but this machine can be reached.
    pub fn is_loopback(&self) -> bool {
        match self.device {
            Some(device) => device.index == LOOPBACK,
            None => self.ips().all(|ip| ip.is_loopback()),
        }
    }

    /// The families that can be used, whatever the machine has.
    pub fn families(bind: Option<Bind>) -> Families {
        Families {
            v4: bind.is_none_or(|bind| bind.v4.is_some()),
            v6: bind.is_none_or(|bind| bind.v6.is_some()),
        }
    }

    /// The number of the interface, if sockets are bound to one.
    pub fn interface(&self) -> Option<u32> {
        self.device.map(|device| device.index)
    }

    /// Binds a socket to the interface, if there is one.
    ///
    /// # Errors
    /// It is gone, or this is not permitted.
    pub fn hold(&self, socket: impl AsFd) -> io::Result<()> {
        match &self.device {
            Some(device) => SockRef::from(&socket.as_fd()).bind_device(Some(device.name())),
            None => Ok(()),
        }
    }
}

impl Device {
    fn name(&self) -> &[u8] {
        let end = self.name.iter().position(|byte| *byte == 0);
        &self.name[..end.unwrap_or(NAME)]
    }
}

impl From<IpAddr> for Bind {
    fn from(ip: IpAddr) -> Bind {
        let (v4, v6) = match ip {
            IpAddr::V4(ip) => (Some(ip), None),
            IpAddr::V6(ip) => (None, Some(ip)),
        };
        let device = None;
        Bind { v4, v6, device }
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = &self.device {
            return f.write_str(&String::from_utf8_lossy(device.name()));
        }
        let ips: Vec<String> = self.ips().map(|ip| ip.to_string()).collect();
        f.write_str(&ips.join(" and "))
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// The names of the interfaces, from a table of the system: after two lines, one each, its name up
/// to a colon.
fn known_interfaces() -> String {
    let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let lines = table.lines().skip(2);
    let names = lines.filter_map(|line| line.split_once(':').map(|(name, _)| name.trim()));
    let mut names: Vec<&str> = names.take(LISTED + 1).collect();
    if names.len() > LISTED {
        names[LISTED] = "...";
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_an_interface_is_named() {
        let v6 = Ok(Bind::from(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!((Bind::parse("::1"), Bind::parse("[::1]")), (v6.clone(), v6));
        let bind = Bind::parse("192.0.2.1").unwrap();
        assert_eq!(
            (bind.to_string().as_str(), bind.interface()),
            ("192.0.2.1", None)
        );
        assert_eq!(bind.beside(Ipv6Addr::LOCALHOST.into()), None);
        assert!(!bind.is_loopback() && bind.ips().eq(["192.0.2.1".parse::<IpAddr>().unwrap()]));
        let bind = Bind::parse("lo").unwrap();
        assert_eq!(bind.to_string(), "lo");
        assert!(bind.is_loopback() && bind.ips().all(|ip| ip.is_unspecified()));
        for bad in [
            "",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "127.1",
            "localhost",
            "lo\0",
            "10.0.0.1:80",
            "a-name-that-is-too-long",
        ] {
            let why = Bind::parse(bad).unwrap_err();
            assert!(
                why.starts_with("expected an IP address or an interface"),
                "{why}"
            );
            assert!(why.contains("(lo") || why.contains(" lo"), "{why}");
        }
    }

    /// Where sockets cannot be bound to the interface.
    #[test]
    fn the_addresses_of_an_interface_stand_for_it() {
        let bind = Bind::of_addresses(LOOPBACK).unwrap();
        assert_eq!(bind.v4, Some(Ipv4Addr::LOCALHOST));
        assert!(bind.is_loopback() && bind.interface().is_none());
        assert!(bind.to_string().starts_with("127.0.0.1"), "{bind}");
        let none = Bind::of_addresses(u32::MAX).unwrap_err();
        assert_eq!(none.to_string(), "this interface has no address");
    }
}
