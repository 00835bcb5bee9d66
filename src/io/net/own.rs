//! The addresses of this machine, from tables of the system: peers that are named at our port there
//! are we ourselves.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::bind::Bind;
use crate::base::limits;

/// Where peers may dial us at this port: at the addresses of `bind`, if it has some, else at all of
/// this machine.
pub fn addresses(port: u16, bind: Option<Bind>) -> Vec<SocketAddr> {
    let bound = bind.iter().flat_map(Bind::ips);
    let mut ips: Vec<IpAddr> = bound.filter(|ip| !ip.is_unspecified()).collect();
    if ips.is_empty() {
        let read = |path: &str| File::open(path).map_or(String::new(), text);
        ips = of_v4(&read("/proc/net/fib_trie"));
        ips.extend(of_v6(&read("/proc/net/if_inet6")));
    }
    let addrs = ips.into_iter().map(|ip| SocketAddr::new(ip, port));
    addrs.collect()
}

/// The beginning of a table, as much as is looked through.
fn text(table: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is of use.
    let _ = table.take(limits::OWN_TABLE as u64).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Of the table of IPv4's routes: a line for an address or network, then a line for each of its
/// routes; one to this machine says `host LOCAL`. An address may stand in several parts of it.
fn of_v4(table: &str) -> Vec<IpAddr> {
    let (mut found, mut last) = (Vec::new(), None);
    for line in table.lines() {
        let line = line.trim_start();
        if let Some(ip) = line.strip_prefix("|-- ") {
            last = ip.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            let ip = last.map(IpAddr::V4);
            found.extend(ip.filter(|ip| !found.contains(ip)));
        }
    }
    found
}

/// Of the table of IPv6's addresses: a line each, its 32 hexadecimal digits first.
fn of_v6(table: &str) -> Vec<IpAddr> {
    let words = table
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let ips = words.filter_map(|word| u128::from_str_radix(word, 16).ok());
    ips.map(|ip| IpAddr::from(ip.to_be_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_this_machine_are_found() {
        let table = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
                     \x20    +-- 127.0.0.0/8 2 0 2\n        |-- 127.0.0.0\n           /8 host LOCAL\n\
                     \x20       |-- 127.0.0.1\n           /32 host LOCAL\n\
                     \x20    |-- 198.51.100.7\n        /32 host LOCAL\n\
                     \x20    |-- 198.51.100.255\n        /32 link BROADCAST\nLocal:\n\
                     \x20    |-- 198.51.100.7\n        /32 host LOCAL\n";
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(of_v4(table), [ip("127.0.0.1"), ip("198.51.100.7")]);
        let table = "fe800000000000000000000000000002 07 40 20 80      net\nnonsense\n\
                     00000000000000000000000000000001 01 80 10 80       lo\n";
        assert_eq!(of_v6(table), [ip("fe80::2"), ip("::1")]);
        let endless = text(std::io::repeat(b'\n'));
        assert_eq!(endless.len(), limits::OWN_TABLE);
        let bound = addresses(7, Some(ip("192.0.2.1").into()));
        assert_eq!(bound, ["192.0.2.1:7".parse().unwrap()]);
        // Each machine has this one.
        let all = addresses(7, None);
        assert!(all.contains(&"127.0.0.1:7".parse().unwrap()), "{all:?}");
        assert_eq!(addresses(7, Some(ip("0.0.0.0").into())), all);
    }
}
