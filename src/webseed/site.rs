//! What is known of one web seed of a torrent: where it redirects to, what it does not have, and
//! when it may be asked again. The user hears of each failure once.

use std::net::IpAddr;

use super::answer::Fault;
use super::content::Content;
use crate::base::{Duration, Geometry, Holdings, Reach, SortedMap, SortedSet, Time, limits};
use crate::http::{Scheme, Url, shown};

/// One web seed.
#[derive(Debug)]
pub struct Site {
    /// Its URL, as the torrent names it.
    url: String,
    /// Where all its files lie, by its redirects.
    moved: Option<String>,
    /// Where single files lie, by its redirects.
    moved_files: SortedMap<usize, String>,
    /// Redirects since content came last.
    redirects: u32,
    /// A server with a public address was asked: it may not lead to a local one.
    outside: bool,
    /// Files that are not asked for there.
    gone: SortedSet<usize>,
    /// It sends whole files only.
    pub whole_only: bool,
    /// It has sent a part of a file, as it was asked to.
    pub ranged: bool,
    /// Pieces of it that were wrong.
    wrong: u32,
    /// Connections that were of no use since content came last.
    fruitless: u32,
    /// Failures since content came last.
    failures: u32,
    standing: Standing,
    /// Addresses of this host, and the place of the one that is tried next.
    addresses: Option<(String, Vec<IpAddr>, usize)>,
    /// The starts of blocks, which came over connections that are over, by their places.
    rests: SortedMap<u64, Vec<u8>>,
    /// Why the address that was tried last was not reached.
    unreached: Option<String>,
    /// What the user heard last.
    told: Option<String>,
}

/// Whether a web seed may be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Standing {
    /// It may.
    Ready,
    /// The address of this host is being looked up.
    LookedUp(String),
    /// Not before then.
    Waits(Time),
    /// Not any more, and why.
    Over(String),
}

/// What is to be done next to reach a web seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing now.
    Wait,
    /// Look up this host.
    LookUp(String),
    /// Connect to this address, for this URL.
    Dial(IpAddr, Url),
}

impl Site {
    /// A web seed that was not asked yet.
    pub fn new(url: &str) -> Site {
        Site {
            url: url.trim().to_string(),
            moved: None,
            moved_files: SortedMap::new(),
            redirects: 0,
            outside: false,
            gone: SortedSet::new(),
            whole_only: false,
            ranged: false,
            wrong: 0,
            fruitless: 0,
            failures: 0,
            standing: Standing::Ready,
            addresses: None,
            rests: SortedMap::new(),
            unreached: None,
            told: None,
        }
    }

    /// Its URL, without a login.
    pub fn name(&self) -> String {
        Url::parse(&self.url).map_or_else(|_| shown(&self.url), |url| url.to_string())
    }

    /// Why it is not asked any more, if that is so.
    pub fn over(&self) -> Option<&str> {
        match &self.standing {
            Standing::Over(why) => Some(why),
            _ => None,
        }
    }

    /// What was wrong last, as the user was told.
    pub fn told(&self) -> Option<&str> {
        let told = self.told.as_deref()?;
        told.split(": it is ").next()
    }

    /// When it may be asked again.
    pub fn waits_until(&self) -> Option<Time> {
        match self.standing {
            Standing::Waits(until) => Some(until),
            _ => None,
        }
    }

    /// Whether the address of its host is being looked up.
    pub fn is_looked_up(&self) -> bool {
        matches!(self.standing, Standing::LookedUp(_))
    }

    /// Where a file lies.
    ///
    /// # Errors
    /// Why that is no URL that can be asked.
    pub fn url_of(&self, content: &Content, file: usize) -> Result<Url, String> {
        let moved = self.moved_files.get(&file).cloned();
        let base = self.moved.as_deref().unwrap_or(&self.url);
        Url::parse(&moved.unwrap_or_else(|| content.url(base, file)))
    }

    /// The pieces that it may have.
    pub fn holdings(&self, content: &Content, geometry: Geometry) -> Holdings {
        if self.gone.is_empty() {
            return Holdings::everything(geometry.pieces());
        }
        let mut bits = crate::base::Bits::full(geometry.pieces());
        for &file in &self.gone {
            let bytes = content.file(file).bytes;
            for piece in geometry.pieces_of(bytes.start, bytes.end - bytes.start) {
                bits.clear(piece);
            }
        }
        Holdings::from(bits)
    }

