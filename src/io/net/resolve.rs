//! Host names. The system's look-up blocks, for many seconds if a name server is silent, so each
//! look-up has a thread of its own while it lasts: no other name waits for a slow one. They are
//! bounded in number; each wakes the poll loop when its answer is there. A name is looked up once
//! for all torrents that want it at one time or soon after: a thousand may have the same tracker.
//! Names that links and torrents give of peers and nodes use a part of the threads only: a link may
//! give many whose name server is silent, and trackers must not wait for them.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::thread;

use mio::Waker;
use slab::Slab;

use super::names::Names;
use super::tcp;
use crate::base::{Time, limits};
use crate::io::channel::{Receiver, Sender, channel};
use crate::socks::Place;

/// Addresses of a name, or why there are none.
pub type Found = Result<Vec<IpAddr>, String>;

/// Looks up names. `K` says what a name was wanted for.
#[derive(Debug)]
pub struct Resolver<K> {
    waker: Arc<Waker>,
    /// The look-ups under way.
    running: Slab<Lookup<K>>,
    /// Those that wait until one of these is over.
    waiting: VecDeque<Lookup<K>>,
    answer: Sender<(usize, Found)>,
    answers: Receiver<(usize, Found)>,
    /// Answers that wait to be taken.
    ready: VecDeque<(K, Found)>,
    /// Answers that are kept, the oldest first.
    kept: VecDeque<Kept>,
    /// No name is looked up here: a proxy does it.
    names: Option<Names>,
}

/// A name that is looked up, and what for.
#[derive(Debug)]
struct Lookup<K> {
    host: String,
    wanted_for: Vec<K>,
    /// Nobody needs it at once.
    can_wait: bool,
}

/// What a look-up found, which counts until a moment.
#[derive(Debug)]
struct Kept {
    until: Time,
    host: String,
    found: Found,
}

impl<K> Resolver<K> {
    /// A resolver that wakes the poll loop by this waker. `by_proxy`: it looks nothing up, and
    /// gives each name an address that stands for it.
    pub fn new(waker: Arc<Waker>, by_proxy: bool) -> Resolver<K> {
        let (answer, answers) = channel();
        Resolver {
            waker,
            running: Slab::new(),
            waiting: VecDeque::new(),
            answer,
            answers,
            ready: VecDeque::new(),
            kept: VecDeque::new(),
            names: by_proxy.then(Names::default),
        }
    }

    /// What an address leads to: itself, or the name that it stands for.
    ///
    /// # Errors
    /// That is not known any more.
    pub fn place(&self, addr: SocketAddr) -> Result<Place, String> {
        let names = self.names.as_ref();
        names.map_or(Ok(Place::Addr(addr)), |names| names.place(addr))
    }

    /// Asks for a name. The loop is woken when [`Resolver::next_found`] has the answer.
    pub fn look_up(&mut self, wanted_for: K, host: String, now: Time) {
        self.ask(wanted_for, host, false, now);
    }

    /// The same for a name that can wait for others.
    pub fn look_up_later(&mut self, wanted_for: K, host: String, now: Time) {
        self.ask(wanted_for, host, true, now);
    }

    fn ask(&mut self, wanted_for: K, host: String, can_wait: bool, now: Time) {
        let known = match host.parse() {
            Ok(ip) => Some(Ok(vec![ip])),
            Err(_) => match &mut self.names {
                Some(names) => Some(names.stand_in(&host).map(|ip| vec![ip])),
                None => self.known(&host, now),
            },
        };
        if let Some(found) = known {
            return self.answer_now(wanted_for, found);
        }
        let running = self.running.iter_mut().map(|(_, lookup)| lookup);
        let mut all = running.chain(&mut self.waiting);
        if let Some(same) = all.find(|lookup| lookup.host == host) {
            same.wanted_for.push(wanted_for);
            same.can_wait &= can_wait;
        } else {
            self.waiting.push_back(Lookup {
                host,
                wanted_for: vec![wanted_for],
                can_wait,
            });
        }
        self.start_waiting();
    }

    /// The next answer.
    pub fn next_found(&mut self, now: Time) -> Option<(K, Found)> {
        while self.ready.is_empty() {
            let (key, found) = self.answers.try_recv().ok()?;
            let Some(lookup) = self.running.try_remove(key) else {
                continue;
            };
            let (host, wanted_for) = (lookup.host, lookup.wanted_for);
            let each = wanted_for.into_iter().map(|key| (key, found.clone()));
            self.ready.extend(each);
            self.keep(host, found, now);
            self.start_waiting();
        }
        self.ready.pop_front()
    }

    /// What was found a short while ago.
    fn known(&mut self, host: &str, now: Time) -> Option<Found> {
        self.kept.retain(|kept| kept.until > now);
        let kept = self.kept.iter().find(|kept| kept.host == host)?;
        Some(kept.found.clone())
    }

