//! Who is in the swarm of a torrent: trackers, the DHT and the local network are asked once, on a
//! poll loop that lives as long as that takes, and nobody is dialed.

mod nearby;
mod told;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mio::{Events, Poll, Token, Waker};

use self::nearby::Nearby;
use self::told::Told;
use super::clock::Clock;
use super::net::{Heard, Outreach, Route, tcp};
use super::nodes::Nodes;
use super::scrape::Asking;
use crate::base::{Duration, InfoHash, PeerId, Rng, Time, plain, sooner};
use crate::dht::{self, Dht, Output, Want};
use crate::session::datagrams::Protocol;
use crate::tracker::{Families, Identity, Shared, Trackers};
use crate::wire::Family;

/// What is asked about, and whom.
#[derive(Clone, Debug)]
pub struct Question {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Its trackers; none: they are not asked.
    pub tiers: Vec<Vec<String>>,
    /// The nodes of the DHT that it names; `None`: the DHT is not asked.
    pub nodes: Option<Vec<String>>,
    /// The local network is asked.
    pub nearby: bool,
}

/// How to ask.
#[derive(Clone, Debug)]
pub struct Ways {
    /// The port that we name, and whose UDP we use; `None`: any.
    pub port: Option<u16>,
    /// The way of all that is sent: with a proxy neither the DHT nor the local network is asked.
    pub route: Route,
    /// Trackers at local addresses are asked whatever their path.
    pub allow_local: bool,
    /// Nodes of the DHT to begin with instead of the usual ones.
    pub dht_nodes: Vec<(String, u16)>,
    /// Where nodes are kept.
    pub state_dir: PathBuf,
    /// What has not come after so long is not waited for.
    pub timeout: Option<Duration>,
    /// Each step in the DHT is told.
    pub watch: bool,
}

/// Who knows a peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The tracker of this URL.
    Tracker(String),
    /// The DHT.
    Dht,
    /// The local network.
    Nearby,
}

/// What a search has come to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A peer: once for each source.
    Peer(SocketAddr, Source),
    /// This source names more peers than are told.
    More(Source),
    /// A tracker did not answer, and why.
    Failed(String, String),
    /// The DHT has nothing more to say: so many nodes answered.
    Looked(usize),
    /// A step of a lookup in the DHT: the node, whether it was ours, in words.
    Step(SocketAddr, bool, String),
}

const WAKER: Token = Token(0);
const OUTREACH: std::ops::Range<usize> = 1..1024;
const NEARBY: std::ops::Range<usize> = OUTREACH.end..OUTREACH.end + Nearby::TOKENS;
/// Readiness events taken in one turn.
const EVENTS: usize = 128;
/// The port that trackers are told where none is named: the first of the usual ones.
const USUAL_PORT: u16 = 6881;

/// Asks, and tells what comes as it comes.
///
/// # Errors
/// Nobody can be asked at all: a line for the user.
pub fn peers(question: Question, ways: &Ways, tell: &mut dyn FnMut(Event)) -> Result<(), String> {
    let mut search = Search::new(question, ways)?;
    let mut events = Events::with_capacity(EVENTS);
    let until = ways.timeout.map(|timeout| search.clock.now() + timeout);
    loop {
        let now = search.clock.now();
        search.act(tell, now);
        let late = until.is_some_and(|until| until <= now);
        if late || search.is_over(now) {
            break;
        }
        search.sleep(until, &mut events)?;
    }
    search.keep();
    Ok(())
}

/// A search under way.
struct Search {
    poll: Poll,
    outreach: Outreach,
    clock: Clock,
    asking: Asking,
    /// Trackers were told that we are gone.
    left: bool,
    looking: Option<Looking>,
    nearby: Option<Nearby>,
    /// What was told.
    told: Told,
}

/// The part of the DHT.
struct Looking {
    dht: Box<Dht>,
    nodes: Nodes,
    /// Something has happened that our node must act on.
    stirred: bool,
    /// Nodes that answered, by family: a lookup in vain counts once all hosts are known.
    answers: [Option<usize>; 2],
    over: bool,
}

