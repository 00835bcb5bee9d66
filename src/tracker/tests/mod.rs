//! The machine as the outside sees it: its actions in, answers out, on a clock of the test's own.

mod announce;
mod bounds;
mod events;
mod flood;
mod guard;
mod history;
mod http;
mod many;
mod naming;
mod scrape;
mod search;
mod udp;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::{Action, Counts, Families, Id, Identity, Input, Need, Response, Shared, Trackers};
use crate::base::{Duration, InfoHash, PeerId, Rng, Time, sooner};

const HASH: InfoHash = InfoHash(*b"hhhhhhhhhhhhhhhhhhhh");
const BOTH: Families = Families { v4: true, v6: true };

/// A machine and the outside that it asks for things.
struct Bench {
    trackers: Trackers,
    shared: Shared,
    now: Time,
    actions: VecDeque<Action>,
    reports: Vec<Response>,
}

/// A GET that was asked for.
struct Get {
    id: Id,
    addr: SocketAddr,
    text: String,
}

/// An answer that names no peers.
const FINE: &str = "d8:intervali1800e5:peers0:e";
/// An answer that names one.
const PEER: &str = "d8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x09e";

impl Bench {
    /// A download of 1000 bytes that is about to start.
    fn new(tiers: &[&[&str]]) -> Bench {
        Bench::with(tiers, BOTH)
    }

    fn with(tiers: &[&[&str]], families: Families) -> Bench {
        let identity = Identity {
            info_hash: HASH,
            peer_id: PeerId(*b"-bk0100-abcdefghijkl"),
            key: 0x1234_abcd,
            port: 6881,
        };
        let now = Time::from_micros(3_600_000_000);
        let (tiers, rng, mut shared) = (owned(tiers), Rng::from_seed(1), Shared::default());
        let trackers = Trackers::new(0, &tiers, identity, families, &mut shared, rng);
        let mut bench = Bench::around(trackers, shared, now);
        bench.trackers.set_totals(0, 0, 1000);
        bench
    }

    /// The same, started.
    fn started(tiers: &[&[&str]]) -> Bench {
        let mut bench = Bench::new(tiers);
        bench.trackers.start(&mut bench.shared, bench.now);
        bench
    }

    fn scraper(tiers: &[&[&str]]) -> Bench {
        let now = Time::from_micros(3_600_000_000);
        let (mut shared, rng) = (Shared::default(), Rng::from_seed(1));
        let trackers = Trackers::scraper(&owned(tiers), HASH, BOTH, false, &mut shared, now, rng);
        Bench::around(trackers, shared, now)
    }

    fn around(trackers: Trackers, shared: Shared, now: Time) -> Bench {
        Bench {
            trackers,
            shared,
            now,
            actions: VecDeque::new(),
            reports: Vec::new(),
        }
    }

    fn take_actions(&mut self) {
        self.admit();
        while let Some(action) = self.trackers.next_action() {
            self.actions.push_back(action);
        }
        while let Some(response) = self.trackers.next_response() {
            self.reports.push(response);
        }
    }

    /// Questions are asked whose turn it is.
    fn admit(&mut self) {
        while let Some(input) = self.shared.next_admitted(self.now) {
            assert!(self.hear(input), "nobody takes its turn: {input:?}");
        }
    }

    /// Something happens outside. False: it is for nobody.
    fn hear(&mut self, input: Input<'_>) -> bool {
        let concerned = !self.shared.recipients(&input).is_empty();
        concerned && self.trackers.handle(input, &mut self.shared, self.now)
    }

    fn hear_connected(&mut self, id: Id) {
        self.hear(Input::Connected { id });
    }

    fn hear_bytes(&mut self, id: Id, bytes: &[u8]) {
        self.hear(Input::Bytes { id, bytes });
    }

    fn hear_closed(&mut self, id: Id, how: Result<(), String>) {
        self.hear(Input::Closed { id, how: &how });
    }

    fn hear_resolved(&mut self, id: Id, found: Result<Vec<IpAddr>, String>) {
        self.hear(Input::Resolved { id, found: &found });
    }