    fn keep(&mut self, host: String, found: Found, now: Time) {
        if self.kept.len() == limits::LOOKUPS_KEPT {
            self.kept.pop_front();
        }
        let until = now + limits::LOOKUP_KEPT_FOR;
        self.kept.push_back(Kept { until, host, found });
    }

    /// Starts as many look-ups as there may be.
    fn start_waiting(&mut self) {
        while self.running.len() < limits::LOOKUPS {
            let Some(lookup) = self.next_waiting() else {
                return;
            };
            let host = lookup.host.clone();
            let key = self.running.insert(lookup);
            if let Err(error) = self.start(key, host) {
                let found = Err(tcp::plain(&error));
                for wanted_for in self.running.remove(key).wanted_for {
                    self.answer_now(wanted_for, found.clone());
                }
            }
        }
    }

    fn next_waiting(&mut self) -> Option<Lookup<K>> {
        let urgent = self.waiting.iter().position(|lookup| !lookup.can_wait);
        let running = self.running.iter();
        let leisurely = running.filter(|(_, lookup)| lookup.can_wait).count();
        let place = urgent.or((leisurely < limits::LOOKUPS_LATER).then_some(0));
        self.waiting.remove(place?)
    }

    /// Starts a look-up. Its thread is not joined at the end, since a look-up cannot be
    /// interrupted.
    fn start(&self, key: usize, host: String) -> io::Result<()> {
        let (waker, answer) = (Arc::clone(&self.waker), self.answer.clone());
        let work = move || {
            // A thread ends when the receiver of its answers is gone.
            if answer.send((key, look_up(&host))).is_ok() {
                let _ = waker.wake();
            }
        };
        let thread = thread::Builder::new().name(String::from("resolve"));
        thread.spawn(work).map(drop)
    }

    fn answer_now(&mut self, wanted_for: K, found: Found) {
        self.ready.push_back((wanted_for, found));
        // This fails only for lack of kernel memory, and then the loop wakes for another reason
        // soon.
        let _ = self.waker.wake();
    }
}

fn look_up(host: &str) -> Found {
    // The port is only there because the standard library wants one.
    match (host, 0).to_socket_addrs() {
        Ok(addrs) => {
            let mut ips: Vec<IpAddr> = Vec::new();
            for addr in addrs {
                let ip = addr.ip().to_canonical();
                if !ips.contains(&ip) {
                    ips.push(ip);
                }
            }
            Ok(ips)
        }
        Err(error) => Err(plain(&error.to_string())),
    }
}

