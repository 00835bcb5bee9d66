//! Torrents that clients name by a URL: each is fetched by a thread of its own, since a server may
//! take its time.

use std::sync::Arc;
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
    running: usize,
}

/// Who wants it, and how; and what came.
pub type Outcome = (Ticket, Add, Result<Brought, Trouble>);

impl UrlFetches {
    /// None yet. `waker` is the loop's.
    pub fn new(access: Access, waker: Arc<Waker>) -> UrlFetches {
        let (told, hears) = channel();
        UrlFetches {
            waker,
            access,
            told,
            hears,
            running: 0,
        }
    }

    /// Fetches what lies at a URL; [`UrlFetches::next_fetched`] has it later.
    ///
    /// # Errors
    /// No more can be fetched now.
    pub fn begin(&mut self, ticket: Ticket, add: Add, url: String) -> Result<(), Trouble> {
        let shown = by_url::hide_login(&url);
        let failed = |why: &str| Trouble::Unfetched(format!("{shown}: {why}"));
        if self.running >= limits::URLS_AT_ONCE {
            return Err(failed("too many URLs are being fetched: try again later"));
        }
        let (told, waker, access) = (self.told.clone(), Arc::clone(&self.waker), self.access);
        let work = move || {
            let fetched = fetch(&url, access);
            if told.send((ticket, add, fetched)).is_ok() {
                let _ = waker.wake();
            }
        };
        let begun = thread::Builder::new().name("url".into()).spawn(work);
        begun.map_err(|error| failed(&error.to_string()))?;
        self.running += 1;
        Ok(())
    }

    /// The next one that came, or did not.
    pub fn next_fetched(&mut self) -> Option<Outcome> {
        let fetched = self.hears.try_recv().ok()?;
        self.running -= 1;
        Some(fetched)
    }
}

fn fetch(url: &str, access: Access) -> Result<Brought, Trouble> {
    let name = by_url::hide_login(url);
    match by_url::fetch(url, access).map_err(Trouble::Unfetched)? {
        Fetched::File(text) => Brought::parse(&name, text),
        Fetched::Link(link) => Brought::of_link(&name, &link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tokens;
    use crate::rpc::Source;
    use mio::Poll;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn so_many_are_fetched_at_one_time() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let poll = Poll::new().unwrap();
        let mut fetches = UrlFetches::new(Access::default(), tokens::waker(&poll).unwrap());
        let add = || Add {
            source: Source::Named(url.clone()),
            paused: false,
            download_dir: None,
        };
        for ticket in 0..limits::URLS_AT_ONCE as Ticket {
            fetches.begin(ticket, add(), url.clone()).unwrap();
        }
        let refused = fetches.begin(99, add(), url.clone()).unwrap_err();
        assert!(refused.text().contains("too many URLs"), "{refused:?}");
        // The server closes each without an answer.
        let mut ended = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(30);
        for _ in 0..limits::URLS_AT_ONCE {
            drop(server.accept().unwrap());
        }
        while ended.len() < limits::URLS_AT_ONCE {
            assert!(Instant::now() < deadline, "{ended:?}");
            ended.extend(fetches.next_fetched().map(|(ticket, ..)| ticket));
            thread::yield_now();
        }
        fetches.begin(99, add(), url).unwrap();
    }
}
