//! A thousand torrents in one process, on one tracker.

use std::collections::{BTreeMap, VecDeque};

use super::super::Next;
use super::*;
use crate::base::limits;
use crate::wire::announce::{Event, Reply};
use crate::wire::udp_tracker::{Body, Request, Response as Datagram};

const TORRENTS: usize = 1000;
const TRACKER: Option<&str> = Some("10.0.0.1:80");
/// What an answer takes to arrive, mostly.
const LATENCY: Duration = Duration::from_millis(80);

/// The machines, and a tracker.
struct World {
    shared: Shared,
    machines: Vec<Trackers>,
    now: Time,
    began: Time,
    /// What an answer takes to arrive.
    latency: Duration,
    /// The only one that answers.
    tracker: Option<SocketAddr>,
    /// What is on its way to us.
    coming: BTreeMap<(Time, usize), Coming>,
    sent: usize,
    /// Announces, by when they were made, and which torrent made them.
    announces: Vec<(Time, usize)>,
    /// All connections and datagrams.
    asked: Vec<Time>,
    connects: usize,
    open: usize,
    most_open: usize,
    said: Vec<Result<usize, String>>,
}

enum Coming {
    Reply(Id),
    Datagram(Vec<u8>),
}

/// A torrent that begins to announce.
fn machine(key: usize, tiers: &[&[&str]], shared: &mut Shared, now: Time) -> Trackers {
    let identity = Identity {
        info_hash: HASH,
        peer_id: PeerId(*b"-bk0100-abcdefghijkl"),
        key: 7,
        port: 6881,
    };
    let rng = Rng::from_seed(key as u64);
    let mut machine = Trackers::new(key, &owned(tiers), identity, BOTH, shared, rng);
    machine.set_need(Need::Answer, shared, now);
    machine.start(shared, now);
    machine
}

impl World {
    /// All torrents begin to announce at once. Only this address answers.
    fn new(tiers: &[&[&str]], tracker: Option<&str>) -> World {
        let now = Time::from_micros(3_600_000_000);
        let mut shared = Shared::default();
        let machines = (0..TORRENTS).map(|key| machine(key, tiers, &mut shared, now));
        let machines = machines.collect();
        World {
            shared,
            machines,
            now,
            began: now,
            latency: LATENCY,
            tracker: tracker.map(|addr| addr.parse().unwrap()),
            coming: BTreeMap::new(),
            sent: 0,
            announces: Vec::new(),
            asked: Vec::new(),
            connects: 0,
            open: 0,
            most_open: 0,
            said: Vec::new(),
        }
    }

    /// Runs for this many seconds.
    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        (0..TORRENTS).for_each(|key| self.drain(key));
        loop {
            while let Some(input) = self.shared.next_admitted(self.now) {
                self.tell(input);
            }
            let timers = self.machines.iter().map(Trackers::next_deadline);
            let timer = timers.fold(None, sooner);
            let coming = self.coming.keys().next().map(|&(at, _)| at);
            let due = sooner(sooner(timer, coming), self.shared.next_deadline());
            let Some(due) = due.filter(|&due| due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            for key in 0..TORRENTS {
                let due = self.machines[key].next_deadline();
                if due.is_some_and(|due| due <= self.now) {
                    self.machines[key].handle_timeout(&mut self.shared, self.now);
                    self.drain(key);
                }
            }
            while self
                .coming
                .keys()
                .next()
                .is_some_and(|key| key.0 <= self.now)
            {
                let (_, coming) = self.coming.pop_first().unwrap();
                self.arrive(coming);
            }
        }
        self.now = end;
    }

