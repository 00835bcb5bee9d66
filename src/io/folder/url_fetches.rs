//! Torrents that clients name by a URL: each is fetched by a thread of its own, since a server may
//! take its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mio::Waker;

use super::brought::Brought;
use super::control::Ticket;
use crate::base::limits;
use crate::io::by_url::{self, Access, Fetched};
use crate::io::channel::{Receiver, Sender, channel};
use crate::rpc::{Add, Trouble};

/// The fetches under way.
#[derive(Debug)]
pub struct UrlFetches {
    waker: Arc<Waker>,
    access: Access,
    told: Sender<Outcome>,
    hears: Receiver<Outcome>,
    /// Those that wait for others to end, and what they are to fetch.
    waiting: VecDeque<(Ticket, Add, String)>,
    /// Those that a thread has, and what tells it to give up.
    running: Vec<(Ticket, Arc<AtomicBool>)>,
    /// Whether one of them has a long body.
    long: Arc<AtomicBool>,
    /// Some were begun since [`UrlFetches::give_up`] looked last.
    is_new: bool,
}

/// The only long body there may be: until this is dropped, others wait.
#[derive(Debug)]
pub struct Long(Arc<AtomicBool>);

impl Drop for Long {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A file or a link that came, or why none did.
#[derive(Debug)]
pub struct Outcome {
    /// Who wants it.
    pub ticket: Ticket,
    /// How it is wanted.
    pub add: Add,
    /// What came.
    pub brought: Result<Brought, Trouble>,
    /// To be kept for as long as its bytes are in memory.
    pub long: Option<Long>,
}

impl UrlFetches {
    /// None yet. `waker` is the loop's.
    pub fn new(access: Access, waker: Arc<Waker>) -> UrlFetches {
        let (told, hears) = channel();
        UrlFetches {
            waker,
            access,
            told,
            hears,
            waiting: VecDeque::new(),
            running: Vec::new(),
            long: Arc::default(),
            is_new: false,
        }
    }

    /// Fetches what lies at a URL as soon as may be; [`UrlFetches::next_fetched`] has it later.
    pub fn begin(&mut self, ticket: Ticket, add: Add, url: String) {
        self.waiting.push_back((ticket, add, url));
        self.is_new = true;
        self.begin_next();
    }

    /// Gives up those that are not wanted any more: they end, too. `has_gone`: there may be such.
    pub fn give_up(&mut self, has_gone: bool, is_wanted: impl Fn(Ticket) -> bool) {
        if !std::mem::take(&mut self.is_new) && !has_gone {
            return;
        }
        for (ticket, stop) in &self.running {
            if !is_wanted(*ticket) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        let (waiting, given_up): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(ticket, ..)| is_wanted(*ticket));
        self.waiting = waiting;
        for (ticket, add, url) in given_up {
            self.fail(ticket, add, &url, UNWANTED);
        }
    }

    /// Gives all of them up, and says which these were: also those that have come or failed and
    /// were not taken. [`UrlFetches::next_fetched`] may still have some that ran.
    pub fn end(&mut self) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        while let Ok(fetched) = self.hears.try_recv() {
            self.running.retain(|(ticket, _)| *ticket != fetched.ticket);
            tickets.push(fetched.ticket);
        }
        for (ticket, stop) in self.running.drain(..) {
            stop.store(true, Ordering::Relaxed);
            tickets.push(ticket);
        }
        for (ticket, ..) in self.waiting.drain(..) {
            tickets.push(ticket);
        }
        tickets
    }

    /// The next one that came, or did not.
    pub fn next_fetched(&mut self) -> Option<Outcome> {
        let fetched = self.hears.try_recv().ok()?;
        self.running.retain(|(ticket, _)| *ticket != fetched.ticket);
        self.begin_next();
        Some(fetched)
    }

    fn begin_next(&mut self) {
        while self.running.len() < limits::URLS_AT_ONCE {
            let Some((ticket, add, url)) = self.waiting.pop_front() else {
                return;
            };
            let stop = Arc::new(AtomicBool::new(false));
            let mut fetch = Fetch {
                stop: Arc::clone(&stop),
                any: Arc::clone(&self.long),
                own: None,
            };
            let (told, waker) = (self.told.clone(), Arc::clone(&self.waker));
            let access = self.access.clone();
            let (wanted, named) = (add.clone(), url.clone());
            let work = move || {
                let brought = fetch.run(&url, access);
                let outcome = Outcome {
                    ticket,
                    add,
                    brought,
                    long: fetch.own,
                };
                if told.send(outcome).is_ok() {
                    let _ = waker.wake();
                }
            };
            match thread::Builder::new().name("url".into()).spawn(work) {
                Ok(_) => self.running.push((ticket, stop)),
                // One that runs gives its thread back.
                Err(_) if !self.running.is_empty() => {
                    return self.waiting.push_front((ticket, wanted, named));
                }
                Err(error) => self.fail(ticket, wanted, &named, &error.to_string()),
            }
        }
    }

