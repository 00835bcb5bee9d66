//! The machine and its sockets on a poll loop of the test's own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brooklet::base::{InfoHash, PeerId, Rng, Time, sooner};
use brooklet::io::net::{Heard, Outreach, Route};
use brooklet::tracker::{Action, Counts, Families, Identity, Input, Response, Shared, Trackers};
use mio::{Events, Poll, Token, Waker};

use crate::support;

/// The torrent of all these tests. As any real info hash, it is no text: half of its bytes are 0x80
/// or more.
pub const HASH: [u8; 20] = *b"\x81\x7f\xff\0\xc3$\x9c\x80A\xe9\x12\xd0\n\xfe[\xb53\x88b\xa0";
const BOTH: Families = Families { v4: true, v6: true };
const PATIENCE: Duration = Duration::from_secs(20);
const WAKER: Token = Token(0);

/// The machine with real sockets.
pub struct Client {
    poll: Poll,
    outreach: Outreach,
    pub trackers: Trackers,
    shared: Shared,
    pub reports: Vec<(String, Result<Vec<SocketAddr>, String>, Counts)>,
    pub warnings: Vec<String>,
    /// Turns of the poll loop.
    pub turns: usize,
    pub began: Instant,
    /// Seconds that the machine sees for each that passes.
    speed: u32,
}

impl Client {
    /// One that listens on this port, as far as trackers are concerned, and downloads.
    pub fn new(tiers: &[&[&str]], port: u16) -> Client {
        Client::hurried(tiers, port, 1)
    }

    /// One for which time passes faster.
    pub fn hurried(tiers: &[&[&str]], port: u16, speed: u32) -> Client {
        let mut rng = Rng::from_seed(port.into());
        let identity = Identity {
            info_hash: InfoHash(HASH),
            peer_id: PeerId::generate(&mut rng),
            key: rng.bits32(),
            port,
        };
        let tiers = owned(tiers);
        let mut shared = Shared::default();
        let trackers = Trackers::new(0, &tiers, identity, BOTH, &mut shared, rng);
        let mut client = Client::around(trackers, shared, speed);
        client.trackers.set_totals(0, 0, 1000);
        client
    }

    pub fn scraper(tiers: &[&[&str]]) -> Client {
        let (hash, rng) = (InfoHash(HASH), Rng::from_seed(9));
        let mut shared = Shared::default();
        let tiers = owned(tiers);
        let trackers = Trackers::scraper(&tiers, hash, BOTH, false, &mut shared, START, rng);
        Client::around(trackers, shared, 1)
    }

    fn around(trackers: Trackers, shared: Shared, speed: u32) -> Client {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
        let outreach =
            Outreach::new(poll.registry(), 1..100, 0, &Route::default(), BOTH, waker).unwrap();
        let (reports, warnings, began) = (Vec::new(), Vec::new(), Instant::now());
        Client {
            poll,
            outreach,
            trackers,
            shared,
            reports,
            warnings,
            turns: 0,
            began,
            speed,
        }
    }

    pub fn start(&mut self) {
        let now = self.now();
        self.trackers.start(&mut self.shared, now);
    }

    /// The download is complete.
    pub fn complete(&mut self) {
        let now = self.now();
        self.trackers.completed(&mut self.shared, now);
    }

    pub fn now(&self) -> Time {
        START + self.began.elapsed() * self.speed
    }

    /// Runs until so many reports have come; the last one.
    #[track_caller]
    pub fn report(&mut self, count: usize) -> (String, Result<Vec<SocketAddr>, String>) {
        self.run(|client| client.reports.len() >= count);
        let (url, outcome, _) = &self.reports[count - 1];
        (url.clone(), outcome.clone())
    }

    /// Why the only tracker failed.
    #[track_caller]
    pub fn failure(&mut self) -> String {
        self.start();
        self.report(1).1.unwrap_err()
    }

    /// Leaves, and runs until all has been said.
    #[track_caller]
    pub fn leave(&mut self) {
        let now = self.now();
        self.trackers.stop(&mut self.shared, now);
        self.run(|client| client.trackers.is_idle());
    }

    #[track_caller]
    pub fn run(&mut self, done: impl Fn(&Client) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Events::with_capacity(16);
        loop {
            self.perform();
            if done(self) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "nothing came; reports: {:?}",
                self.reports
            );
            let due = sooner(
                sooner(self.trackers.next_deadline(), self.shared.next_deadline()),
                self.outreach.next_deadline(),
            );
            let sleep = due.map_or(PATIENCE, |due| due.since(self.now()) / self.speed);
            support::poll(&mut self.poll, &mut events, sleep.min(PATIENCE));
            self.turns += 1;
            let now = self.now();
            let registry = self.poll.registry();
            let (trackers, shared) = (&mut self.trackers, &mut self.shared);
            let hear = &mut |heard: Heard<'_>| tell(trackers, shared, heard.input(), now);
            for event in events.iter() {
                match event.token() {
                    WAKER => self.outreach.on_woken(now, hear),
                    _ => self.outreach.on_event(event, registry, now, hear),
                }
            }
            self.outreach.handle_timeout(registry, now, hear);
            self.trackers.handle_timeout(&mut self.shared, now);
        }
    }

    fn perform(&mut self) {
        let now = self.now();
        while let Some(input) = self.shared.next_admitted(now) {
            tell(&mut self.trackers, &mut self.shared, input, now);
        }
        while let Some(response) = self.trackers.next_response() {
            let Response {
                url,
                outcome,
                counts,
                warning,
                ..
            } = response;
            self.reports.push((url, outcome, counts));
            self.warnings.extend(warning);
        }
        while let Some(action) = self.trackers.next_action() {
            let now = self.now();
            match action {
                // A name with addresses of both families, whatever this machine's name service
                // says.
                Action::Resolve { id, host, .. } if host == "both" => {
                    let ips = vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
                    let found = &Ok(ips);
                    let input = Input::Resolved { id, found };
                    tell(&mut self.trackers, &mut self.shared, input, now);
                }
                action => {
                    let registry = self.poll.registry();
                    let (trackers, shared) = (&mut self.trackers, &mut self.shared);
                    let hear = &mut |heard: Heard<'_>| tell(trackers, shared, heard.input(), now);
                    self.outreach.perform(action, registry, now, hear);
                }
            }
        }
    }
}