    fn arrive(&mut self, coming: Coming) {
        match coming {
            Coming::Reply(id) => {
                let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n{FINE}");
                let bytes = reply.as_bytes();
                self.tell(Input::Connected { id });
                self.tell(Input::Bytes { id, bytes });
            }
            Coming::Datagram(bytes) => {
                let from = "10.0.0.1:80".parse().unwrap();
                self.tell(Input::Datagram {
                    from,
                    bytes: &bytes,
                });
            }
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        for key in self.shared.recipients(&input) {
            let taken = self.machines[key].handle(input, &mut self.shared, self.now);
            assert!(taken, "{input:?} went to the wrong torrent");
            self.drain(key);
        }
    }

    fn drain(&mut self, key: usize) {
        let machine = &mut self.machines[key];
        let responses = std::iter::from_fn(|| machine.next_response());
        let said = responses.map(|response| response.outcome.map(|peers| peers.len()));
        self.said.extend(said);
        let actions: VecDeque<Action> = std::iter::from_fn(|| machine.next_action()).collect();
        for action in actions {
            self.perform(key, action);
        }
    }

    fn perform(&mut self, key: usize, action: Action) {
        let at = (self.now + self.latency, self.sent);
        self.sent += 1;
        match action {
            Action::Connect { id, addr, .. } => {
                self.asked.push(self.now);
                self.open += 1;
                self.most_open = self.most_open.max(self.open);
                if self.tracker == Some(addr) {
                    self.announces.push((self.now, key));
                    self.coming.insert(at, Coming::Reply(id));
                }
            }
            Action::Abort { .. } | Action::Release { .. } => self.open -= 1,
            Action::Datagram { to, bytes } => {
                self.asked.push(self.now);
                let (transaction, body) = match Request::parse(&bytes).unwrap() {
                    Request::Connect { transaction } => {
                        self.connects += 1;
                        (transaction, Body::Connect(77))
                    }
                    Request::Announce {
                        transaction, query, ..
                    } => {
                        assert!(matches!(query.event, Some(Event::Started | Event::Stopped)));
                        self.announces.push((self.now, key));
                        let interval = Some(Duration::from_secs(1800));
                        let reply = Reply {
                            interval,
                            ..Reply::default()
                        };
                        (transaction, Body::Announce(reply))
                    }
                    other => panic!("{other:?}"),
                };
                let mut reply = Vec::new();
                Datagram { transaction, body }.encode(&mut reply);
                if self.tracker == Some(to) {
                    self.coming.insert(at, Coming::Datagram(reply));
                }
            }
            Action::Resolve { .. } => panic!("the address is known"),
        }
    }

    /// How many torrents ask, or wait in a line.
    fn asking(&self) -> usize {
        let machines = self.machines.iter();
        machines.filter(|machine| !machine.is_idle()).count()
    }

    /// The most that any second saw.
    fn densest(&self) -> usize {
        let times = || self.announces.iter().map(|&(at, _)| at);
        let within = |from: Time| {
            let second = Duration::from_secs(1);
            times().filter(move |&at| at >= from && at.since(from) <= second)
        };
        times().map(|from| within(from).count()).max().unwrap_or(0)
    }

    fn all_announced(&self) {
        let since = |place: usize| self.announces[place].0.since(self.began);
        assert!(since(0) <= Duration::from_secs(1));
        assert!(since(TORRENTS - 1) <= Duration::from_secs(60));
        let mut torrents: Vec<usize> = self.announces.iter().map(|&(_, key)| key).collect();
        torrents.sort_unstable();
        assert!(torrents.into_iter().eq(0..TORRENTS), "each once");
        assert!(self.densest() <= 50, "{} in a second", self.densest());
        assert!(self.said.iter().all(|said| *said == Ok(0)), "none fails");
        assert_eq!(self.said.len(), TORRENTS);
    }
}

#[test]
fn a_thousand_torrents_announce_over_http_within_a_minute() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], TRACKER);
    world.run(60);
    world.all_announced();
    assert!(world.most_open <= limits::TRACKER_CONNECTIONS_EACH);
}