    fn fail(&self, ticket: Ticket, add: Add, url: &str, why: &str) {
        let shown = by_url::hide_login(url);
        let brought = Err(Trouble::Unfetched(format!("{shown}: {why}")));
        let outcome = Outcome {
            ticket,
            add,
            brought,
            long: None,
        };
        if self.told.send(outcome).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

/// Why a fetch ends that nobody wants any more.
const UNWANTED: &str = "nobody waits for it any more";

/// A fetch in its thread.
struct Fetch {
    /// Nobody wants it any more.
    stop: Arc<AtomicBool>,
    /// Some fetch has a long body.
    any: Arc<AtomicBool>,
    /// It is this one.
    own: Option<Long>,
}

impl Fetch {
    fn run(&mut self, url: &str, access: Access) -> Result<Brought, Trouble> {
        let name = by_url::hide_login(url);
        let fetched = by_url::fetch(url, access, &mut |bytes| self.may(bytes));
        match fetched.map_err(Trouble::Unfetched)? {
            Fetched::File(text) => Brought::parse(&name, text),
            Fetched::Link(link) => Brought::of_link(&name, &link),
        }
    }

    /// Whether it may go on to have so many bytes.
    fn may(&mut self, bytes: usize) -> Result<bool, String> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(UNWANTED.into());
        }
        if bytes <= limits::URL_SHORT || self.own.is_some() {
            return Ok(true);
        }
        let is_free = !self.any.swap(true, Ordering::Acquire);
        self.own = is_free.then(|| Long(Arc::clone(&self.any)));
        Ok(is_free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tokens;
    use crate::rpc::Source;
    use mio::Poll;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    /// Fetches of a server, and the ends of those so far.
    struct Bench {
        server: TcpListener,
        fetches: UrlFetches,
        ended: Vec<(Ticket, String)>,
        _poll: Poll,
    }

    impl Bench {
        fn new() -> Bench {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            server.set_nonblocking(true).unwrap();
            let poll = Poll::new().unwrap();
            let waker = tokens::waker(&poll).unwrap();
            Bench {
                server,
                fetches: UrlFetches::new(Access::default(), waker),
                ended: Vec::new(),
                _poll: poll,
            }
        }

        fn begin(&mut self, number: usize) {
            let url = format!("http://{}/", self.server.local_addr().unwrap());
            let add = Add {
                source: Source::Named(url.clone()),
                paused: false,
                download_dir: None,
            };
            self.fetches.begin((1, number), add, url);
        }

        /// Looks for ends until this is so.
        fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Bench) -> bool) {
            let deadline = Instant::now() + Duration::from_secs(30);
            while !is_so(self) {
                assert!(Instant::now() < deadline, "never: {what}: {:?}", self.ended);
                while let Some(Outcome {
                    ticket, brought, ..
                }) = self.fetches.next_fetched()
                {
                    let why = brought.err().map(|trouble| trouble.text());
                    self.ended.push((ticket, why.unwrap_or_default()));
                }
                thread::sleep(Duration::from_millis(1));
            }
        }

        /// A fetch that the server has taken.
        fn accept(&mut self) -> TcpStream {
            let mut accepted = None;
            self.until("a fetch comes", |bench| {
                accepted = accepted.take().or_else(|| bench.server.accept().ok());
                accepted.is_some()
            });
            let (stream, _) = accepted.unwrap();
            stream.set_nonblocking(false).unwrap();
            stream
        }
    }

    #[test]
    fn so_many_are_fetched_at_one_time_and_the_next_ones_wait() {
        let mut bench = Bench::new();
        let all = limits::URLS_AT_ONCE + 3;
        for number in 0..all {
            bench.begin(number);
        }
        let streams: Vec<TcpStream> = (0..limits::URLS_AT_ONCE).map(|_| bench.accept()).collect();
        assert_eq!(bench.fetches.running.len(), limits::URLS_AT_ONCE);
        assert_eq!(bench.ended, []);
        // One of them and one that waits are given up: those that remain have their turn.
        bench
            .fetches
            .give_up(true, |(_, number)| ![0, all - 1].contains(&number));
        bench.until("two end", |bench| bench.ended.len() == 2);
        bench.ended.sort();
        for ((ticket, why), number) in bench.ended.drain(..).zip([0, all - 1]) {
            assert_eq!(ticket, (1, number));
            assert!(why.ends_with(UNWANTED), "{why}");
        }
        let next = bench.accept();
        // The server closes each without an answer.
        drop((streams, next));
        drop(bench.accept());
        bench.until("all end", |bench| bench.ended.len() == all - 2);
    }

    #[test]
    fn one_that_has_failed_already_is_given_up_too() {
        let mut bench = Bench::new();
        bench.begin(0);
        let add = Add {
            source: Source::Named(String::new()),
            paused: false,
            download_dir: None,
        };
        bench.fetches.fail((1, 7), add, "http://a/", "no thread");
        let mut given_up = bench.fetches.end();
        given_up.sort_unstable();
        assert_eq!(given_up, [(1, 0), (1, 7)]);
    }

    #[test]
    fn of_long_bodies_one_is_fetched_at_a_time() {
        let mut bench = Bench::new();
        let head = b"HTTP/1.0 200 OK\r\n\r\n";
        let body = vec![b'x'; 4 * limits::URL_SHORT];
        let whole: Arc<[u8]> = [&head[..], &body].concat().into();
        bench.begin(0);
        bench.begin(1);
        let begin = |mut stream: TcpStream, whole: Arc<[u8]>| {
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                stream.write_all(&whole).is_ok()
            })
        };
        // The first has it all, but its connection stays open.
        let first = bench.accept();
        let open = first.try_clone().unwrap();
        let sent = begin(first, Arc::clone(&whole));
        bench.until("the first is sent", |_| sent.is_finished());
        let second = bench.accept();
        let waits = begin(second, Arc::clone(&whole));
        let marker = Arc::clone(&bench.fetches.long);
        bench.until("one of them is long", |_| marker.load(Ordering::Relaxed));
        assert_eq!(bench.ended, []);
        // What is no torrent is told; only then the other one goes on.
        open.shutdown(std::net::Shutdown::Both).unwrap();
        bench.until("both end", |bench| bench.ended.len() == 2);
        assert!(waits.join().unwrap());
        assert!(!marker.load(Ordering::Relaxed), "it is free again");
    }
}
