//! Asking all trackers of a torrent once how its swarm is, on a poll loop that lives as long as the
//! questions.

use std::sync::Arc;

use mio::{Events, Poll, Token, Waker};

use super::clock::Clock;
use super::net::{Heard, Outreach, Route, tcp};
use crate::base::{InfoHash, Rng, Time, sooner, sorted_by_key};
use crate::tracker::{Counts, Families, Input, Shared, Trackers};

/// What a tracker answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its announce URL.
    pub url: String,
    /// How many take part, or why it does not say.
    pub outcome: Result<Counts, String>,
}

const WAKER: Token = Token(0);
const OUTREACH: std::ops::Range<usize> = 1..1024;
/// Readiness events taken in one turn.
const EVENTS: usize = 128;

/// Asks, by this route, and trackers at local addresses by any path if
/// that is allowed. The answers are in the order of the trackers. Takes as long as the slowest of
/// them, or as the machine's patience.
///
/// # Errors
/// No tracker can be asked: a line for the user.
pub fn scrape(
    tiers: &[Vec<String>],
    info_hash: InfoHash,
    route: &Route,
    allow_local: bool,
) -> Result<Vec<Answer>, String> {
    route.find()?;
    let clock = Clock::start();
    let seed = rand::TryRng::try_next_u64(&mut rand::rngs::SysRng)
        .map_err(|error| format!("random numbers: {error}"))?;
    let broken = |error| format!("poll: {}", tcp::plain(&error));
    let mut poll = Poll::new().map_err(broken)?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(broken)?);
    let families = route.families();
    let mut outreach = Outreach::new(poll.registry(), OUTREACH, 0, route, families, waker)
        .map_err(|error| match route.bind {
            Some(bind) => format!("{bind}: {}", tcp::plain(&error)),
            None => format!("UDP: {}", tcp::plain(&error)),
        })?;
    let rng = Rng::from_seed(seed);
    let mut asking = Asking::new(tiers, info_hash, families, allow_local, clock.now(), rng);
    let mut answers = Vec::new();
    let mut events = Events::with_capacity(EVENTS);
    loop {
        let now = clock.now();
        asking.admit(now);
        while let Some(action) = asking.trackers.next_action() {
            outreach.perform(action, poll.registry(), now, &mut |heard| {
                asking.hear(heard, now);
            });
        }
        while let Some(response) = asking.trackers.next_response() {
            let outcome = response.outcome.map(|_| response.counts);
            let url = response.url;
            answers.push(Answer { url, outcome });
        }
        if asking.trackers.is_idle() {
            break;
        }
        turn(&mut poll, &mut events, &mut outreach, &mut asking, &clock)?;
    }
    let place = |answer: &Answer| {
        tiers
            .iter()
            .flatten()
            .position(|url| url.trim() == answer.url)
    };
    Ok(sorted_by_key(answers, place))
}

/// The machine, and what several torrents would share.
pub(super) struct Asking {
    pub(super) trackers: Trackers,
    pub(super) shared: Shared,
}

impl Asking {
    fn new(
        tiers: &[Vec<String>],
        info_hash: InfoHash,
        families: Families,
        allow_local: bool,
        now: Time,
        rng: Rng,
    ) -> Asking {
        let mut shared = Shared::default();
        let trackers = Trackers::scraper(
            tiers,
            info_hash,
            families,
            allow_local,
            &mut shared,
            now,
            rng,
        );
        Asking { trackers, shared }
    }

    pub(super) fn hear(&mut self, heard: Heard<'_>, now: Time) {
        self.handle(heard.input(), now);
    }

    pub(super) fn handle(&mut self, input: Input<'_>, now: Time) {
        if !self.shared.recipients(&input).is_empty() {
            self.trackers.handle(input, &mut self.shared, now);
        }
    }

    pub(super) fn admit(&mut self, now: Time) {
        while let Some(input) = self.shared.next_admitted(now) {
            self.handle(input, now);
        }
    }
}

/// Sleeps until something happens, and tells the machine.
fn turn(
    poll: &mut Poll,
    events: &mut Events,
    outreach: &mut Outreach,
    asking: &mut Asking,
    clock: &Clock,
) -> Result<(), String> {
    let due = sooner(
        sooner(
            asking.trackers.next_deadline(),
            asking.shared.next_deadline(),
        ),
        outreach.next_deadline(),
    );
    let timeout = due.map(|due| due.since(clock.now()));
    match poll.poll(events, timeout) {
        Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
            return Err(format!("poll: {}", tcp::plain(&error)));
        }
        _ => {}
    }
    let now = clock.now();
    let hear = &mut |heard: Heard<'_>| asking.hear(heard, now);
    for event in events.iter() {
        match event.token() {
            WAKER => outreach.on_woken(now, hear),
            _ => outreach.on_event(event, poll.registry(), now, hear),
        }
    }
    outreach.handle_timeout(poll.registry(), now, hear);
    asking.trackers.handle_timeout(&mut asking.shared, now);
    Ok(())
}
