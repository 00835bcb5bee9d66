//! Node ids that follow from the node's address (BEP 42). A node that chooses its id freely can
//! choose one beside any torrent. So the first 21 bits are a checksum of the address and of three
//! random bits: one address can have only eight ids.

use crate::base::{NodeId, Reach, Rng};
use std::net::IpAddr;

/// The bits of the address that count, for IPv4 and for the first half of IPv6.
const MASK_V4: [u8; 4] = [0x03, 0x0f, 0x3f, 0xff];
const MASK_V6: [u8; 8] = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];

/// An id for a node with this address.
pub fn make(ip: IpAddr, rng: &mut Rng) -> NodeId {
    let mut id = NodeId::random(rng);
    let [a, b, c] = front(ip, id.0[19]);
    id.0[..2].copy_from_slice(&[a, b]);
    id.0[2] = (c & 0xf8) | (id.0[2] & 0x07);
    id
}

/// Whether an id is one of those that a node with this address may have. Every id fits an address
/// that is not public, since several clients may share it.
pub fn fits(id: &NodeId, ip: IpAddr) -> bool {
    let [a, b, c] = front(ip, id.0[19]);
    let same = id.0[0] == a && id.0[1] == b && (id.0[2] ^ c) & 0xf8 == 0;
    same || Reach::of(ip).is_local()
}

/// The first three bytes of an id whose last one is given.
fn front(ip: IpAddr, last: u8) -> [u8; 3] {
    let mut bytes = match ip.to_canonical() {
        IpAddr::V4(ip) => masked(&ip.octets(), &MASK_V4),
        IpAddr::V6(ip) => masked(&ip.octets(), &MASK_V6),
    };
    bytes[0] |= (last & 0x07) << 5;
    let [a, b, c, _] = crc32c(&bytes).to_be_bytes();
    [a, b, c]
}

fn masked(ip: &[u8], mask: &[u8]) -> Vec<u8> {
    ip.iter()
        .zip(mask)
        .map(|(byte, mask)| byte & mask)
        .collect()
}

/// CRC-32 by Castagnoli's polynomial, its bits in reverse order.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
    let all = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), step)
    });
    !all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::InfoHash;

    /// The table of BEP 42: address, and an id that fits.
    const VECTORS: [(&str, &str); 5] = [
        ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
        ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
        ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
        ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
        ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
    ];

    #[test]
    fn the_vectors_of_bep_42_fit() {
        for (ip, id) in VECTORS {
            let ip: IpAddr = ip.parse().unwrap();
            let id = NodeId(InfoHash::from_hex(id).unwrap().0);
            assert!(fits(&id, ip), "{ip}");
            for byte in [0, 1, 2] {
                let mut other = id;
                other.0[byte] ^= 0x08;
                assert!(!fits(&other, ip), "{ip}: byte {byte} matters");
            }
            for (byte, bits) in [(2, 0x07), (3, 0xff), (18, 0xff), (19, 0xf8)] {
                let mut other = id;
                other.0[byte] ^= bits;
                assert!(fits(&other, ip), "{ip}: byte {byte} is free");
            }
        }
        // "crc32c of the empty string" is 0, and the check value of the polynomial.
        assert_eq!((crc32c(b""), crc32c(b"123456789")), (0, 0xe306_9283));
    }

    #[test]
    fn what_is_made_fits_that_address_and_few_others() {
        let mut rng = Rng::from_seed(42);
        for ip in ["192.0.2.1", "198.51.100.7", "2001:db8:1:2::3"] {
            let ip: IpAddr = ip.parse().unwrap();
            let id = make(ip, &mut rng);
            assert!(fits(&id, ip));
            assert_ne!(id, make(ip, &mut rng));
            assert!(!fits(&id, "203.0.113.200".parse().unwrap()));
            assert!(fits(&id, "10.0.0.1".parse().unwrap()), "local ones all fit");
        }
        // The second half of an IPv6 address is free to choose, so it does not count.
        let one = make("2001:db8:1:2::3".parse().unwrap(), &mut rng);
        assert!(fits(&one, "2001:db8:1:2:9:9:9:9".parse().unwrap()));
        assert!(!fits(&one, "2001:db8:1:3::3".parse().unwrap()));
    }
}
