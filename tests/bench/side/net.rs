//! Two network namespaces joined by a veth pair: the client under test in one, everybody else in
//! the other. Real clients refuse peers on loopback, and several at one address.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Failure, is_stale};

/// The address of the client under test.
pub const CLIENT: &str = "10.89.0.1";

const PREFIX: &str = "brooklet-bench-";

/// The two namespaces; deleted on drop.
pub struct Net {
    client: String,
    load: String,
}

impl Net {
    /// Makes them. Those of runs that were killed are deleted first.
    pub fn new() -> Result<Net, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root: run it with sudo".into());
        }
        sweep();
        let name = |role| format!("{PREFIX}{}-{role}", std::process::id());
        let net = Net {
            client: name("client"),
            load: name("load"),
        };
        let Net { client, load } = &net;
        ip(&format!("netns add {client}"))?;
        ip(&format!("netns add {load}"))?;
        ip(&format!(
            "-n {client} link add net type veth peer name net netns {load}"
        ))?;
        ip(&format!("-n {client} addr add {CLIENT}/24 dev net"))?;
        ip(&format!("-n {load} addr add 10.89.0.2/24 dev net"))?;
        for namespace in [client, load] {
            ip(&format!("-n {namespace} link set lo up"))?;
            ip(&format!("-n {namespace} link set net up"))?;
        }
        // A whole network is local there, so that every peer has an address of its own without
        // adding each.
        ip(&format!("-n {load} route add local 10.89.128.0/17 dev lo"))?;
        ip(&format!(
            "-n {client} route add 10.89.128.0/17 via 10.89.0.2"
        ))?;
        Ok(net)
    }

    /// The option of `nsenter` for the client's namespace.
    pub fn of_client(&self) -> String {
        format!("--net=/run/netns/{}", self.client)
    }

    /// The option of `nsenter` for everybody else's.
    pub fn of_load(&self) -> String {
        format!("--net=/run/netns/{}", self.load)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for namespace in [&self.client, &self.load] {
            let _ = ip(&format!("netns delete {namespace}"));
        }
    }
}

fn ip(words: &str) -> Result<(), Failure> {
    let done = Command::new("ip").args(words.split(' ')).output();
    let done = done.map_err(|why| format!("ip: {why}"))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("ip {words}: {}", String::from_utf8_lossy(&done.stderr)).into())
    }
}

fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_stale(Path::new(&name), PREFIX) {
            let _ = ip(&format!("netns delete {name}"));
        }
    }
}