    fn hear_datagram(&mut self, from: SocketAddr, bytes: &[u8]) -> bool {
        self.hear(Input::Datagram { from, bytes })
    }

    fn hear_undeliverable(&mut self, to: SocketAddr, why: &str) {
        self.hear(Input::Undeliverable { to, why });
    }

    /// When something is due, of the machine or of what is shared.
    fn next_deadline(&self) -> Option<Time> {
        sooner(self.trackers.next_deadline(), self.shared.next_deadline())
    }

    /// The next thing that is asked of the outside, reports aside.
    fn next(&mut self) -> Option<Action> {
        self.take_actions();
        self.actions.pop_front()
    }

    /// The same, connections that are not needed any more aside.
    fn wanted(&mut self) -> Option<Action> {
        let left = |it: &Action| matches!(it, Action::Abort { .. } | Action::Release { .. });
        std::iter::from_fn(|| self.next()).find(|action| !left(action))
    }

    /// Nothing is asked of the outside.
    #[track_caller]
    fn quiet(&mut self) {
        let next = self.wanted();
        assert!(next.is_none(), "{next:?}");
    }

    /// A connection and a GET are asked for.
    #[track_caller]
    fn get(&mut self) -> Get {
        match self.wanted() {
            Some(Action::Connect {
                id, addr, request, ..
            }) => {
                let text = String::from_utf8(request).unwrap();
                Get { id, addr, text }
            }
            other => panic!("no GET but {other:?}"),
        }
    }

    /// A look-up is asked for.
    #[track_caller]
    fn lookup(&mut self) -> (Id, String) {
        match self.wanted() {
            Some(Action::Resolve { id, host, .. }) => (id, host),
            other => panic!("no look-up but {other:?}"),
        }
    }

    /// A datagram is asked for.
    #[track_caller]
    fn datagram(&mut self) -> (SocketAddr, Vec<u8>) {
        match self.wanted() {
            Some(Action::Datagram { to, bytes }) => (to, bytes),
            other => panic!("no datagram but {other:?}"),
        }
    }

    fn found(&mut self, id: Id, ips: &[&str]) {
        let ips = ips.iter().map(|ip| ip.parse::<IpAddr>().unwrap());
        self.hear_resolved(id, Ok(ips.collect()));
    }

    /// The server sends these bytes and closes.
    fn send(&mut self, get: &Get, bytes: impl AsRef<[u8]>) {
        self.hear_connected(get.id);
        self.hear_bytes(get.id, bytes.as_ref());
        self.hear_closed(get.id, Ok(()));
    }

    /// The server answers with this body.
    fn answer(&mut self, get: &Get, body: &str) {
        self.send(get, format!("HTTP/1.1 200 OK\r\n\r\n{body}"));
    }

    fn refuse(&mut self, get: &Get) {
        let why = String::from("it refused the connection");
        self.hear_closed(get.id, Err(why));
    }

    /// Time passes, in seconds; the machine is told at each of its deadlines.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.admit();
            self.trackers.handle_timeout(&mut self.shared, self.now);
            self.admit();
            let again = self.next_deadline();
            assert!(
                again.is_none_or(|again| again > self.now),
                "it does not sleep"
            );
        }
        self.now = end;
        self.trackers.handle_timeout(&mut self.shared, self.now);
    }

    /// Seconds until the machine has something to do.
    fn idle_for(&mut self) -> Option<u64> {
        self.take_actions();
        let due = self.next_deadline()?;
        Some(due.since(self.now).as_secs())
    }

    /// What was reported since the last call, as `URL peers` or `URL: why`.
    fn said(&mut self) -> Vec<String> {
        self.take_actions();
        let said = self.reports.drain(..).map(|report| match report.outcome {
            Ok(peers) => format!("{} {}", report.url, peers.len()),
            Err(why) => format!("{}: {why}", report.url),
        });
        said.collect()
    }
}

