//! Host names. The system's look-up blocks, for many seconds if a name server is silent, so it has a thread of its own,
//! one for all names, started when the first is asked for. It answers in the order of the questions and wakes the poll loop each time.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;

/// Addresses of a name, or why there are none.
pub type Found = Result<Vec<IpAddr>, String>;

/// Looks up names. `K` says what a name was wanted for.
#[derive(Debug)]
pub struct Resolver<K> {
    waker: Arc<Waker>,
    thread: Option<Thread<K>>,
    /// Answers that needed no thread.
    ready: Vec<(K, Found)>,
}

#[derive(Debug)]
struct Thread<K> {
    questions: Sender<(K, String)>,
    answers: Receiver<(K, Found)>,
}

impl<K: Send + 'static> Resolver<K> {
    /// A resolver that wakes the poll loop by this waker.
    pub fn new(waker: Arc<Waker>) -> Resolver<K> {
        Resolver {
            waker,
            thread: None,
            ready: Vec::new(),
        }
    }

    /// Asks for a name. The loop is woken when [`Resolver::next_found`] has the answer.
    pub fn look_up(&mut self, wanted_for: K, host: String) {
        if let Ok(ip) = host.parse() {
            self.answer(wanted_for, Ok(vec![ip]));
            return;
        }
        if self.thread.is_none() {
            match start(Arc::clone(&self.waker)) {
                Ok(thread) => self.thread = Some(thread),
                Err(error) => return self.answer(wanted_for, Err(error.to_string())),
            }
        }
        if let Some(thread) = &self.thread {
            if let Err(lost) = thread.questions.send((wanted_for, host)) {
                self.thread = None;
                let (wanted_for, _) = lost.0;
                self.answer(wanted_for, Err(String::from("the look-up has failed")));
            }
        }
    }

    /// The next answer.
    pub fn next_found(&mut self) -> Option<(K, Found)> {
        let ready = self.ready.pop();
        ready.or_else(|| self.thread.as_ref()?.answers.try_recv().ok())
    }

    fn answer(&mut self, wanted_for: K, found: Found) {
        self.ready.push((wanted_for, found));
        // It cannot fail but for lack of kernel memory, and then the loop wakes for something else.
        let _ = self.waker.wake();
    }
}

/// Starts the thread. It ends when the resolver is gone; nobody waits for it, since a look-up cannot be cut short.
fn start<K: Send + 'static>(waker: Arc<Waker>) -> io::Result<Thread<K>> {
    let (questions, asked) = channel::<(K, String)>();
    let (answer, answers) = channel();
    thread::Builder::new()
        .name(String::from("resolve"))
        .spawn(move || {
            for (wanted_for, host) in asked {
                if answer.send((wanted_for, look_up(&host))).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        })?;
    Ok(Thread { questions, answers })
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

    #[test]
    fn answers_come_with_a_wake_and_say_whose_they_are() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(9)).unwrap());
        let mut resolver = Resolver::new(waker);
        resolver.look_up(1, String::from("::1"));
        assert!(resolver.thread.is_none(), "an address needs no thread");
        resolver.look_up(2, String::from("localhost"));
        resolver.look_up(3, String::from("no such name"));
        resolver.look_up(4, String::from("zero\0byte"));
        let mut found = Vec::new();
        let mut events = Events::with_capacity(8);
        while found.len() < 4 {
            poll.poll(&mut events, Some(Duration::from_secs(30)))
                .unwrap();
            assert!(!events.is_empty(), "no wake");
            found.extend(std::iter::from_fn(|| resolver.next_found()));
        }
        found.sort_by_key(|&(key, _)| key);
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
