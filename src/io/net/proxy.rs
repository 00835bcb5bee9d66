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
        let addrs: Vec<SocketAddr> = found.filter(fits).collect();
        let takes = &mut |addr| takes_connections(addr, bind).unwrap_or(false);
        let best = best(&addrs, takes);
        let best =
            best.ok_or_else(|| format!("proxy {self}: it has no address that can be used"))?;
        let _ = self.addr.set(best);
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

    /// Whether the user has heard that it does not work.
    #[cfg(test)]
    pub fn is_told(&self) -> bool {
        self.told.load(Ordering::Relaxed)
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

/// Of several addresses the first that `takes` connections, or the first of all if none does. A
/// single one is not tried.
fn best(addrs: &[SocketAddr], takes: &mut dyn FnMut(SocketAddr) -> bool) -> Option<SocketAddr> {
    let mut tried = addrs.iter().take(limits::PROXY_ADDRESSES);
    let first = addrs.first().copied();
    if addrs.len() == 1 {
        return first;
    }
    tried.find(|addr| takes(**addr)).copied().or(first)
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

    #[test]
    fn no_more_than_a_few_addresses_are_tried() {
        let addrs: Vec<SocketAddr> = (0..=limits::PROXY_ADDRESSES as u8)
            .map(|number| SocketAddr::from(([192, 0, 2, number], 1080)))
            .collect();
        for (takes, expected) in [
            (limits::PROXY_ADDRESSES - 1, limits::PROXY_ADDRESSES - 1),
            // The last one would take connections, and is not tried: the first is used.
            (limits::PROXY_ADDRESSES, 0),
        ] {
            let mut tried = Vec::new();
            let found = best(&addrs, &mut |addr| {
                tried.push(addr);
                addr == addrs[takes]
            });
            assert_eq!(found, Some(addrs[expected]));
            assert_eq!(tried, addrs[..limits::PROXY_ADDRESSES]);
        }
        assert_eq!(best(&[], &mut |_| true), None);
        let only = best(&addrs[..1], &mut |_| panic!("there is no other"));
        assert_eq!(only, Some(addrs[0]));
    }

    /// Where the queue of those that wait to be accepted is full, the system drops who connects,
    /// and gives a connection up after minutes, with an error.
    #[test]
    fn an_address_that_is_silent_is_given_up_without_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let addr = listener.local_addr().unwrap();
        let _queued = std::net::TcpStream::connect(addr).unwrap();
        let begun = std::time::Instant::now();
        assert!(!takes_connections(addr, None).unwrap());
        assert!(begun.elapsed() >= limits::PROXY_ADDRESS_TIME);
    }
}