impl Search {
    fn new(question: Question, ways: &Ways) -> Result<Search, String> {
        let clock = Clock::start();
        let now = clock.now();
        let random = || {
            rand::TryRng::try_next_u64(&mut rand::rngs::SysRng)
                .map_err(|error| format!("random numbers: {error}"))
        };
        let mut rng = Rng::from_seed(random()?);
        let broken = |error| format!("poll: {}", tcp::plain(&error));
        let poll = Poll::new().map_err(broken)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(broken)?);
        ways.route.find()?;
        let bind = ways.route.bind;
        let families = ways.route.families();
        let port = ways.port.unwrap_or(0);
        let registry = poll.registry();
        let opened = Outreach::new(registry, OUTREACH, port, &ways.route, families, waker);
        let mut outreach =
            opened.map_err(|error| format!("port {port} (UDP): {}", tcp::plain(&error)))?;
        let identity = Identity {
            info_hash: question.info_hash,
            peer_id: PeerId::generate(&mut rng),
            key: rng.bits32(),
            port: match port {
                _ if ways.route.has_proxy() => Identity::NO_PORT,
                0 => USUAL_PORT,
                port => port,
            },
        };
        let us = (question.info_hash, identity.peer_id);
        let nearby = if question.nearby {
            let listen = |port, seed| Nearby::new(us, (port, bind), (registry, NEARBY), seed, now);
            let seed = rng.bits64();
            // Another client of this machine may have the port.
            let nearby = listen(ways.port, seed).or_else(|_| listen(None, seed));
            nearby
                .inspect_err(|why| log::warn!("local network: {why}"))
                .ok()
        } else {
            None
        };
        let seed = Rng::from_seed(rng.bits64());
        let (tiers, mut shared) = (&question.tiers, Shared::default());
        let mut trackers = Trackers::new(0, tiers, identity, families, &mut shared, seed);
        trackers.allow_local(ways.allow_local);
        // Some trackers name no seeds to one that has everything.
        trackers.set_totals(0, 0, 1);
        trackers.ask_once(&mut shared, now);
        let looking = match question.nodes {
            Some(named) => {
                let random = (random()?, random()?);
                let mut looking = Looking::new(&named, ways, families, random, now);
                looking.nodes.look_up(&mut outreach, true, now);
                looking.look_for(question.info_hash, now);
                Some(looking)
            }
            None => None,
        };
        Ok(Search {
            poll,
            outreach,
            clock,
            asking: Asking { trackers, shared },
            left: false,
            looking,
            nearby,
            told: Told::default(),
        })
    }

    /// Does what is to be done now.
    fn act(&mut self, tell: &mut dyn FnMut(Event), now: Time) {
        self.asking.admit(now);
        while let Some(action) = self.asking.trackers.next_action() {
            let (asking, looking, nearby) = (&mut self.asking, &mut self.looking, &mut self.nearby);
            let hear = &mut |heard: Heard<'_>| hear(heard, asking, looking, nearby, now);
            self.outreach
                .perform(action, self.poll.registry(), now, hear);
        }
        while let Some(response) = self.asking.trackers.next_response() {
            match response.outcome {
                // Whether it has heard that we are gone is nobody's concern.
                _ if self.left => {}
                Ok(peers) => {
                    for peer in peers {
                        self.found(peer, Source::Tracker(response.url.clone()), tell);
                    }
                }
                Err(why) => tell(Event::Failed(response.url, why)),
            }
        }
        if self.asking.trackers.is_idle() && !self.left {
            self.left = true;
            self.asking.trackers.stop(&mut self.asking.shared, now);
        }
        if let Some(nearby) = &mut self.nearby {
            nearby.turn(&mut self.outreach, self.poll.registry(), now);
        }
        while let Some(peer) = self.nearby.as_mut().and_then(Nearby::next_found) {
            self.found(peer, Source::Nearby, tell);
        }
        let nodes = self.outreach.look_ups.take_nodes();
        let resolved = !self.outreach.look_ups.is_looking();
        if let Some(looking) = &mut self.looking {
            nodes.iter().for_each(|&node| looking.dht.add_contact(node));
            looking.stirred |= !nodes.is_empty();
            looking.turn(now);
        }
        while let Some(output) = self.looking.as_mut().and_then(|it| it.dht.next_output()) {
            self.take(output, resolved, tell);
        }
        if let Some(looking) = &mut self.looking {
            if !looking.over && looking.is_over(resolved) {
                looking.over = true;
                tell(Event::Looked(looking.answers.iter().flatten().sum()));
            }
        }
    }

    fn take(&mut self, output: Output, resolved: bool, tell: &mut dyn FnMut(Event)) {
        match output {
            Output::Datagram { to, bytes } => self.outreach.send(to, &bytes),
            Output::Peers { peers, .. } => {
                for peer in peers {
                    self.found(peer, Source::Dht, tell);
                }
            }
            Output::Looked(summary) => {
                if let Some(looking) = &mut self.looking {
                    if resolved || summary.answers > 0 {
                        looking.answers[summary.family.index()] = Some(summary.answers);
                    }
                }
            }
            Output::Report(report) => {
                let (ours, words) = crate::session::finding::words(&report);
                tell(Event::Step(report.node, ours, words));
            }
        }
    }

    fn found(&mut self, peer: SocketAddr, source: Source, tell: &mut dyn FnMut(Event)) {
        let peer = plain(peer);
        let event = self.told.add(peer, source);
        event.into_iter().for_each(tell);
    }

    fn is_over(&self, now: Time) -> bool {
        let looking = self.looking.as_ref().is_some_and(|it| !it.over);
        let listening = self.nearby.as_ref().is_some_and(|it| !it.is_over(now));
        self.left && self.asking.trackers.is_idle() && !looking && !listening
    }

    /// Sleeps until something happens, and takes it in.
    fn sleep(&mut self, until: Option<Time>, events: &mut Events) -> Result<(), String> {
        let trackers = self.asking.trackers.next_deadline();
        let mut due = sooner(trackers, self.asking.shared.next_deadline());
        due = sooner(due, sooner(self.outreach.next_deadline(), until));
        due = sooner(due, self.looking.as_ref().and_then(Looking::next_deadline));
        due = sooner(due, self.nearby.as_ref().and_then(Nearby::next_deadline));
        let timeout = due.map(|due| due.since(self.clock.now()));
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(format!("poll: {}", tcp::plain(&error)));
            }
            _ => {}
        }
        let now = self.clock.now();
        let registry = self.poll.registry();
        if let Some(nearby) = &mut self.nearby {
            for event in events.iter() {
                nearby.on_event(event, registry);
            }
        }
        let (asking, looking, nearby) = (&mut self.asking, &mut self.looking, &mut self.nearby);
        let hear = &mut |heard: Heard<'_>| hear(heard, asking, looking, nearby, now);
        for event in events.iter() {
            match event.token() {
                WAKER => self.outreach.on_woken(now, hear),
                Token(token) if NEARBY.contains(&token) => {}
                _ => self.outreach.on_event(event, registry, now, hear),
            }
        }
        self.outreach.handle_timeout(registry, now, hear);
        let Asking { trackers, shared } = &mut self.asking;
        trackers.handle_timeout(shared, now);
        Ok(())
    }

    /// Keeps the nodes for the next time.
    fn keep(&mut self) {
        if let Some(looking) = &mut self.looking {
            looking.nodes.keep(Some(&looking.dht));
            looking.nodes.wait();
        }
    }
}

