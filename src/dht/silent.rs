//! Addresses that did not answer. Many nodes name the same dead ones, and a liar may name a victim
//! in each of its replies: so an address that was silent is not asked again for a while.

use std::net::SocketAddr;

use super::guard;
use crate::base::{SortedMap, Time, limits, network};

/// The silent addresses.
#[derive(Debug, Default)]
pub struct Silent(SortedMap<SocketAddr, Silence>);

#[derive(Debug)]
struct Silence {
    /// Until when the address is left alone.
    until: Time,
    /// No port of its host has answered since.
    counts: bool,
}

impl Silent {
    /// This address did not answer. `is_host_known`: another port of its host does.
    pub fn note(&mut self, addr: SocketAddr, is_host_known: bool, now: Time) {
        if self.0.len() >= limits::DHT_SILENT {
            self.0.retain(|_, silence| silence.until > now);
        }
        if self.0.len() >= limits::DHT_SILENT {
            let oldest = self.0.iter().min_by_key(|(_, silence)| silence.until);
            if let Some(addr) = oldest.map(|(addr, _)| *addr) {
                self.0.remove(&addr);
            }
        }
        let ports = 1 + self.other_ports(addr, now);
        let has_many = ports >= limits::DHT_PORTS_EACH && !is_host_known;
        let silent = if has_many { host(addr) } else { addr };
        let until = now + limits::DHT_SILENT_FOR;
        let counts = true;
        self.0.insert(silent, Silence { until, counts });
    }

    /// This address answered. Its host is no victim: others have named it with wrong ports.
    pub fn forget(&mut self, addr: SocketAddr) {
        self.0.remove(&addr);
        self.0.remove(&host(addr));
        let known = self.0.iter_mut();
        known
            .filter(|(known, _)| guard::is_same(**known, addr))
            .for_each(|(_, silence)| silence.counts = false);
    }

    /// At how many other ports of its host nobody answered, and nobody elsewhere there since.
    pub fn other_ports(&self, addr: SocketAddr, now: Time) -> usize {
        let lasting = self
            .0
            .iter()
            .filter(|(_, silence)| silence.until > now && silence.counts);
        let of_host = |known: &SocketAddr| guard::is_same(*known, addr) && *known != addr;
        lasting.filter(|(known, _)| of_host(known)).count()
    }

    /// Whether this address is to be left alone.
    pub fn has(&self, addr: SocketAddr, now: Time) -> bool {
        let has = |addr| self.0.get(&addr).is_some_and(|silence| silence.until > now);
        has(addr) || has(host(addr))
    }
}

/// A public host that was silent on several ports is left alone whatever the port: some may have
/// been named wrongly, but a victim has many.
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
        let (mut silent, start) = (Silent::default(), Time::default());
        let addr =
            |number: usize| SocketAddr::from(([9, 0, (number / 256) as u8, number as u8], 1));
        for number in 0..limits::DHT_SILENT + 3 {
            let now = start + Duration::from_millis(number as u64);
            silent.note(addr(number), false, now);
        }
        assert_eq!(silent.0.len(), limits::DHT_SILENT);
        assert!(!silent.has(addr(2), start) && silent.has(addr(3), start));
        let later = start + limits::DHT_SILENT_FOR;
        assert!(!silent.has(addr(0), later) && silent.has(addr(9), later));
        assert!(!silent.has(addr(9), later + Duration::from_secs(1)));
    }

    #[test]
    fn a_host_that_is_silent_at_several_ports_is_left_alone_at_all() {
        let (start, most) = (Time::default(), limits::DHT_PORTS_EACH as u16);
        let at_port = |port| SocketAddr::from(([9, 0, 0, 7], port));
        let noted = |ports: u16, is_host_known, ip: [u8; 4]| {
            let mut silent = Silent::default();
            (1..=ports).for_each(|port| silent.note((ip, port).into(), is_host_known, start));
            silent
        };
        let few = noted(most - 1, false, [9, 0, 0, 7]);
        assert!(few.has(at_port(1), start) && few.has(at_port(most - 1), start));
        assert!(!few.has(at_port(99), start), "its true port, perhaps");
        let mut many = noted(most, false, [9, 0, 0, 7]);
        assert!(many.has(at_port(99), start), "a victim has many ports");
        many.forget(at_port(99));
        assert!(!many.has(at_port(99), start));
        // It is asked again, whatever wrong ports it was named with.
        assert_eq!(many.other_ports(at_port(99), start), 0);
        assert!(many.has(at_port(1), start), "which are left alone");
        // Others name a node that answers with wrong ports.
        let known = noted(9, true, [9, 0, 0, 7]);
        assert!(known.has(at_port(9), start) && !known.has(at_port(99), start));
        // Around us each port may be a node of its own.
        let local = noted(9, false, [127, 0, 0, 1]);
        assert!(!local.has(([127, 0, 0, 1], 99).into(), start));
        // What was silent long ago says nothing of today.
        let mut once = noted(most - 1, false, [9, 0, 0, 7]);
        let later = start + limits::DHT_SILENT_FOR;
        once.note(at_port(most), false, later);
        assert!(!once.has(at_port(99), later));
    }
}