    /// What is to be done to have a connection for this file. `allow_local`: local addresses are
    /// asked whatever is asked for and whoever leads there.
    pub fn step(
        &mut self,
        (content, file): (&Content, usize),
        allow_local: bool,
        now: Time,
    ) -> Result<Step, Option<String>> {
        match &self.standing {
            Standing::Ready => {}
            Standing::Waits(until) if *until <= now => self.standing = Standing::Ready,
            Standing::LookedUp(_) | Standing::Waits(_) | Standing::Over(_) => {
                return Ok(Step::Wait);
            }
        }
        let url = match self.url_of(content, file) {
            Ok(url) => url,
            Err(why) => return Err(self.give_up(why)),
        };
        if url.scheme == Scheme::Udp {
            return Err(self.give_up(String::from("not an http URL")));
        }
        match &mut self.addresses {
            Some((host, found, next)) if *host == url.host => {
                let Some(ip) = found.get(*next).copied() else {
                    self.addresses = None;
                    let why = self.unreached.take();
                    // It may be the fault of a redirect.
                    (self.moved, self.moved_files) = (None, SortedMap::new());
                    let why = why.as_deref().unwrap_or("no address that can be asked");
                    return Err(self.fail(why, None, now));
                };
                if let Err(why) = self.judge(ip, &url, allow_local) {
                    return Err(self.fail(&why, None, now));
                }
                Ok(Step::Dial(ip, url))
            }
            _ => {
                self.standing = Standing::LookedUp(url.host.clone());
                Ok(Step::LookUp(url.host))
            }
        }
    }

    /// Its host was looked up.
    pub fn handle_found(
        &mut self,
        host: &str,
        found: &Result<Vec<IpAddr>, String>,
        usable: impl Fn(&IpAddr) -> bool,
        now: Time,
    ) -> Option<String> {
        if !matches!(&self.standing, Standing::LookedUp(wanted) if wanted == host) {
            return None;
        }
        self.standing = Standing::Ready;
        match found {
            Ok(ips) => {
                let ips = ips.iter().filter(|ip| Reach::of(**ip) != Reach::Nowhere);
                let ips = ips.filter(|ip| usable(ip)).copied();
                let ips = ips.take(limits::TRACKER_ADDRESSES).collect();
                self.addresses = Some((host.to_string(), ips, 0));
                None
            }
            Err(why) => self.fail(why, None, now),
        }
    }

    /// Whether this address may be asked for this URL: a server elsewhere must not have us ask one
    /// in our own networks; nor may a torrent, for more than a path.
    fn judge(&mut self, ip: IpAddr, url: &Url, allow_local: bool) -> Result<(), String> {
        if !Reach::of(ip).is_local() {
            self.outside = true;
            return Ok(());
        }
        let lifted = "--allow-local lifts this";
        if allow_local {
            Ok(())
        } else if self.outside {
            Err(format!("{ip} is a local address ({lifted})"))
        } else if url.target.contains('?') {
            Err(format!(
                "{ip} is a local address, which is asked for files without a query ({lifted})"
            ))
        } else {
            Ok(())
        }
    }

    /// The address that was tried last was not reached: the next one is to be tried.
    pub fn on_unreached(&mut self, why: String) {
        self.unreached = Some(why);
        if let Some((_, _, next)) = &mut self.addresses {
            *next += 1;
        }
    }

    /// A connection is over over which no content came. A few follow each other at once, since
    /// redirects lead from one to the next.
    pub fn on_fruitless(&mut self, now: Time) {
        self.fruitless += 1;
        if self.fruitless > limits::WEB_REDIRECTS && self.standing == Standing::Ready {
            self.standing = Standing::Waits(now + self.next_wait(None));
        }
    }

    /// A connection is over in the middle of the block that begins here.
    pub fn keep_rest(&mut self, at: u64, bytes: Vec<u8>) {
        if self.rests.len() >= limits::WEB_CONNECTIONS {
            self.rests = SortedMap::new();
        }
        self.rests.insert(at, bytes);
    }

    /// What came before of the block that begins here.
    pub fn take_rest(&mut self, at: u64) -> Option<Vec<u8>> {
        self.rests.remove(&at)
    }

    /// Content came.
    pub fn on_content(&mut self) {
        (self.failures, self.redirects, self.fruitless) = (0, 0, 0);
    }

