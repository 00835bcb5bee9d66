//! Nodes of the DHT to begin with: those of the last run, from the file `dht.nodes` of the state
//! folder, and hosts whose names are looked up while few are known.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use super::disk::state;
use super::net::{Bind, NamedBy, Outreach};
use crate::base::{Time, limits};
use crate::dht::{Config, Dht, Saved};
use crate::session::Start;
use crate::tracker::Families;

/// Hosts that many clients begin with.
const HOSTS: [(&str, u16); 3] = [
    ("dht.libtorrent.org", 25401),
    ("dht.transmissionbt.com", 6881),
    ("router.bittorrent.com", 6881),
];

/// The nodes that the process knows besides the session; none if it takes no part in the DHT.
#[derive(Debug, Default)]
pub struct Nodes {
    path: PathBuf,
    /// Named hosts: host, port, and who names it; the oldest first.
    named: Vec<(String, u16, NamedBy)>,
    /// Whether the usual ones may be asked, too.
    usual: bool,
    /// What the file holds.
    kept: String,
    /// The thread that writes it.
    writing: Option<JoinHandle<()>>,
}

impl Nodes {
    /// Reads the file in this folder. `named`: the hosts that the user names, instead of the usual
    /// ones.
    pub fn load(
        state_dir: PathBuf,
        named: Vec<(String, u16)>,
        bind: Option<Bind>,
    ) -> (Nodes, Saved) {
        let path = state_dir.join("dht.nodes");
        let file = state::load(&path, limits::DHT_FILE + 1);
        let file = file.unwrap_or_else(|error| {
            log::info!("{error}");
            None
        });
        let saved = file.map_or_else(Saved::default, |file| {
            Saved::read(&file).unwrap_or_else(|why| {
                log::info!("{}: {why}", path.display());
                Saved::default()
            })
        });
        // From loopback no host elsewhere can be reached.
        let usual = named.is_empty() && !bind.is_some_and(|bind| bind.is_loopback());
        let named = named
            .into_iter()
            .map(|(host, port)| (host, port, NamedBy::User));
        let nodes = Nodes {
            path,
            named: named.collect(),
            usual,
            kept: saved.write(),
            writing: None,
        };
        (nodes, saved)
    }

    /// A torrent that was added while the process runs names this node: it is looked up at once.
    pub fn look_up_new(&mut self, node: &str, outreach: &mut Outreach, now: Time) {
        if let Some((host, port, by)) = self.add_host(node) {
            outreach
                .look_ups
                .look_up_node(host.clone(), *port, *by, now);
        }
    }

    /// A torrent names this node, as `host:port`. Of too many the oldest that torrents have named
    /// is forgotten. Returns it if it is new.
    pub fn add_host(&mut self, node: &str) -> Option<&(String, u16, NamedBy)> {
        let (host, port) = node.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let node = (host.to_string(), port.parse().ok()?, NamedBy::Torrent);
        if self.named.contains(&node) {
            return None;
        }
        if self.named.len() >= limits::DHT_CONTACTS {
            let mut all = self.named.iter();
            let oldest = all.position(|(_, _, by)| *by == NamedBy::Torrent)?;
            self.named.remove(oldest);
        }
        self.named.push(node);
        self.named.last()
    }

    /// What the session's node is made with. `random`: two independent numbers.
    pub fn start(
        &self,
        saved: Saved,
        families: Families,
        bind: Option<Bind>,
        random: (u64, u64),
    ) -> Start {
        let reachable = Bind::families(bind);
        Start {
            config: Config {
                v4: families.v4 && reachable.v4,
                v6: families.v6 && reachable.v6,
                saved,
            },
            secret: random.0,
            seed: random.1,
            named_hosts: !self.named.is_empty(),
            usual_hosts: self.usual,
        }
    }

    /// Looks up the hosts to begin with: those that are named, and with `usual` the others, too.
    pub fn look_up(&self, outreach: &mut Outreach, usual: bool, now: Time) {
        for (host, port, by) in &self.named {
            outreach
                .look_ups
                .look_up_node(host.clone(), *port, *by, now);
        }
        for (host, port) in HOSTS.iter().filter(|_| usual && self.usual) {
            outreach
                .look_ups
                .look_up_node(host.to_string(), *port, NamedBy::Usage, now);
        }
    }

    /// Saves the nodes that are known, if they have changed, without waiting for the disk.
    pub fn keep(&mut self, dht: Option<&Dht>) {
        let saved = dht.filter(|dht| dht.nodes() > 0).map(Dht::saved);
        let Some(text) = saved.map(|saved| saved.write()) else {
            return;
        };
        if text == self.kept {
            return;
        }
        self.wait();
        let (path, bytes) = (self.path.clone(), text.clone());
        let thread = thread::Builder::new().name(String::from("nodes"));
        self.writing = thread.spawn(move || write(&path, &bytes)).ok();
        if self.writing.is_none() {
            // The system has no more threads.
            write(&self.path, &text);
        }
        self.kept = text;
    }

    /// Waits until everything is written.
    pub fn wait(&mut self) {
        if let Some(writing) = self.writing.take() {
            let _ = writing.join();
        }
    }
}

fn write(path: &Path, text: &str) {
    if let Err(error) = state::replace(path, text.as_bytes()) {
        log::info!("{error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(named: &[(&str, u16)], bind: Option<&str>) -> Nodes {
        let named = named.iter().map(|(host, port)| (host.to_string(), *port));
        let bind = bind.map(|ip| Bind::parse(ip).unwrap());
        Nodes::load(PathBuf::from("/nonexistent"), named.collect(), bind).0
    }

    #[test]
    fn the_usual_hosts_are_those_that_nobody_replaces_and_that_can_be_reached() {
        assert!(load(&[], None).usual && load(&[], Some("192.0.2.1")).usual);
        for local in ["127.0.0.1", "::1"] {
            assert!(!load(&[], Some(local)).usual);
        }
        let named = load(&[("localhost", 7)], Some("192.0.2.1"));
        assert_eq!(named.named, [(String::from("localhost"), 7, NamedBy::User)]);
        assert!(!named.usual);
    }

    #[test]
    fn a_torrents_nodes_are_added_once_each_and_bounded() {
        let mut nodes = load(&[("own.example", 1)], Some("::1"));
        for node in ["a.example:7", "[2001:db8::1]:8", "a.example:7", "b", "c:x"] {
            nodes.add_host(node);
        }
        let hosts: Vec<(&str, u16)> = nodes.named.iter().map(|(h, p, _)| (&h[..], *p)).collect();
        let own = ("own.example", 1);
        assert_eq!(hosts, [own, ("a.example", 7), ("2001:db8::1", 8)]);
        for port in 1..=2 * limits::DHT_CONTACTS {
            nodes.add_host(&format!("d.example:{port}"));
        }
        assert_eq!(nodes.named.len(), limits::DHT_CONTACTS);
        // The user's stays, and a torrent that is added late has its hosts asked, too.
        assert_eq!(nodes.named[0].0, "own.example");
        let last = u16::try_from(2 * limits::DHT_CONTACTS).unwrap();
        assert_eq!(nodes.named[limits::DHT_CONTACTS - 1].1, last);
        assert!(!nodes.usual);
    }
}
