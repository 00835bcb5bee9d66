//! The way out of this machine: the address or interface that connections are made from, and the
//! proxy that they go through.

use std::net::IpAddr;
use std::sync::Arc;

use super::bind::Bind;
use super::proxy::Proxy;
use crate::tracker::Families;

/// The way of all connections, and of all datagrams.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Route {
    /// The local address or interface; `None`: all.
    pub bind: Option<Bind>,
    /// The proxy. With one, nothing goes past it and nobody can dial us.
    pub proxy: Option<Arc<Proxy>>,
}

impl Route {
    /// Finds the proxy, if there is one.
    ///
    /// # Errors
    /// It has no address: a line for the user.
    pub fn find(&self) -> Result<(), String> {
        self.proxy.as_ref().map_or(Ok(()), |it| it.find(self.bind))
    }

    /// The families that can be used, whatever the machine has.
    pub fn families(&self) -> Families {
        Bind::families(self.bind.filter(|_| !self.has_proxy()))
    }

    /// This one, and what the other says where this says nothing.
    pub fn or(self, other: &Route) -> Route {
        Route {
            bind: self.bind.or(other.bind),
            proxy: self.proxy.or_else(|| other.proxy.clone()),
        }
    }

    /// Whether connections can be made to this address.
    pub fn fits(&self, ip: IpAddr) -> bool {
        let fits = |bind: Bind| bind.beside(ip).is_some();
        self.has_proxy() || self.bind.is_none_or(fits)
    }

    /// Whether all goes through a proxy.
    pub fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }
}
