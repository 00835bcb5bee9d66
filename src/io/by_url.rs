//! A `.torrent` by its URL: it is fetched before anything else is done, by a poll loop that lives
//! as long as that takes. Redirects are followed, to a magnet link too.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mio::{Events, Interest, Poll, Token, Waker};

use super::clock::Clock;
use super::net::resolve::Resolver;
use super::net::tcp::plain;
use super::net::{Route, Stream, Target};
use crate::base::{Duration, Reach, Time, limits};
use crate::http::{Download, Head, Url, get, shown};
use crate::wire::magnet;

const WAKER: Token = Token(0);
const STREAM: Token = Token(1);
/// How often a fetch asks whether it may go on: while it waits for that, and otherwise.
const PAUSE: Duration = Duration::from_millis(100);
/// See [`PAUSE`].
const TICK: Duration = Duration::from_secs(1);

/// How servers may be reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The way of connections to them.
    pub route: Route,
    /// Whether a server elsewhere may redirect to a local address.
    pub allow_local: bool,
}

/// What a URL leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// A file: its bytes.
    File(Vec<u8>),
    /// A magnet link.
    Link(String),
}

/// Whether a fetch may go on to have so many bytes in memory; `false`: it asks again later. Where
/// it is given up: why.
pub type May<'a> = &'a mut dyn FnMut(usize) -> Result<bool, String>;

/// Whether what a user names is a URL that [`fetch`] takes.
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| it.eq_ignore_ascii_case("http") || it.eq_ignore_ascii_case("https"))
}

/// Fetches what a URL leads to, as long as it `may`.
///
/// # Errors
/// Why it cannot be had: what, where and why in one line.
pub fn fetch(text: &str, access: Access, may: May<'_>) -> Result<Fetched, String> {
    let url = Url::parse(text).map_err(|why| format!("{}: {why}", hide_login(text)))?;
    let name = url.to_string();
    access.route.find()?;
    let broken = |error| format!("poll: {}", plain(&error));
    let poll = Poll::new().map_err(broken)?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(broken)?);
    let mut fetcher = UrlFetcher {
        poll,
        resolver: Resolver::new(waker, access.route.has_proxy()),
        clock: Clock::start(),
        access,
        may,
        outside: false,
        url,
    };
    let fetched = fetcher.follow();
    let at = fetcher.url.to_string();
    fetched.map_err(|why| {
        if at == name {
            format!("{name}: {why}")
        } else {
            format!("{name}: redirected to {at}: {why}")
        }
    })
}

/// A URL without the login in it, as it stands in messages.
pub fn hide_login(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (_, host) = rest[..end].rsplit_once('@')?;
        Some(format!("{scheme}://{host}{}", &rest[end..]))
    };
    hidden().unwrap_or_else(|| text.to_string())
}

/// What the way to a URL's content needs.
struct UrlFetcher<'a> {
    poll: Poll,
    resolver: Resolver<()>,
    clock: Clock,
    access: Access,
    may: May<'a>,
    /// A server out in the world was asked.
    outside: bool,
    /// What is asked for now.
    url: Url,
}

