//! Addresses that did not answer. Many nodes name the same dead ones, and a liar may name a victim
//! in each of its replies: so an address that was silent is not asked again for a while.

use std::net::SocketAddr;

use super::guard;
use crate::base::{Now, SortedMap, limits, network};

/// The silent addresses, and until when each is left alone.
#[derive(Debug, Default)]
pub struct Silent(SortedMap<SocketAddr, Now>);

impl Silent {
    /// This address did not answer.
    pub fn note(&mut self, addr: SocketAddr, now: Now) {
        if self.0.len() >= limits::DHT_SILENT {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() >= limits::DHT_SILENT {
            let oldest = self.0.iter().min_by_key(|(_, until)| **until);
            if let Some(addr) = oldest.map(|(addr, _)| *addr) {
                self.0.remove(&addr);
            }
        }
        let of_host = |known: &SocketAddr| guard::is_same(*known, addr) && *known != addr;
        let mut lasting = self.0.iter().filter(|(_, until)| **until > now);
        let is_second = lasting.any(|(known, _)| of_host(known));
        let silent = if is_second { host(addr) } else { addr };
        self.0.insert(silent, now + limits::DHT_SILENT_FOR);
    }

    /// This address answered after all.
    pub fn forget(&mut self, addr: SocketAddr) {
        self.0.remove(&addr);
        self.0.remove(&host(addr));
    }

    /// Whether this address is to be left alone.
    pub fn has(&self, addr: SocketAddr, now: Now) -> bool {
        let has = |addr| self.0.get(&addr).is_some_and(|until| *until > now);
        has(addr) || has(host(addr))
    }
}

/// A public host that was silent on two ports is left alone whatever the port: one may have been
/// named wrongly, but a victim has many.
fn host(addr: SocketAddr) -> SocketAddr {
    let mut host = addr;
    if network(addr).is_some() {
        host.set_port(0);
    }
    host
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn silence_is_remembered_for_a_while_and_of_so_many() {
        let (mut silent, start) = (Silent::default(), Now::default());
        let addr =
            |number: usize| SocketAddr::from(([9, 0, (number / 256) as u8, number as u8], 1));
        for number in 0..limits::DHT_SILENT + 3 {
            let now = start + Duration::from_millis(number as u64);
            silent.note(addr(number), now);
        }
        assert_eq!(silent.0.len(), limits::DHT_SILENT);
        assert!(!silent.has(addr(2), start) && silent.has(addr(3), start));
        let at_port = |port| SocketAddr::new(addr(7).ip(), port);
        assert!(!silent.has(at_port(99), start), "its true port, perhaps");
        silent.note(at_port(99), start);
        assert!(silent.has(at_port(98), start), "a victim has many ports");
        silent.forget(at_port(98));
        assert!(!silent.has(at_port(98), start));
        // What was silent long ago says nothing of today.
        let mut once = Silent::default();
        once.note(at_port(1), start);
        once.note(at_port(2), start + limits::DHT_SILENT_FOR);
        assert!(!once.has(at_port(3), start + limits::DHT_SILENT_FOR));
        let later = start + limits::DHT_SILENT_FOR;
        assert!(!silent.has(addr(0), later) && silent.has(addr(9), later));
        assert!(!silent.has(addr(9), later + Duration::from_secs(1)));
        silent.note("127.0.0.1:1".parse().unwrap(), later);
        assert!(!silent.has("127.0.0.1:2".parse().unwrap(), later));
    }
}
