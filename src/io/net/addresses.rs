//! The addresses of an interface, as the system lists them when it is asked (netlink, RFC 3549):
//! its tables in `/proc` name those of IPv4 without their interfaces.

use std::io;
use std::net::IpAddr;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// Bytes of a message's head (`nlmsghdr`), and of that of an address in it (`ifaddrmsg`).
const HEAD: usize = 16;
/// See [`HEAD`].
const ADDRESS_HEAD: usize = 8;
/// Numbers of linux/netlink.h, linux/rtnetlink.h and linux/if_addr.h.
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const REQUEST_ALL: u16 = 0x301;
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// Bytes of an answer that are read at a time: more than the system puts into one.
const ANSWER: usize = 64 * 1024;

/// All addresses of the interface with this number.
///
/// # Errors
/// The system does not say.
pub fn of_interface(index: u32) -> io::Result<Vec<IpAddr>> {
    let kind = SocketType::RAW;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, kind, flags, None)?;
    let mut request = Vec::with_capacity(HEAD + ADDRESS_HEAD);
    request.extend(((HEAD + ADDRESS_HEAD) as u32).to_ne_bytes());
    request.extend(GET_ADDRESS.to_ne_bytes());
    request.extend(REQUEST_ALL.to_ne_bytes());
    request.resize(HEAD + ADDRESS_HEAD, 0);
    rustix::net::send(&socket, &request, SendFlags::empty())?;
    let (mut answer, mut found) = (vec![0; ANSWER], Vec::new());
    loop {
        let (_, read) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
        if read == 0 || take(&answer[..read.min(ANSWER)], index, &mut found) {
            return Ok(found);
        }
    }
}

/// Takes the messages of an answer. True: it was the last one.
fn take(mut messages: &[u8], index: u32, found: &mut Vec<IpAddr>) -> bool {
    while let Some((length, kind)) = u32_at(messages, 0).zip(u16_at(messages, 4)) {
        let length = length as usize;
        let Some(body) = messages.get(HEAD..length) else {
            return true;
        };
        match kind {
            NEW_ADDRESS if u32_at(body, 4) == Some(index) => found.extend(address(body)),
            NEW_ADDRESS => {}
            DONE => return true,
            // An error: there will be nothing more.
            _ => return true,
        }
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    false
}

/// The address in a message: its own end, where it names both ends of a line.
fn address(body: &[u8]) -> Option<IpAddr> {
    let mut rest = body.get(ADDRESS_HEAD..)?;
    let mut found = None;
    while let Some((length, kind)) = u16_at(rest, 0).zip(u16_at(rest, 2)) {
        let length = usize::from(length);
        let value = rest.get(4..length)?;
        if kind == LOCAL || (kind == ADDRESS && found.is_none()) {
            let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(value).map(IpAddr::from);
            found = v4.or(v6).ok();
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    found
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    bytes.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of this kind, of the interface 7, with these attributes.
    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0, 0, 0, 0, 0];
        body[4..].copy_from_slice(&7_u32.to_ne_bytes());
        for (kind, value) in attributes {
            body.extend((4 + value.len() as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut message = ((HEAD + body.len()) as u32).to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.resize(HEAD, 0);
        message.extend(body);
        message
    }

    #[test]
    fn the_end_of_a_line_that_is_ours_counts() {
        let v6: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
        let messages = [
            message(
                NEW_ADDRESS,
                &[
                    (ADDRESS, &[10, 8, 0, 5]),
                    (3, b"tun0\0"),
                    (LOCAL, &[10, 8, 0, 6]),
                ],
            ),
            message(NEW_ADDRESS, &[(ADDRESS, &v6.octets())]),
            message(NEW_ADDRESS, &[(ADDRESS, &[1, 2, 3])]),
        ];
        let (whole, mut found) = (messages.concat(), Vec::new());
        assert!(!take(&whole, 7, &mut found));
        let ours: IpAddr = [10, 8, 0, 6].into();
        assert_eq!(found, [ours, v6.into()]);
        assert!(!take(&whole, 8, &mut found), "these are another's");
        assert_eq!(found.len(), 2);
        assert!(take(&message(DONE, &[]), 7, &mut found));
        // Whatever is cut off says nothing, and does no harm.
        for end in 0..whole.len() {
            take(&whole[..end], 7, &mut Vec::new());
        }
        assert!(of_interface(1).unwrap().contains(&[127, 0, 0, 1].into()));
    }
}