fn tell(trackers: &mut Trackers, shared: &mut Shared, input: Input<'_>, now: Time) {
    if !shared.recipients(&input).is_empty() {
        trackers.handle(input, shared, now);
    }
}

const START: Time = Time::from_micros(3_600_000_000);

fn owned(tiers: &[&[&str]]) -> Vec<Vec<String>> {
    let tier = |tier: &&[&str]| tier.iter().map(|&url| url.to_owned()).collect();
    tiers.iter().map(tier).collect()
}

/// Seeds that share what a process shares, each with the same tracker.
pub struct Crowd {
    poll: Poll,
    outreach: Outreach,
    shared: Shared,
    torrents: Vec<Trackers>,
    /// Torrents whose tracker has answered.
    answered: usize,
    began: Instant,
    /// When all were answered.
    pub done_at: Instant,
}

impl Crowd {
    /// So many, with this tracker.
    pub fn new(count: usize, url: &str) -> Crowd {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).unwrap());
        let outreach =
            Outreach::new(poll.registry(), 1..100, 0, &Route::default(), BOTH, waker).unwrap();
        let (mut rng, mut shared) = (Rng::from_seed(7), Shared::default());
        let torrents = (0..count).map(|torrent| {
            let identity = Identity {
                info_hash: InfoHash(Crowd::hash(torrent)),
                peer_id: PeerId::generate(&mut rng),
                key: rng.bits32(),
                port: 4001,
            };
            let (tiers, rng) = (owned(&[&[url]]), Rng::from_seed(torrent as u64));
            Trackers::new(torrent, &tiers, identity, BOTH, &mut shared, rng)
        });
        let torrents = torrents.collect();
        Crowd {
            torrents,
            poll,
            outreach,
            shared,
            answered: 0,
            began: Instant::now(),
            done_at: Instant::now(),
        }
    }

    /// The info hash of a torrent.
    pub fn hash(torrent: usize) -> [u8; 20] {
        let mut hash = HASH;
        hash[..2].copy_from_slice(&(torrent as u16).to_be_bytes());
        hash
    }

    /// Announces all, and runs until all were answered: none may fail.
    pub fn run(&mut self) {
        let now = self.now();
        for trackers in &mut self.torrents {
            trackers.start(&mut self.shared, now);
        }
        let deadline = Instant::now() + PATIENCE * 3;
        while self.answered < self.torrents.len() {
            assert!(Instant::now() < deadline, "{} answered", self.answered);
            self.turn();
        }
        self.done_at = Instant::now();
    }

    /// A turn of the loop, of a tenth of a second at most.
    pub fn turn(&mut self) {
        self.perform();
        let timers = self.torrents.iter().map(Trackers::next_deadline);
        let due = sooner(
            timers.fold(self.shared.next_deadline(), sooner),
            self.outreach.next_deadline(),
        );
        let most = Duration::from_millis(100);
        let sleep = due.map_or(most, |due| due.since(self.now()).min(most));
        let mut events = Events::with_capacity(16);
        support::poll(&mut self.poll, &mut events, sleep);
        let now = self.now();
        let registry = self.poll.registry();
        let (torrents, shared) = (&mut self.torrents, &mut self.shared);
        let hear = &mut |heard: Heard<'_>| tell_one(torrents, shared, heard.input(), now);
        for event in events.iter() {
            match event.token() {
                WAKER => self.outreach.on_woken(now, hear),
                _ => self.outreach.on_event(event, registry, now, hear),
            }
        }
        self.outreach.handle_timeout(registry, now, hear);
        for trackers in &mut self.torrents {
            trackers.handle_timeout(&mut self.shared, now);
        }
    }

    fn perform(&mut self) {
        let now = self.now();
        while let Some(input) = self.shared.next_admitted(now) {
            tell_one(&mut self.torrents, &mut self.shared, input, now);
        }
        for torrent in 0..self.torrents.len() {
            while let Some(response) = self.torrents[torrent].next_response() {
                assert!(response.outcome.is_ok(), "{torrent}: {response:?}");
                self.answered += 1;
            }
            while let Some(action) = self.torrents[torrent].next_action() {
                let registry = self.poll.registry();
                let (torrents, shared) = (&mut self.torrents, &mut self.shared);
                let hear = &mut |heard: Heard<'_>| tell_one(torrents, shared, heard.input(), now);
                self.outreach.perform(action, registry, now, hear);
            }
        }
    }

    fn now(&self) -> Time {
        START + self.began.elapsed()
    }
}

fn tell_one(torrents: &mut [Trackers], shared: &mut Shared, input: Input<'_>, now: Time) {
    for torrent in shared.recipients(&input) {
        torrents[torrent].handle(input, shared, now);
    }
}
