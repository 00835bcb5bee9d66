//! The file of nodes to start from, `dht.nodes`: text, so that a user can look at it.
//!
//! ```text
//! brooklet DHT nodes 1
//! id4 5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401
//! node 5a3ce9c14e7a08645677bbd1cfe7d8f956d53256 192.0.2.7:6881
//! ```
//!
//! The first line names the format and its version. `id4` and `id6` are our own ids in the two
//! families, `node` is a node that answered us lately: its id and its address. Lines that say
//! something else are ignored, so that a later version may add some; a file of another version is.

use std::net::SocketAddr;

use crate::base::{InfoHash, NodeId, Reach, limits};
use crate::wire::Family;
use crate::wire::krpc::NodeInfo;

const HEAD: &str = "brooklet DHT nodes 1";

/// What is kept from one run to the next.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// Our id among the IPv4 nodes.
    pub id4: Option<NodeId>,
    /// Our id among the IPv6 nodes.
    pub id6: Option<NodeId>,
    /// Nodes that answered, of both families.
    pub nodes: Vec<NodeInfo>,
}

impl Saved {
    /// Reads the file. A damaged line costs no more than itself.
    ///
    /// # Errors
    /// It is none of this version: why, in a few words.
    pub fn read(file: &[u8]) -> Result<Saved, &'static str> {
        if file.len() > limits::DHT_FILE {
            return Err("it is longer than 64 KiB");
        }
        let head = file.split(|&byte| byte == b'\n').next();
        let Some(lines) = file
            .strip_prefix(HEAD.as_bytes())
            .filter(|_| head == Some(HEAD.as_bytes()))
        else {
            return Err("it does not begin with \"brooklet DHT nodes 1\"");
        };
        let mut saved = Saved::default();
        for line in lines.split(|&byte| byte == b'\n') {
            // A line that is no text has no words.
            let line = std::str::from_utf8(line).unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["id4", id] => saved.id4 = parse_id(id),
                ["id6", id] => saved.id6 = parse_id(id),
                ["node", id, addr] => {
                    let node = parse_id(id).zip(addr.parse::<SocketAddr>().ok());
                    let node = node.map(|(id, addr)| NodeInfo { id, addr });
                    saved.nodes.extend(node.filter(|node| is_usable(node.addr)));
                }
                _ => {}
            }
        }
        for family in [Family::V4, Family::V6] {
            let mut kept = 0;
            saved.nodes.retain(|node| {
                let counts = Family::of(node.addr.ip()) == family;
                kept += usize::from(counts);
                !counts || kept <= limits::DHT_SAVED
            });
        }
        Ok(saved)
    }

    /// The file.
    pub fn write(&self) -> String {
        let mut file = format!("{HEAD}\n");
        for (name, id) in [("id4", self.id4), ("id6", self.id6)] {
            if let Some(id) = id {
                file += &format!("{name} {id}\n");
            }
        }
        for node in &self.nodes {
            file += &format!("node {} {}\n", node.id, node.addr);
        }
        file
    }

    /// The nodes of one family.
    pub fn nodes_of(&self, family: Family) -> (Option<NodeId>, Vec<NodeInfo>) {
        let id = match family {
            Family::V4 => self.id4,
            Family::V6 => self.id6,
        };
        let nodes = self.nodes.iter();
        let nodes = nodes.filter(|node| Family::of(node.addr.ip()) == family);
        (id, nodes.copied().collect())
    }
}

fn parse_id(text: &str) -> Option<NodeId> {
    InfoHash::from_hex(text).map(|hash| NodeId(hash.0))
}

fn is_usable(addr: SocketAddr) -> bool {
    addr.port() != 0 && Reach::of(addr.ip()) != Reach::Nowhere
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8, addr: &str) -> NodeInfo {
        NodeInfo {
            id: NodeId([number; 20]),
            addr: addr.parse().unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let saved = Saved {
            id4: Some(NodeId([1; 20])),
            id6: None,
            nodes: vec![node(3, "192.0.2.7:6881"), node(4, "[2001:db8::1]:1")],
        };
        let file = saved.write();
        assert!(file.contains("\nnode 0303030303030303030303030303030303030303 192.0.2.7:6881\n"));
        assert_eq!(Saved::read(file.as_bytes()), Ok(saved.clone()));
        assert_eq!(saved.nodes_of(Family::V6), (None, vec![saved.nodes[1]]));
        for end in 0..HEAD.len() {
            assert!(Saved::read(&file.as_bytes()[..end]).is_err());
        }
        for end in HEAD.len()..file.len() {
            let read = Saved::read(&file.as_bytes()[..end]).unwrap();
            assert!(read.nodes.len() <= 2, "cut to {end}");
        }
    }

    #[test]
    fn a_damaged_line_costs_no_more_than_itself() {
        let id = "03".repeat(20);
        let file = format!(
            "{HEAD}\nnode {id} 192.0.2.7:6881\nnode {id}\nnode {id} 192.0.2.7:0\nnode 03 192.0.2.8:1\n\
             node {id} 224.0.0.1:9\nlater words\n\nid6 {id}\nnode {id} [2001:db8::1]:1\n"
        );
        let mut file = file.into_bytes();
        file.extend(b"\xff\xfe\nnode\0\n");
        let read = Saved::read(&file).unwrap();
        assert_eq!(read.nodes.len(), 2);
        assert_eq!((read.id4, read.id6), (None, Some(NodeId([3; 20]))));
        assert!(Saved::read(b"brooklet DHT nodes 2\n").is_err());
        assert!(Saved::read(b"brooklet DHT nodes 12\n").is_err());
    }

    #[test]
    fn the_file_is_bounded() {
        let mut file = format!("{HEAD}\n");
        for number in 0..limits::DHT_SAVED + 50 {
            let id = NodeId([9; 20]);
            file += &format!("node {id} 192.0.{}.{}:1\n", number / 250, number % 250);
            file += &format!("node {id} [2001:db8::{number:x}]:1\n");
        }
        let read = Saved::read(file.as_bytes()).unwrap();
        for family in [Family::V4, Family::V6] {
            assert_eq!(read.nodes_of(family).1.len(), limits::DHT_SAVED);
        }
        let mut long = file.into_bytes();
        long.resize(limits::DHT_FILE, b'\n');
        assert!(Saved::read(&long).is_ok());
        long.push(b'\n');
        assert!(Saved::read(&long).is_err());
    }
}
