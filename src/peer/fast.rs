//! The allowed-fast set (BEP 6): pieces that a peer may ask for while it is choked, derived from
//! its address so that it cannot get more by reconnecting.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use crate::base::{InfoHash, limits};

/// Pieces that two peers let each other have while choked.
#[derive(Debug, Default)]
pub struct AllowedFast {
    /// The peer lets us have these.
    pub to_us: Vec<u32>,
    /// We let the peer have these.
    pub to_peer: Vec<u32>,
    /// How many of the peer's messages counted.
    told: u32,
}

impl AllowedFast {
    /// The peer lets us have a piece. Whether that is new, and one of the first
    /// [`limits::ALLOWED_FAST_KEPT`].
    pub fn on_allowed(&mut self, piece: u32) -> bool {
        let new = self.told < limits::ALLOWED_FAST_KEPT && !self.to_us.contains(&piece);
        if new {
            self.told = self.told.saturating_add(1);
            self.to_us.push(piece);
        }
        new
    }

    /// The peer did not let us have a piece after all.
    pub fn on_reject(&mut self, piece: u32) {
        self.to_us.retain(|&other| other != piece);
    }
}

/// The allowed-fast set of a peer: `count` different pieces (fewer if the torrent has fewer). Empty
/// for IPv6, for which the BEP defines none.
pub fn allowed_fast_set(ip: IpAddr, info_hash: InfoHash, pieces: u32, count: u32) -> Vec<u32> {
    let ip = match ip.to_canonical() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => return Vec::new(),
    };
    let [a, b, c, _] = ip.octets();
    let mut set = Vec::new();
    let count = count.min(pieces) as usize;
    let mut digest = Sha1::new()
        .chain_update([a, b, c, 0])
        .chain_update(info_hash.0)
        .finalize();
    while set.len() < count {
        for word in digest.chunks_exact(4) {
            let word = word.try_into().map_or(0, u32::from_be_bytes);
            let piece = word.checked_rem(pieces).unwrap_or(0);
            if set.len() < count && !set.contains(&piece) {
                set.push(piece);
            }
        }
        digest = Sha1::digest(digest);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bep_6() {
        let ip = IpAddr::from([80, 4, 4, 200]);
        let hash = InfoHash([0xaa; 20]);
        let seven = [1059, 431, 808, 1217, 287, 376, 1188];
        assert_eq!(allowed_fast_set(ip, hash, 1313, 7), seven);
        let nine = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];
        assert_eq!(allowed_fast_set(ip, hash, 1313, 9), nine);
    }

    #[test]
    fn small_torrents_allow_what_they_have() {
        let mut set = allowed_fast_set(IpAddr::from([1, 2, 3, 4]), InfoHash([1; 20]), 3, 10);
        set.sort_unstable();
        assert_eq!(set, [0, 1, 2]);
        assert!(
            allowed_fast_set(IpAddr::from([0x2001_u16; 8]), InfoHash([1; 20]), 3, 10).is_empty()
        );
    }
}