/// The system's own words, without what Rust puts in front.
fn plain(text: &str) -> String {
    let text = text.strip_prefix("failed to lookup address information: ");
    let text = text.unwrap_or("the name is not valid");
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    const START: Time = Time::from_micros(3_600_000_000);

    fn resolver() -> (Resolver<u32>, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
        (Resolver::new(waker, false), poll)
    }

    /// So many answers, by their keys.
    fn all_found(resolver: &mut Resolver<u32>, poll: &mut Poll, count: usize) -> Vec<(u32, Found)> {
        let mut found = Vec::new();
        let mut events = Events::with_capacity(8);
        while found.len() < count {
            poll.poll(&mut events, Some(Duration::from_secs(30)))
                .unwrap();
            assert!(!events.is_empty(), "no wake");
            found.extend(std::iter::from_fn(|| resolver.next_found(START)));
        }
        found.sort_by_key(|&(key, _)| key);
        found
    }

    #[test]
    fn a_proxy_looks_names_up() {
        let (mut by_proxy, mut poll) = resolver();
        by_proxy.names = Some(Names::default());
        by_proxy.look_up(1, "t.example".into(), START);
        by_proxy.look_up_later(2, "192.0.2.1".into(), START);
        assert!(by_proxy.running.is_empty() && by_proxy.waiting.is_empty());
        let found = all_found(&mut by_proxy, &mut poll, 2);
        let ip = found[0].1.clone().unwrap()[0];
        let place = by_proxy.place(SocketAddr::new(ip, 80));
        assert_eq!(place, Ok(Place::Name("t.example".into(), 80)));
        assert_eq!(found[1], (2, Ok(vec!["192.0.2.1".parse().unwrap()])));
        // An address stands for no name where names are looked up.
        let addr = SocketAddr::new(ip, 80);
        assert_eq!(resolver().0.place(addr), Ok(Place::Addr(addr)));
    }

    #[test]
    fn so_many_names_are_looked_up_at_one_time() {
        let (mut resolver, mut poll) = resolver();
        let count = 2 * limits::LOOKUPS + 1;
        for key in 0..count as u32 {
            resolver.look_up(key, format!("no name {key}"), START);
        }
        assert_eq!(resolver.running.len(), limits::LOOKUPS);
        assert_eq!(resolver.waiting.len(), count - limits::LOOKUPS);
        let found = all_found(&mut resolver, &mut poll, count);
        assert!(found.iter().map(|(key, _)| *key).eq(0..count as u32));
        assert!(resolver.running.is_empty());
    }

    /// A link may name many peers, and its name server may be silent.
    #[test]
    fn names_that_can_wait_leave_threads_to_others() {
        let (mut resolver, mut poll) = resolver();
        let many = limits::LOOKUPS as u32;
        for key in 0..many {
            resolver.look_up_later(key, format!("no name {key}"), START);
        }
        assert_eq!(resolver.running.len(), limits::LOOKUPS_LATER);
        resolver.look_up(many, String::from("no tracker"), START);
        assert_eq!(resolver.running.len(), limits::LOOKUPS_LATER + 1);
        // A tracker has the name of a peer that waits.
        resolver.look_up(many + 1, format!("no name {}", many - 1), START);
        assert_eq!(resolver.running.len(), limits::LOOKUPS_LATER + 2);
        assert_eq!(
            resolver.waiting.len(),
            limits::LOOKUPS - limits::LOOKUPS_LATER - 1
        );
        let found = all_found(&mut resolver, &mut poll, limits::LOOKUPS + 2);
        assert!(found.iter().map(|(key, _)| *key).eq(0..many + 2));
    }

    #[test]
    fn a_name_is_looked_up_once_for_all_torrents_that_want_it() {
        let (mut resolver, mut poll) = resolver();
        for key in 0..1000 {
            let host = ["localhost", "no such name"][key as usize % 2];
            resolver.look_up(key, String::from(host), START);
        }
        assert_eq!((resolver.running.len(), resolver.waiting.len()), (2, 0));
        let found = all_found(&mut resolver, &mut poll, 1000);
        assert!(found.iter().map(|(key, _)| *key).eq(0..1000));
        assert!(
            found
                .iter()
                .all(|(key, found)| found.is_ok() == (key % 2 == 0))
        );
        // Those that wait for a thread have company, too.
        for key in 0..limits::LOOKUPS as u32 {
            resolver.look_up(key, format!("no name {key}"), START);
        }
        resolver.look_up(1000, String::from("last"), START);
        resolver.look_up(1001, String::from("last"), START);
        assert_eq!(resolver.waiting.len(), 1);
        let found = all_found(&mut resolver, &mut poll, limits::LOOKUPS + 2);
        assert_eq!(found[limits::LOOKUPS].0, 1000);
        assert_eq!(found[limits::LOOKUPS + 1].0, 1001);
    }

    #[test]
    fn an_answer_counts_for_a_short_while() {
        let (mut resolver, mut poll) = resolver();
        resolver.look_up(1, String::from("localhost"), START);
        let found = all_found(&mut resolver, &mut poll, 1).remove(0).1;
        let end = START + limits::LOOKUP_KEPT_FOR;
        let just_before = START + (limits::LOOKUP_KEPT_FOR - Duration::from_micros(1));
        resolver.look_up(2, String::from("localhost"), just_before);
        assert!(resolver.running.is_empty(), "the answer is known");
        assert_eq!(all_found(&mut resolver, &mut poll, 1), [(2, found)]);
        resolver.look_up(3, String::from("localhost"), end);
        assert_eq!(resolver.running.len(), 1, "it may have changed");
    }

    #[test]
    fn so_many_answers_are_kept() {
        let (mut resolver, mut poll) = resolver();
        let name = |key: usize| format!("no name {key}");
        for key in 0..=limits::LOOKUPS_KEPT {
            resolver.look_up(0, name(key), START);
            all_found(&mut resolver, &mut poll, 1);
        }
        for key in [1, limits::LOOKUPS_KEPT] {
            resolver.look_up(0, name(key), START);
            assert!(resolver.running.is_empty(), "{key}");
        }
        resolver.look_up(0, name(0), START);
        assert_eq!(resolver.running.len(), 1, "the oldest made room");
    }

    #[test]
    fn answers_come_with_a_wake_and_say_whose_they_are() {
        let (mut resolver, mut poll) = resolver();
        resolver.look_up(1, String::from("::1"), START);
        assert!(resolver.running.is_empty(), "an address needs no thread");
        resolver.look_up(2, String::from("localhost"), START);
        resolver.look_up(3, String::from("no such name"), START);
        resolver.look_up(4, String::from("zero\0byte"), START);
        let found = all_found(&mut resolver, &mut poll, 4);
        assert_eq!(found[0], (1, Ok(vec!["::1".parse().unwrap()])));
        let (_, localhost) = &found[1];
        assert!(localhost.as_ref().unwrap().iter().all(IpAddr::is_loopback));
        for (_, failed) in &found[2..] {
            let why = failed.as_ref().unwrap_err();
            assert!(
                !why.contains("os error") && !why.contains("failed to"),
                "{why}"
            );
        }
    }
}