    /// Something is wrong with its answer to a request for this file. What to tell the user.
    pub fn on_fault(
        &mut self,
        fault: &Fault,
        (content, file): (&Content, usize),
        now: Time,
    ) -> Option<String> {
        match fault {
            Fault::Last => None,
            Fault::Moved(to) => self.on_moved(to, content, file, now),
            Fault::WholeOnly if !self.whole_only => {
                self.whole_only = true;
                None
            }
            // It may be an error of the place that it led to.
            _ if self.forget_moves(file) => {
                let until = now + self.next_wait(None);
                self.standing = Standing::Waits(until);
                None
            }
            Fault::Gone(_) | Fault::OtherLength(_) => {
                self.gone.insert(file);
                let name = shown(content.name(file));
                self.tell(format!(
                    "{name}: {fault}: it is not asked for there any more"
                ))
            }
            Fault::Busy(_, wait) => self.fail(&fault.to_string(), *wait, now),
            Fault::WholeOnly | Fault::Senseless(_) | Fault::CutShort => {
                self.fail(&fault.to_string(), None, now)
            }
        }
    }

    /// A piece of it was wrong that lies in these files. What to tell the user.
    pub fn on_wrong(&mut self, files: impl Iterator<Item = usize>, piece: u32) -> Option<String> {
        self.wrong += 1;
        if self.wrong >= limits::WEB_WRONG {
            let why = format!("{} of its pieces were wrong", self.wrong);
            return self.give_up(why);
        }
        self.gone.extend(files);
        self.tell(format!(
            "piece {piece} of it was wrong: its files are not asked for there any more"
        ))
    }

    /// It cannot be asked now: it is asked again after a wait that grows. What to tell the user.
    pub fn fail(&mut self, why: &str, wait: Option<Duration>, now: Time) -> Option<String> {
        let wait = self.next_wait(wait);
        if self.standing == Standing::Ready || self.waits_until().is_some() {
            self.standing = Standing::Waits(now + wait);
        }
        self.tell(format!("{why}: it is asked again in {} s", wait.as_secs()))
    }

    /// It is not asked any more.
    fn give_up(&mut self, why: String) -> Option<String> {
        let told = self.tell(format!("{why}: it is not asked any more"));
        self.standing = Standing::Over(why);
        told
    }

    fn next_wait(&mut self, asked: Option<Duration>) -> Duration {
        let grown = limits::WEB_BACKOFF * (1 << self.failures.min(16));
        self.failures += 1;
        grown
            .max(asked.unwrap_or_default())
            .min(limits::WEB_BACKOFF_MOST)
    }

    /// A line for the user, unless it was told last.
    fn tell(&mut self, why: String) -> Option<String> {
        // How long it waits grows: that is no news.
        let old = self.told.replace(why.clone());
        let news = |line: &str| line.split(": it is asked again").next().map(String::from);
        let is_news = old.as_deref().and_then(news) != news(&why);
        is_news.then(|| format!("web seed {}: {why}", self.name()))
    }

    fn on_moved(&mut self, to: &str, content: &Content, file: usize, now: Time) -> Option<String> {
        self.redirects += 1;
        if self.redirects > limits::WEB_REDIRECTS {
            (self.redirects, self.moved) = (0, None);
            self.moved_files = SortedMap::new();
            let most = limits::WEB_REDIRECTS;
            return self.fail(&format!("redirected more than {most} times"), None, now);
        }
        let from = match self.url_of(content, file) {
            Ok(from) => from,
            Err(why) => return self.give_up(why),
        };
        let target = match from.join(to) {
            Ok(url) => url,
            Err(why) => {
                let to = shown(to);
                return self.fail(&format!("it redirects to {to}: {why}"), None, now);
            }
        };
        // A mirror for all files, if only what is in front of the file's own path has changed.
        let mut path = String::new();
        content.add_path(file, &mut path);
        let login = target.login.as_ref().map(|login| format!("{login}@"));
        let whole = format!(
            "{}://{}{}{}",
            target.scheme.name(),
            login.unwrap_or_default(),
            target.authority(),
            target.target
        );
        let base = self.moved.as_deref().unwrap_or(&self.url);
        let folder = base.ends_with('/') || content.count() > 1;
        match whole.strip_suffix(&path).filter(|_| folder) {
            Some(base) if base.ends_with('/') && !self.moved_files.contains_key(&file) => {
                self.moved = Some(base.to_string());
            }
            _ => {
                if self.moved_files.len() >= limits::WEB_REDIRECTS_KEPT {
                    self.moved_files = SortedMap::new();
                }
                self.moved_files.insert(file, whole);
            }
        }
        None
    }

    /// Forgets where a file was found by redirects; whether it was.
    fn forget_moves(&mut self, file: usize) -> bool {
        let one = self.moved_files.remove(&file).is_some();
        let all = self.moved.take().is_some();
        one || all
    }
}

#[cfg(test)]
mod tests;
