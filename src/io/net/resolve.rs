//! Host names. The system's look-up blocks, for many seconds if a name server is silent, so each
//! has a thread of its own while it lasts: a name that is not found in time keeps no other one
//! waiting. They are bounded in number; each wakes the poll loop when its answer is there.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;
use slab::Slab;

use crate::base::limits;

/// Addresses of a name, or why there are none.
pub type Found = Result<Vec<IpAddr>, String>;

/// Looks up names. `K` says what a name was wanted for.
#[derive(Debug)]
pub struct Resolver<K> {
    waker: Arc<Waker>,
    /// What the look-ups under way are for.
    running: Slab<K>,
    /// Names that wait until one of those is over.
    waiting: VecDeque<(K, String)>,
    answer: Sender<(usize, Found)>,
    answers: Receiver<(usize, Found)>,
    /// Answers that needed no thread.
    ready: Vec<(K, Found)>,
}

impl<K> Resolver<K> {
    /// A resolver that wakes the poll loop by this waker.
    pub fn new(waker: Arc<Waker>) -> Resolver<K> {
        let (answer, answers) = channel();
        Resolver {
            waker,
            running: Slab::new(),
            waiting: VecDeque::new(),
            answer,
            answers,
            ready: Vec::new(),
        }
    }

    /// Asks for a name. The loop is woken when [`Resolver::next_found`] has the answer.
    pub fn look_up(&mut self, wanted_for: K, host: String) {
        if let Ok(ip) = host.parse() {
            self.answer_now(wanted_for, Ok(vec![ip]));
        } else {
            self.waiting.push_back((wanted_for, host));
            self.start_waiting();
        }
    }

    /// The next answer.
    pub fn next_found(&mut self) -> Option<(K, Found)> {
        if let Some(found) = self.ready.pop() {
            return Some(found);
        }
        let (key, found) = self.answers.try_recv().ok()?;
        let wanted_for = self.running.try_remove(key)?;
        self.start_waiting();
        Some((wanted_for, found))
    }

    /// Starts as many look-ups as there may be.
    fn start_waiting(&mut self) {
        while self.running.len() < limits::LOOKUPS {
            let Some((wanted_for, host)) = self.waiting.pop_front() else {
                return;
            };
            let key = self.running.insert(wanted_for);
            if let Err(error) = self.start(key, host) {
                let wanted_for = self.running.remove(key);
                self.answer_now(wanted_for, Err(error.to_string()));
            }
        }
    }

    /// Starts a look-up. Nobody waits for its thread at the end, since it cannot be cut short.
    fn start(&self, key: usize, host: String) -> io::Result<()> {
        let (waker, answer) = (Arc::clone(&self.waker), self.answer.clone());
        let work = move || {
            // If nobody listens any more, nothing is to be done.
            if answer.send((key, look_up(&host))).is_ok() {
                let _ = waker.wake();
            }
        };
        let thread = thread::Builder::new().name(String::from("resolve"));
        thread.spawn(work).map(drop)
    }

    fn answer_now(&mut self, wanted_for: K, found: Found) {
        self.ready.push((wanted_for, found));
        // It cannot fail but for lack of kernel memory, and then the loop wakes for something else.
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

    /// So many answers, by their keys.
    fn all_found(resolver: &mut Resolver<u32>, poll: &mut Poll, count: usize) -> Vec<(u32, Found)> {
        let mut found = Vec::new();
        let mut events = Events::with_capacity(8);
        while found.len() < count {
            poll.poll(&mut events, Some(Duration::from_secs(30)))
                .unwrap();
            assert!(!events.is_empty(), "no wake");
            found.extend(std::iter::from_fn(|| resolver.next_found()));
        }
        found.sort_by_key(|&(key, _)| key);
        found
    }

    #[test]
    fn so_many_names_are_looked_up_at_one_time() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
        let mut resolver = Resolver::new(waker);
        let count = 2 * limits::LOOKUPS + 1;
        for key in 0..count as u32 {
            resolver.look_up(key, String::from("localhost"));
        }
        assert_eq!(resolver.running.len(), limits::LOOKUPS);
        assert_eq!(resolver.waiting.len(), count - limits::LOOKUPS);
        let found = all_found(&mut resolver, &mut poll, count);
        assert!(found.iter().map(|(key, _)| *key).eq(0..count as u32));
        assert!(resolver.running.is_empty());
    }

    #[test]
    fn answers_come_with_a_wake_and_say_whose_they_are() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
        let mut resolver = Resolver::new(waker);
        resolver.look_up(1, String::from("::1"));
        assert!(resolver.running.is_empty(), "an address needs no thread");
        resolver.look_up(2, String::from("localhost"));
        resolver.look_up(3, String::from("no such name"));
        resolver.look_up(4, String::from("zero\0byte"));
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