/// What waits to be asked takes memory, most of all where the tracker is slow or silent.
#[test]
fn few_of_a_thousand_torrents_wait_to_ask_at_one_time() {
    let slow = Duration::from_secs(2);
    for url in ["http://10.0.0.1/announce", "udp://10.0.0.1:80"] {
        for (tracker, latency) in [(TRACKER, LATENCY), (TRACKER, slow), (None, LATENCY)] {
            let mut world = World::new(&[&[url]], tracker);
            world.latency = latency;
            let mut seen = Vec::new();
            for _ in 0..60 {
                seen.push(world.asking());
                world.run(1);
            }
            let crowd = limits::TRACKER_CROWD;
            assert!(seen.iter().all(|&it| it <= crowd), "{url}: {seen:?}");
            assert_eq!(seen[0], crowd);
            if tracker.is_some() && latency == LATENCY {
                assert_eq!(seen[59], 0, "{url}: {seen:?}");
                world.all_announced();
            }
        }
    }
}

/// Those that were paused while they waited wait again.
#[test]
fn few_ask_at_one_time_after_a_pause() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], TRACKER);
    for key in 0..TORRENTS {
        world.machines[key].stop(&mut world.shared, world.now);
    }
    world.run(60);
    world.announces.clear();
    world.said.clear();
    world.began = world.now;
    for key in 0..TORRENTS {
        world.machines[key].restart(&mut world.shared, world.now);
    }
    assert_eq!(world.asking(), limits::TRACKER_CROWD);
    world.run(60);
    world.all_announced();
}

/// Where nobody waits any more, nobody waits for those that did.
#[test]
fn a_torrent_that_comes_after_many_have_gone_is_announced_at_once() {
    let tiers: &[&[&str]] = &[&["http://10.0.0.1/announce"]];
    let mut world = World::new(tiers, TRACKER);
    for key in 0..TORRENTS {
        world.machines[key].stop(&mut world.shared, world.now);
    }
    world.run(0);
    world.announces.clear();
    world.machines[0] = machine(0, tiers, &mut world.shared, world.now);
    world.run(1);
    assert_eq!(world.announces, [(world.began, 0)]);
}

/// It asks the tracker that it waited for, as if nothing had been added.
#[test]
fn a_torrent_that_waits_is_announced_though_a_tracker_is_added() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], TRACKER);
    let [first, last] = [0, TORRENTS - 1];
    for key in [first, last] {
        let more = owned(&[&["http://10.0.0.1/more"]]);
        let added = world.machines[key].add(&more, BOTH, &mut world.shared, world.now);
        assert_eq!(added, 1);
    }
    world.run(60);
    for key in [first, last] {
        assert!(
            world.machines[key].views(world.now)[0].last.is_some(),
            "{key}"
        );
    }
}

/// Of one that waits for others no moment is shown: the one when it was due lies in the past.
#[test]
fn a_torrent_that_waits_for_others_is_shown_as_queued() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], None);
    world.run(5);
    let next = |key: usize| world.machines[key].views(world.now)[0].next;
    assert_eq!(next(0), Next::Asking);
    assert_eq!(next(TORRENTS - 1), Next::Queued);
}

/// A download that knows no peer does not wait for others.
#[test]
fn a_torrent_that_knows_no_peer_does_not_wait() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], TRACKER);
    let last = TORRENTS - 1;
    world.machines[last].set_need(Need::Peers, &mut world.shared, world.now);
    assert_eq!(world.asking(), limits::TRACKER_CROWD + 1);
    assert!(!world.machines[last].is_idle());
    world.run(4);
    assert!(world.announces.iter().any(|&(_, key)| key == last));
}

#[test]
fn a_thousand_torrents_announce_over_udp_under_one_connection_id() {
    let mut world = World::new(&[&["udp://10.0.0.1:80"]], TRACKER);
    world.run(60);
    world.all_announced();
    assert_eq!(world.connects, 1);
}

/// Over both protocols, by a tracker that answers at once.
#[test]
fn a_thousand_torrents_say_farewell_in_time() {
    for url in ["http://10.0.0.1/announce", "udp://10.0.0.1:80"] {
        let mut world = World::new(&[&[url]], TRACKER);
        world.run(60);
        world.announces.clear();
        (world.began, world.latency) = (world.now, Duration::from_millis(1));
        for key in 0..TORRENTS {
            world.machines[key].stop(&mut world.shared, world.now);
        }
        world.run(60);
        let mut torrents: Vec<usize> = world.announces.iter().map(|&(_, key)| key).collect();
        torrents.sort_unstable();
        assert!(torrents.into_iter().eq(0..TORRENTS), "each once: {url}");
        let last = world.announces.iter().map(|&(at, _)| at).max().unwrap();
        let took = last.since(world.began);
        assert!(took <= limits::FAREWELL / 2, "{url}: {took:?}");
        assert!(world.most_open <= limits::TRACKER_CONNECTIONS_EACH);
    }
}

