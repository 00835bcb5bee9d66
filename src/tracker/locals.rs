//! Where trackers see us: a peer there, on our port, is ourselves.

use std::net::IpAddr;

use crate::base::limits;

/// Local addresses that trackers see us at, those used last.
#[derive(Clone, Debug, Default)]
pub struct Locals(Vec<IpAddr>);

impl Locals {
    /// Notes one.
    pub fn note(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.0.retain(|&known| known != ip);
        self.0.insert(0, ip);
        self.0.truncate(limits::LOCAL_ADDRESSES);
    }

    /// Whether this is one.
    pub fn has(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip)
    }

    /// How many are known.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}
