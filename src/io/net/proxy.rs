//! The proxy that everything goes through, if the user names one (`--proxy`). Its own name is the
//! only one that is looked up here, once, at the start.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::{Events, Interest, Poll, Token};

use super::bind::Bind;
use super::socket;
use super::words::plain;
use crate::base::limits;
use crate::socks::{Greeting, Login, Request};
use crate::wire::percent;

/// A SOCKS5 proxy.
#[derive(Debug)]
pub struct Proxy {
    host: String,
    port: u16,
    login: Option<Login>,
    addr: OnceLock<SocketAddr>,
    /// The user has heard that it does not work.
    told: AtomicBool,
}

impl Proxy {
    /// One at this host (an address of IPv6 without brackets) and port. `login`: user and password
    /// as a URL has them.
    ///
    /// # Errors
    /// The login cannot be told, in a few words.
    pub fn new(host: String, port: u16, login: Option<&str>) -> Result<Proxy, String> {
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let [user, password] = [user, password].map(percent::decode);
            let fits = |text: &Vec<u8>| (1..=usize::from(u8::MAX)).contains(&text.len());
            let whole = fits(&user) && fits(&password);
            whole.then_some(Login { user, password })
        });
        if login == Some(None) {
            return Err("expected USER:PASSWORD of 1 to 255 bytes each before the @".into());
        }
        Ok(Proxy {
            host,
            port,
            login: login.flatten(),
            addr: OnceLock::new(),
            told: AtomicBool::new(false),
        })
    }

    /// Looks its name up, and keeps the first of its addresses that takes a connection. Takes as
    /// long as the system does for the name.
    ///
    /// # Errors
    /// There is no address: a line for the user.
    pub fn find(&self, bind: Option<Bind>) -> Result<(), String> {
        if self.addr.get().is_some() {
            return Ok(());
        }
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found = found.map_err(|error| format!("proxy {self}: {}", plain(&error)))?;
        let fits = |addr: &SocketAddr| bind.is_none_or(|bind| bind.beside(addr.ip()).is_some());
        let addrs = found.filter(fits).take(limits::PROXY_ADDRESSES);
        let addrs: Vec<SocketAddr> = addrs.collect();
        let takes = |addr: &&SocketAddr| takes_connections(**addr, bind).unwrap_or(false);
        let several = addrs.len() > 1;
        let best = addrs.iter().find(takes).filter(|_| several);
        let best = best.or(addrs.first());
        let best =
            best.ok_or_else(|| format!("proxy {self}: it has no address that can be used"))?;
        let _ = self.addr.set(*best);
        Ok(())
    }

    /// Where it is.
    ///
    /// # Errors
    /// [`Proxy::find`] has not found it.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        let addr = self.addr.get().copied();
        addr.ok_or_else(|| io::Error::other(format!("proxy {self}: its address is not known")))
    }

    /// What is to be said to it first.
    pub fn greeting(&self, request: Request) -> Greeting {
        Greeting::new(self.login.clone(), request)
    }

    /// It has done what it was asked for.
    pub fn on_success(&self) {
        self.told.store(false, Ordering::Relaxed);
    }

    /// It cannot be used for this reason. If that is so `for_all` connections, the user hears it,
    /// once until one succeeds.
    pub fn failed(&self, why: &str, for_all: bool) -> io::Error {
        let words = format!("proxy {self}: {why}");
        if for_all && !self.told.swap(true, Ordering::Relaxed) {
            log::warn!("{words}");
        }
        io::Error::other(words)
    }
}

/// Where it is, without its login.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Proxy) -> bool {
        (&self.host, self.port, &self.login) == (&other.host, other.port, &other.login)
    }
}

/// Whether somebody takes connections there.
fn takes_connections(addr: SocketAddr, bind: Option<Bind>) -> io::Result<bool> {
    let mut poll = Poll::new()?;
    let mut stream = socket::connect(addr, bind)?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut stream, Token(0), interest)?;
    let mut events = Events::with_capacity(1);
    poll.poll(&mut events, Some(limits::PROXY_ADDRESS_TIME))?;
    socket::connected(&stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_login_is_that_of_a_url() {
        let proxy = |login| Proxy::new("p.example".into(), 1080, Some(login));
        let login = proxy("me:p%40ss").unwrap().login.unwrap();
        assert_eq!(
            (&login.user[..], &login.password[..]),
            (&b"me"[..], &b"p@ss"[..])
        );
        let long = "x".repeat(256);
        let (user, password) = (format!("{long}:x"), format!("me:{long}"));
        for bad in ["", "me", "me:", ":secret", &user, &password] {
            assert!(proxy(bad).is_err(), "{bad}");
        }
        assert_eq!(proxy("me:secret").unwrap().to_string(), "p.example:1080");
        let v6 = Proxy::new("::1".into(), 1080, None).unwrap();
        assert_eq!(v6.to_string(), "[::1]:1080");
        assert!(v6.addr().is_err());
        v6.find(None).unwrap();
        assert_eq!(v6.addr().unwrap(), "[::1]:1080".parse().unwrap());
    }

    #[test]
    fn of_several_addresses_one_that_takes_connections_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let proxy = Proxy::new("localhost".into(), addr.port(), None).unwrap();
        proxy.find(None).unwrap();
        assert_eq!(proxy.addr().unwrap(), addr);
        assert!(takes_connections(addr, None).unwrap());
        drop(listener);
        assert!(!takes_connections(addr, None).unwrap_or(false));
    }
}