impl Looking {
    fn new(
        named: &[String],
        ways: &Ways,
        families: Families,
        random: (u64, u64),
        now: Time,
    ) -> Looking {
        let (state_dir, bind) = (ways.state_dir.clone(), ways.route.bind);
        let (mut nodes, saved) = Nodes::load(state_dir, ways.dht_nodes.clone(), bind);
        for node in named {
            nodes.add_host(node);
        }
        let config = dht::Config {
            v4: families.v4,
            v6: families.v6,
            saved,
        };
        let rng = Rng::from_seed(random.1);
        let mut dht = Dht::new(config, random.0, rng, now);
        dht.watch(ways.watch);
        dht.only_read();
        Looking {
            dht: Box::new(dht),
            nodes,
            stirred: true,
            answers: [None; 2],
            over: false,
        }
    }

    /// Looks for peers; nobody is told of us.
    fn look_for(&mut self, info_hash: InfoHash, now: Time) {
        let want = Want {
            port: None,
            implied: false,
            is_urgent: true,
        };
        self.dht.want(info_hash, want, now);
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.over {
            None
        } else if self.stirred {
            Some(Time::default())
        } else {
            self.dht.next_deadline()
        }
    }

    fn turn(&mut self, now: Time) {
        let due = self.dht.next_deadline().is_some_and(|at| at <= now);
        if !self.over && (std::mem::take(&mut self.stirred) || due) {
            self.dht.turn(now);
        }
    }

    /// Whether nothing more can come of it. `resolved`: all hosts to begin with are known.
    fn is_over(&self, resolved: bool) -> bool {
        let is_done = |family: Family| {
            self.answers[family.index()].is_some() || (resolved && !self.dht.can_ask(family))
        };
        is_done(Family::V4) && is_done(Family::V6)
    }
}

fn hear(
    heard: Heard<'_>,
    asking: &mut Asking,
    looking: &mut Option<Looking>,
    nearby: &mut Option<Nearby>,
    now: Time,
) {
    match (heard, looking) {
        (Heard::Search(from, bytes), _) => {
            if let Some(nearby) = nearby {
                nearby.receive(from, bytes, now);
            }
        }
        (Heard::Datagram(from, bytes), Some(looking)) if Protocol::of(bytes) == Protocol::Dht => {
            looking.dht.receive(from, bytes, now);
            looking.stirred = true;
        }
        (heard, _) => asking.hear(heard, now),
    }
}