/// The torrent that asks for the connection id is removed: another one asks for it.
#[test]
fn a_torrent_that_waits_for_a_connection_id_does_not_depend_on_the_one_that_asks() {
    let mut world = World::new(&[&["udp://10.0.0.1:80"]], TRACKER);
    let input = world.shared.next_admitted(world.now).unwrap();
    let [first] = world.shared.recipients(&input)[..] else {
        panic!("{input:?} is of one torrent");
    };
    world.tell(input);
    world.machines[first].stop(&mut world.shared, world.now);
    world.run(60);
    assert_eq!(world.connects, 2);
    assert_eq!(world.said, vec![Ok(0); TORRENTS - 1]);
}

/// A host that is no tracker, and says nothing, hears from a thousand torrents no more than from
/// one with as many URLs.
#[test]
fn a_host_that_is_no_tracker_is_not_flooded_by_a_thousand_torrents() {
    let mut world = World::new(&[&["http://10.0.0.1/announce"]], None);
    world.run(60);
    let spaced = 60 / limits::VISIT_GAP.as_secs() as usize;
    let most = limits::TRACKER_VISITS as usize + spaced;
    assert!(
        (most - 1..=most).contains(&world.asked.len()),
        "{}",
        world.asked.len()
    );
    assert!(world.most_open <= limits::TRACKER_CONNECTIONS_EACH);

    let mut world = World::new(&[&["udp://10.0.0.1:80"]], None);
    world.run(44);
    assert_eq!(world.asked.len(), 2, "one asks for a connection id, twice");
    assert_eq!(world.said, []);
    world.run(2);
    let silent = Err(String::from("no answer"));
    let together = vec![silent; limits::TRACKER_CROWD];
    assert_eq!(world.said, together, "all fail with that one");
    world.run(3600);
    assert!(
        world.asked.len() <= 2 * (1 + (44 + 2 + 3600) / 45),
        "{}",
        world.asked.len()
    );
}

/// Those whose other trackers are silent are not kept from the one that answers.
#[test]
fn silent_trackers_delay_no_announce() {
    let silent = ["udp://192.0.2.9:9", "http://192.0.2.9/announce"];
    let mut world = World::new(&[&silent, &["http://10.0.0.1/announce"]], TRACKER);
    world.run(60);
    let heard = world.said.iter().filter(|said| said.is_ok());
    assert_eq!(heard.count(), TORRENTS);
    assert!(world.densest() <= 50);
}

/// Those that have peers ask one tracker after the other. A first one that is dead keeps none from
/// the next one for long, and few of them wait to ask that one.
#[test]
fn a_dead_tracker_of_the_first_tier_delays_no_torrent_with_peers_for_long() {
    for silent in ["udp://192.0.2.9:9", "http://192.0.2.9/announce"] {
        let tiers: &[&[&str]] = &[&[silent], &["http://10.0.0.1/announce"]];
        let mut world = World::new(tiers, TRACKER);
        for key in 0..TORRENTS {
            world.machines[key].stop(&mut world.shared, world.now);
        }
        world.run(60);
        world.announces.clear();
        for key in 0..TORRENTS {
            // From now on it needs nothing.
            world.machines[key].restart(&mut world.shared, world.now);
        }
        assert_eq!(world.asking(), limits::TRACKER_CROWD);
        world.run(150);
        let mut torrents: Vec<usize> = world.announces.iter().map(|&(_, key)| key).collect();
        torrents.sort_unstable();
        torrents.dedup();
        assert_eq!(torrents.len(), TORRENTS, "{silent}");
        assert!(world.densest() <= 50, "{silent}");
    }
}
