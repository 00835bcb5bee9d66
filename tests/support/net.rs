//! Networks of our own: a hub with a bridge and some hosts, each a network namespace, joined by
//! veth pairs. Real clients refuse peers on loopback, and on one address they cannot be told apart.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use super::dir::is_stale;

/// A hub and its hosts. All namespaces are deleted on drop.
#[derive(Debug)]
pub struct Net {
    hosts: Vec<Host>,
}

/// A machine of its own: a namespace with `lo` and one interface.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
}

const PREFIX: &str = "brooklet-";

impl Net {
    /// A hub and this many hosts, all of whom reach each other by IPv4 and IPv6. `None`, and the
    /// test is skipped, where this is not allowed.
    pub fn new(hosts: usize) -> Option<Net> {
        static SWEPT: Once = Once::new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !super::root() || !super::installed(&["ip", "nsenter", "setpriv"]) {
            return None;
        }
        SWEPT.call_once(sweep);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut net = Net { hosts: Vec::new() };
        for host in 0..=hosts {
            let namespace = format!("{PREFIX}{}-{number}-{host}", std::process::id());
            let last = u8::try_from(host + 1).unwrap();
            ip(&format!("netns add {namespace}"));
            net.hosts.push(Host {
                namespace,
                v4: Ipv4Addr::new(10, 77, 0, last),
                v6: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()),
            });
            net.wire(host);
        }
        Some(net)
    }

    /// All addresses of a network, such as `60.0.0.0/8`, are the hub's, and all hosts reach them: a
    /// DHT has nodes in many networks.
    pub fn elsewhere(&self, network: &str) {
        let hub = self.hub();
        for Host { namespace, .. } in &self.hosts[1..] {
            ip(&format!("-n {namespace} route add default via {}", hub.v4));
        }
        // No addresses of an interface: libtorrent would send by that interface only.
        let route = format!("route add local {network} dev lo table local");
        ip(&format!("-n {} {route}", hub.namespace));
    }

    /// Joins two hosts by a further pair of interfaces, named `side`, in networks of their own;
    /// their addresses there, of the first host and of the second.
    pub fn side(&self, hosts: [usize; 2]) -> [Host; 2] {
        let [one, other] = hosts.map(|index| &self.host(index).namespace);
        let pair = format!("type veth peer name side netns {other}");
        ip(&format!("-n {one} link add side {pair}"));
        [(one, 1), (other, 2)].map(|(namespace, last)| {
            let host = Host {
                namespace: namespace.clone(),
                v4: Ipv4Addr::new(10, 78, 0, last),
                v6: Ipv6Addr::new(0x2001, 0xdb8, 78, 0, 0, 0, 0, last.into()),
            };
            let Host { v4, v6, .. } = &host;
            ip(&format!("-n {namespace} link set side addrgenmode none"));
            ip(&format!("-n {namespace} addr add {v4}/24 dev side"));
            ip(&format!("-n {namespace} addr add {v6}/64 dev side nodad"));
            ip(&format!("-n {namespace} link set side up"));
            host
        })
    }

    /// The middle, where trackers run.
    pub fn hub(&self) -> &Host {
        &self.hosts[0]
    }

    /// A host, counted from 0.
    pub fn host(&self, index: usize) -> &Host {
        &self.hosts[index + 1]
    }

    fn wire(&self, index: usize) {
        let hub = &self.hosts[0].namespace;
        let Host { namespace, v4, v6 } = &self.hosts[index];
        let link = match index {
            0 => {
                ip(&format!("-n {hub} link add bridge type bridge"));
                "bridge"
            }
            _ => {
                ip(&format!(
                    "-n {hub} link add host{index} type veth peer name net netns {namespace}"
                ));
                ip(&format!("-n {hub} link set host{index} master bridge up"));
                "net"
            }
        };
        // No link-local addresses and no duplicate address detection: what is up can be used at
        // once.
        ip(&format!("-n {namespace} link set {link} addrgenmode none"));
        ip(&format!("-n {namespace} addr add {v4}/24 dev {link}"));
        ip(&format!("-n {namespace} addr add {v6}/64 dev {link} nodad"));
        ip(&format!("-n {namespace} link set {link} up"));
        ip(&format!("-n {namespace} link set lo up"));
        // Some clients leave it to the system where multicast goes; elsewhere the default route
        // says so.
        ip(&format!("-n {namespace} route add 224.0.0.0/4 dev {link}"));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for host in &self.hosts {
            let _ = Command::new("ip")
                .args(["netns", "delete", &host.namespace])
                .status();
        }
    }
}

impl Host {
    /// The option with which `nsenter` runs a command on this host.
    pub fn nsenter(&self) -> String {
        format!("--net={}", folder().join(&self.namespace).display())
    }

    /// Its address of one family.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.v4.into(),
            Family::V6 => self.v6.into(),
        }
    }

    /// What an HTTP server answers to a GET that is sent from this host; `None` if nobody listens
    /// there.
    pub fn http_get(&self, server: SocketAddr, path: &str) -> Option<Vec<u8>> {
        let script =
            r#"exec 3<>"/dev/tcp/$1/$2" && printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&3 && cat <&3"#;
        let done = Command::new("nsenter")
            .args([
                &self.nsenter(),
                "timeout",
                "5",
                "bash",
                "-c",
                script,
                "bash",
            ])
            .args([&server.ip().to_string(), &server.port().to_string(), path])
            .output()
            .unwrap();
        done.status.success().then_some(done.stdout)
    }

    /// Takes its interface `up` or `down`.
    pub fn link(&self, state: &str) {
        ip(&format!("-n {} link set net {state}", self.namespace));
    }

    /// Dials to this port over TCP fail at once, from this host.
    pub fn without_tcp(&self, port: u16) {
        let rule = format!("ipproto tcp dport {port} unreachable");
        ip(&format!("-n {} rule add pref 10 {rule}", self.namespace));
    }

    /// An address and port of this host.
    pub fn socket(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(family), port)
    }
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

/// A TCP port that nobody listens on at this moment, on the machine itself. Below the range from
/// which the kernel takes the ports of outgoing connections, and different for every call in this
/// process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let port = 10_000 + (step % 20_000) as u16;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from("/run/netns")
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(
        done.status.success(),
        "ip {words}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Deletes the namespaces of test processes that are gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(folder()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.strip_prefix(PREFIX).is_some_and(is_stale) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).status();
        }
    }
}
