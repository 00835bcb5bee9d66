//! A connection through the proxy, until it has led to the other end.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use mio::net::TcpStream;

use super::proxy::Proxy;
use super::socket::unless_blocked;
use super::words::plain;
use crate::base::limits;
use crate::socks::greeting::Refusal;
use crate::socks::{Greeting, Place, Request};

/// What is said of a proxy that says nothing.
const SILENT: &str = "it does not answer";

/// What is said to the proxy before.
#[derive(Debug)]
pub struct Via {
    proxy: Arc<Proxy>,
    greeting: Greeting,
    /// What it leads to, if that has a name: where it has none, it is told anyway.
    name: Option<Arc<str>>,
    begun: Instant,
}

impl Via {
    /// Leads to a place.
    pub fn new(proxy: Arc<Proxy>, to: Place) -> Via {
        Via::of(proxy, Request::Connect(to))
    }

    /// Leads to whom the datagrams go that the proxy is to carry.
    pub fn to_relay(proxy: Arc<Proxy>) -> Via {
        Via::of(proxy, Request::Associate)
    }

    fn of(proxy: Arc<Proxy>, request: Request) -> Via {
        let name = match &request {
            Request::Connect(Place::Name(name, _)) => Some(Arc::clone(name)),
            Request::Connect(Place::Addr(_)) | Request::Associate => None,
        };
        Via {
            name,
            greeting: proxy.greeting(request),
            proxy,
            begun: Instant::now(),
        }
    }

    /// Why it takes so long, if that is the proxy's fault: what it is to connect to may be silent,
    /// too.
    pub fn delay(&self) -> Option<String> {
        let asked = self.greeting.has_asked();
        (!asked).then(|| format!("proxy {}: {SILENT}", self.proxy))
    }

    /// Whether the proxy has left what concerns itself unanswered for long.
    fn is_silent(&self, now: Instant) -> bool {
        let time = now.saturating_duration_since(self.begun);
        !self.greeting.has_asked() && time >= limits::PROXY_SILENCE
    }

    /// The connection to the proxy itself has failed.
    pub fn failed(&self, why: &str) -> io::Error {
        self.proxy.failed(why, !self.greeting.has_asked())
    }

    /// Goes on as far as that is possible now. Whether all is done.
    ///
    /// # Errors
    /// The proxy is of no use.
    pub fn go_on(&mut self, socket: &mut TcpStream) -> io::Result<bool> {
        self.converse(socket).map(|place| place.is_some())
    }

    /// The same; once all is done, the place that the proxy has named.
    ///
    /// # Errors
    /// As [`Via::go_on`].
    pub fn converse(&mut self, socket: &mut TcpStream) -> io::Result<Option<Place>> {
        loop {
            while !self.greeting.unsent().is_empty() {
                match unless_blocked(|| socket.write(self.greeting.unsent())) {
                    Ok(Some(n)) => self.greeting.on_sent(n),
                    Ok(None) => return Ok(None),
                    Err(error) => return Err(self.failed(&plain(&error))),
                }
            }
            let mut buffer = [0; limits::PROXY_NAME];
            let room = self.greeting.missing().min(buffer.len());
            match unless_blocked(|| socket.read(&mut buffer[..room])) {
                Ok(Some(0)) => return Err(self.failed("it closed the connection")),
                Ok(Some(n)) => match self.greeting.take(&buffer[..n]) {
                    Ok(None) => {}
                    Ok(Some(place)) => {
                        self.proxy.on_success();
                        return Ok(Some(place));
                    }
                    Err(Refusal { why, is_general }) => {
                        let named = self.name.as_deref().filter(|_| !is_general);
                        let why = named.map_or(why.clone(), |name| format!("{name}: {why}"));
                        return Err(self.proxy.failed(&why, is_general));
                    }
                },
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.failed(&plain(&error))),
            }
        }
    }
}

impl Drop for Via {
    fn drop(&mut self) {
        if self.is_silent(Instant::now()) {
            self.proxy.failed(SILENT, true);
        }
    }
}

#[cfg(test)]
mod tests;