impl Get {
    /// The value of a parameter of the query, percent-encoded.
    fn param(&self, name: &str) -> Option<&str> {
        let line = self.text.lines().next().unwrap();
        let target = line
            .strip_prefix("GET ")
            .unwrap()
            .strip_suffix(" HTTP/1.1")
            .unwrap();
        let (_, query) = target.split_once('?').unwrap();
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    fn event(&self) -> &str {
        self.param("event").unwrap_or("")
    }

    fn host(&self) -> &str {
        let mut lines = self.text.lines();
        lines.find_map(|line| line.strip_prefix("Host: ")).unwrap()
    }
}

fn owned(tiers: &[&[&str]]) -> Vec<Vec<String>> {
    let tier = |tier: &&[&str]| tier.iter().map(|&url| url.to_owned()).collect();
    tiers.iter().map(tier).collect()
}

/// Whatever happens in whatever order, the machine does not panic, keeps within its bounds, and
/// comes to rest after `stop`.
#[test]
fn any_order_of_events_is_survived() {
    for seed in 0..300 {
        let mut rng = Rng::from_seed(seed);
        let mut bench = Bench::new(&[
            &["http://a/announce", "udp://10.0.0.1:9"],
            &["http://[::1]:81/announce", "udp://b:9"],
        ]);
        let mut ids = Vec::new();
        let mut sent: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        for _ in 0..200 {
            while let Some(action) = bench.next() {
                match action {
                    Action::Resolve { id, .. } | Action::Connect { id, .. } => ids.push(id),
                    Action::Datagram { to, bytes } => sent.push((to, bytes)),
                    _ => {}
                }
            }
            any_event(&mut bench, &ids, &sent, &mut rng);
        }
        bench.trackers.stop(&mut bench.shared, bench.now);
        bench.pass(4);
        bench.take_actions();
        bench.actions.clear();
        assert!(bench.trackers.is_idle(), "seed {seed}");
        assert_eq!(bench.next_deadline(), None, "seed {seed}");
    }
}

fn any_event(bench: &mut Bench, ids: &[Id], sent: &[(SocketAddr, Vec<u8>)], rng: &mut Rng) {
    let now = bench.now;
    let id = ids.get(rng.below(ids.len() as u64) as usize).copied();
    match (rng.below(13), id) {
        (0, _) => bench.trackers.start(&mut bench.shared, now),
        (1, _) => bench.trackers.completed(&mut bench.shared, now),
        (2, _) => bench.trackers.want_peers(&mut bench.shared, now),
        (11, _) => {
            let needs = [Need::Nothing, Need::Answer, Need::Peers];
            let need = needs[rng.below(3) as usize];
            bench.trackers.set_need(need, &mut bench.shared, bench.now);
        }
        (3, Some(id)) => {
            let found = ["10.0.0.2", "::2", "10.0.0.3"].map(|ip| ip.parse().unwrap());
            bench.hear_resolved(id, Ok(found[..rng.below(4) as usize].to_vec()));
        }
        (4, Some(id)) => bench.hear_connected(id),
        (5 | 6, Some(id)) => {
            let answers = [
                "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e",
                "HTTP/1.1 302 Found\r\nLocation: http://c/x\r\n\r\n",
                "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n",
                "garbage",
            ];
            let bytes = answers[rng.below(4) as usize].as_bytes();
            let cut = rng.below(bytes.len() as u64 * 2) as usize;
            bench.hear_bytes(id, &bytes[..cut.min(bytes.len())]);
        }
        (7, Some(id)) => bench.hear_closed(id, Ok(())),
        (8, Some(id)) => bench.hear_closed(id, Err(String::from("reset"))),
        (9 | 10, _) if !sent.is_empty() => {
            let (to, request) = &sent[rng.below(sent.len() as u64) as usize];
            let mut response = vec![0, 0, 0, rng.below(5) as u8];
            response.extend(request.get(12..16).unwrap_or_default());
            response.extend((0..rng.below(40)).map(|_| rng.bits32() as u8));
            bench.hear_datagram(*to, &response);
        }
        _ => bench.pass(rng.below(40)),
    }
}