impl UrlFetcher<'_> {
    /// Asks, and asks again where a redirect leads to.
    fn follow(&mut self) -> Result<Fetched, String> {
        for _ in 0..=limits::URL_REDIRECTS {
            let (head, body) = self.ask()?;
            let Some(location) = head.redirect() else {
                return match head.status {
                    200 => Ok(Fetched::File(body)),
                    _ => Err(refusal(&head)),
                };
            };
            let location = location.trim();
            if magnet::is_magnet(location) {
                return Ok(Fetched::Link(location.to_string()));
            }
            let joined = self.url.join(location);
            self.url = joined.map_err(|why| match location.get(..8) {
                Some(start) if is_lacked(start) => {
                    let location = shown(&hide_login(location));
                    format!("it redirects to {location}: {NO_HTTPS}")
                }
                _ => format!("it redirects to {}: {why}", shown(location)),
            })?;
        }
        let most = limits::URL_REDIRECTS;
        Err(format!("redirected more than {most} times"))
    }

    /// One GET, to the first address that takes a connection.
    fn ask(&mut self) -> Result<(Head, Vec<u8>), String> {
        let mut why = String::from("no address");
        for ip in self.addresses()? {
            let local = Reach::of(ip).is_local();
            if local && self.outside && !self.access.allow_local {
                why = format!("{ip} is a local address (--allow-local)");
                continue;
            }
            let addr = SocketAddr::new(ip, self.url.port);
            match self.connect(addr) {
                Ok(stream) => {
                    self.outside |= !local;
                    return self.exchange(stream);
                }
                Err(failed) => why = failed,
            }
        }
        Err(why)
    }

    fn addresses(&mut self) -> Result<Vec<IpAddr>, String> {
        let host = self.url.host.clone();
        let until = self.clock.now() + limits::HTTP_TIME;
        self.resolver.look_up((), host, self.clock.now());
        loop {
            let now = self.clock.now();
            if let Some((_, found)) = self.resolver.next_found(now) {
                let route = &self.access.route;
                let fits = |ip: &IpAddr| Reach::of(*ip) != Reach::Nowhere && route.fits(*ip);
                let ips = found?.into_iter().filter(fits);
                return Ok(ips.take(limits::TRACKER_ADDRESSES).collect());
            }
            if now >= until {
                return Err(String::from("look-up takes too long"));
            }
            self.sleep(until)?;
        }
    }

    fn connect(&mut self, addr: SocketAddr) -> Result<Stream, String> {
        let until = self.clock.now() + limits::CONNECT_TIME;
        let target = Target {
            place: self.resolver.place(addr)?,
            tls: self.url.tls().map(Arc::from),
        };
        let connected = Stream::connect(&target, &self.access.route);
        let mut stream = connected.map_err(|why| plain(&why))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        let registered = registry.register(&mut stream, STREAM, interest);
        registered.map_err(|why| plain(&why))?;
        while !stream.finish().map_err(|why| plain(&why))? {
            if self.clock.now() >= until {
                let late = || String::from("no connection in time");
                return Err(stream.delay().unwrap_or_else(late));
            }
            self.sleep(until)?;
        }
        Ok(stream)
    }

    /// Sends the request, and gathers the answer.
    fn exchange(&mut self, mut stream: Stream) -> Result<(Head, Vec<u8>), String> {
        let request = get(&self.url);
        let mut unsent = &request[..];
        let mut download = Download::new(limits::METAINFO_BYTES, self.clock.now());
        let mut buffer = vec![0; limits::READ];
        loop {
            while let Some(sent) = stream.write(unsent).unwrap_or(None).filter(|&n| n > 0) {
                unsent = &unsent[sent..];
            }
            let is_whole = loop {
                if !(self.may)(download.length())? {
                    let waited = self.pause()?;
                    download.excuse(waited);
                    continue;
                }
                match stream.read(&mut buffer).map_err(|why| plain(&why))? {
                    None => break false,
                    Some(0) => break true,
                    Some(n) => {
                        if download.take(&buffer[..n], self.clock.now())? {
                            break true;
                        }
                    }
                }
            };
            if is_whole {
                // What is compressed may be long.
                while download.is_coded() && !(self.may)(limits::METAINFO_BYTES)? {
                    self.pause()?;
                }
                return download.finish();
            }
            if let Some(why) = download.late(self.clock.now()) {
                return Err(why);
            }
            self.sleep(download.deadline())?;
        }
    }

    /// Waits a while; for how long.
    fn pause(&mut self) -> Result<Duration, String> {
        let begun = self.clock.now();
        self.sleep(begun + PAUSE)?;
        Ok(self.clock.now().since(begun))
    }

    /// Waits until something happens, or until then.
    fn sleep(&mut self, until: Time) -> Result<(), String> {
        let timeout = until.since(self.clock.now()).min(TICK);
        let mut events = Events::with_capacity(8);
        match self.poll.poll(&mut events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                Err(format!("poll: {}", plain(&error)))
            }
            // Nothing more is wanted than to hear whether it is given up.
            _ => (self.may)(0).map(drop),
        }
    }
}

/// Whether a URL that begins so is one that this build cannot fetch.
pub fn is_lacked(start: &str) -> bool {
    !cfg!(feature = "https") && start.eq_ignore_ascii_case("https://")
}

/// What to do about `https`.
pub const NO_HTTPS: &str = "this build lacks https (cargo build --release --features https has \
                            it): fetch it with curl -LO, and name the file";

/// What a status says that is neither success nor a redirect.
fn refusal(head: &Head) -> String {
    let status = head.status;
    let meaning = match status {
        300..=399 => "it redirects nowhere",
        401 | 407 => "it wants a login: http://USER:PASSWORD@HOST/...",
        403 => "it refuses: a login may be needed",
        404 | 410 => "there is no such file",
        429 => "it was asked too often",
        400..=499 => "it refuses",
        500..=599 => "the server has failed: try again later",
        _ => "no file came",
    };
    format!("HTTP {status}: {meaning}")
}
