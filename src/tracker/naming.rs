//! Which of the peers in a tracker's answer are worth dialing, and a remark about the others: a
//! user who reads "0 peers" can see that the tracker is at fault.

use std::net::IpAddr;

use super::guard;
use super::locals::Locals;
use super::standing::{Identity, Standing};
use crate::base::Reach;
use crate::wire::Family;
use crate::wire::announce::Reply;

/// What is left out of an answer, in numbers.
#[derive(Debug, Default)]
struct Left {
    ourselves: usize,
    nowhere: Vec<IpAddr>,
    portless: usize,
    inside: usize,
}

/// Takes from an answer the peers that are not worth dialing. `outside`: the tracker has a public
/// address. `locals`: where trackers see us. Returns a remark for the user, if the number of peers
/// alone would mislead.
pub fn remove_useless(
    reply: &mut Reply,
    outside: bool,
    us: &Standing,
    locals: &Locals,
) -> Option<String> {
    let mut left = Left::default();
    let named = reply.peers.len();
    let external = reply.external.map(|ip| ip.to_canonical());
    reply.peers.retain(|&peer| {
        let ip = peer.ip().to_canonical();
        let is_local = locals.has(ip) || external == Some(ip);
        let port = peer.port();
        // Where nobody can dial us, we find ourselves among those that nobody can dial.
        let hides = port == Identity::NO_PORT && us.identity.port == port;
        if port == us.identity.port && is_local {
            left.ourselves += 1;
        } else if Reach::of(ip) == Reach::Nowhere {
            left.nowhere.push(ip);
        } else if port == 0 || hides {
            left.portless += 1;
        } else if !guard::is_dialable(peer, outside) {
            left.inside += 1;
        } else {
            return true;
        }
        false
    });
    let mut remarks = left.remarks();
    remarks.extend(reply.misplaced.map(|family| {
        String::from(match family {
            Family::V4 => "IPv4 addresses where IPv6 ones are due",
            Family::V6 => "IPv6 addresses where IPv4 ones are due",
        })
    }));
    if reply.unreadable > 0 {
        remarks.push(format!("{} left out without an address", reply.unreadable));
    }
    let others = others(reply, us);
    if named + reply.unreadable == 0 && others > 0 {
        remarks.push(format!("it counts {others} and names none"));
    }
    (!remarks.is_empty()).then(|| remarks.join(", "))
}

/// How many take part besides us, by the tracker's counts.
fn others(reply: &Reply, us: &Standing) -> u32 {
    let (seeders, leechers) = (reply.seeders.unwrap_or(0), reply.leechers.unwrap_or(0));
    let (ours, theirs) = if us.left == 0 {
        (seeders, leechers)
    } else {
        (leechers, seeders)
    };
    ours.saturating_sub(1).saturating_add(theirs)
}

impl Left {
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.ourselves > 0 {
            remarks.push(String::from("not counting this client"));
        }
        if let Some(first) = self.nowhere.first() {
            let count = self.nowhere.len();
            remarks.push(format!(
                "{count} left out at {first}, which cannot be a peer"
            ));
        }
        for (count, what) in [(self.portless, "port 0"), (self.inside, "a local address")] {
            if count > 0 {
                remarks.push(format!("{count} left out at {what}"));
            }
        }
        remarks
    }
}
