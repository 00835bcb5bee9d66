//! The queue of questions to trackers. None is refused: a question that may not be sent at once
//! waits in the line of its address, and the torrents in a line are served round-robin.
//!
//! An address that has not answered as a tracker gets [`limits::TRACKER_VISITS`] questions without
//! a pause, then one each [`limits::VISIT_GAP`], since a torrent may name any host as a tracker.
//! One that has proved to be a tracker gets one each [`limits::PROVEN_GAP`] on average: those that
//! are due by then go together, [`limits::PROVEN_AT_ONCE`] at most, at common moments, so that a
//! process with many torrents wakes up a few times a second only. Questions on the way out to such
//! a tracker are [`limits::FAREWELL_GAP`] apart. Beside that, only so many connections over HTTP
//! may be under way: in all, and at one address.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::action::Id;
use crate::base::{Duration, Time, TorrentKey, limits};

/// A question that is to be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// Its id.
    pub id: Id,
    /// Where it goes.
    pub addr: SocketAddr,
    /// Whether it takes a connection: over UDP it takes none.
    pub connects: bool,
    /// Whether it is asked on the way out, for which there is little time.
    pub leaving: bool,
}

/// All lines.
#[derive(Debug, Default)]
pub struct Visits {
    lines: BTreeMap<Target, Line>,
    /// Lines in which a question waits, by the moment when the next may go.
    due: BTreeSet<(Time, Target)>,
    /// Lines whose next question lacks a connection, until one is free.
    blocked: BTreeSet<Target>,
    /// Where each question is that waits or is connected.
    at: BTreeMap<Id, (Target, State)>,
    connected: usize,
    /// Lines that may be kept before idle ones are looked for.
    kept: usize,
}

/// What is asked: a host, or a tracker there that has proved to be one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Target {
    Host(IpAddr),
    Tracker(SocketAddr),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    Connected,
}

/// The questions to one target.
#[derive(Debug, Default)]
struct Line {
    /// When all questions asked so far will have been a gap apart.
    even: Time,
    /// The same of those that are asked on the way out, if it is a tracker's line.
    even_leaving: Time,
    waiting: BTreeMap<TorrentKey, VecDeque<Ticket>>,
    /// Those torrents, in the order in which they go: one that comes waits for those there.
    order: VecDeque<TorrentKey>,
    connected: usize,
    /// Where it stands among those that are due.
    scheduled: Option<Time>,
    /// Until when a tracker's proof counts.
    proven_until: Time,
}

impl Target {
    fn of_host(addr: SocketAddr) -> Target {
        Target::Host(addr.ip().to_canonical())
    }

    /// The time between this question and the next one to it.
    fn gap(self, ticket: Ticket) -> Duration {
        match self {
            Target::Host(_) => limits::VISIT_GAP,
            Target::Tracker(_) if ticket.leaving => limits::FAREWELL_GAP,
            Target::Tracker(_) => limits::PROVEN_GAP,
        }
    }

    /// How many questions to it may go without a pause.
    fn at_once(self) -> u32 {
        match self {
            Target::Host(_) => limits::TRACKER_VISITS,
            Target::Tracker(_) => limits::PROVEN_AT_ONCE,
        }
    }
}

/// The first moment from this one on at which questions to trackers go together.
fn together(at: Time) -> Time {
    let every = (limits::PROVEN_GAP * limits::PROVEN_AT_ONCE).as_micros() as u64;
    Time::from_micros(at.as_micros().next_multiple_of(every))
}

impl Line {
    /// The question that goes next: of the torrent that is first.
    fn next(&self) -> Option<Ticket> {
        self.waiting.get(self.order.front()?)?.front().copied()
    }

    /// A question waits.
    fn add(&mut self, ticket: Ticket) {
        let torrent = ticket.id.torrent;
        // A torrent mostly has one question there.
        let queue = self.waiting.entry(torrent).or_insert_with(|| {
            self.order.push_back(torrent);
            VecDeque::with_capacity(1)
        });
        queue.push_back(ticket);
    }

    /// The next question goes; its torrent goes behind the others.
    fn take(&mut self) -> Option<Ticket> {
        let torrent = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&torrent)?;
        let ticket = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&torrent);
        } else {
            self.order.push_back(torrent);
        }
        ticket
    }

    /// When the next may go.
    fn free_at(&self, target: Target, now: Time) -> Time {
        let Some(next) = self.next() else { return now };
        let ahead = target.gap(next) * (target.at_once() - 1);
        let even = match target {
            Target::Tracker(_) if next.leaving => self.even_leaving,
            _ => self.even,
        };
        let wait = even.since(now).saturating_sub(ahead);
        match target {
            Target::Tracker(_) if !wait.is_zero() && !next.leaving => together(now + wait),
            _ => now + wait,
        }
    }

    /// Whether a tracker's proof is too old.
    fn is_stale(&self, now: Time) -> bool {
        self.proven_until <= now
    }

    fn remove(&mut self, id: Id) {
        if let Some(queue) = self.waiting.get_mut(&id.torrent) {
            queue.retain(|ticket| ticket.id != id);
            if queue.is_empty() {
                self.waiting.remove(&id.torrent);
                // Torrents mostly give up in the order in which they came: this one is in front.
                let place = self.order.iter().position(|it| *it == id.torrent);
                if let Some(place) = place {
                    self.order.remove(place);
                }
            }
        }
    }

    /// Takes out all questions that are such.
    fn remove_all(&mut self, such: impl Fn(&Ticket) -> bool) -> Vec<Ticket> {
        let mut removed = Vec::new();
        self.waiting.retain(|_, queue| {
            removed.extend(queue.iter().filter(|ticket| such(ticket)));
            queue.retain(|ticket| !such(ticket));
            !queue.is_empty()
        });
        self.order
            .retain(|torrent| self.waiting.contains_key(torrent));
        removed
    }
}

impl Visits {
    /// A question is to be asked: [`Visits::next`] names it when it may be, perhaps at once.
    pub fn enter(&mut self, ticket: Ticket, now: Time) {
        let tracker = Target::Tracker(ticket.addr);
        let proven = self.lines.get(&tracker);
        let target = if proven.is_some_and(|line| !line.is_stale(now)) {
            tracker
        } else {
            Target::of_host(ticket.addr)
        };
        self.forget_idle(now);
        self.insert(target, ticket, now);
    }

    /// The next question that may be sent. Of several it is the one of the torrent with the fewest
    /// connections, and then the one to the address with the fewest.
    pub fn next(&mut self, now: Time) -> Option<Ticket> {
        loop {
            let due = self.due.iter().take_while(|(at, _)| *at <= now);
            let targets: Vec<Target> = due.map(|&(_, target)| target).collect();
            let least = |target: &&Target| {
                let line = self.lines.get(target)?;
                let id = line.next()?.id;
                Some((self.load(id.torrent), line.connected, id))
            };
            let target = *targets.iter().min_by_key(least)?;
            if let Some(ticket) = self.take(target, now) {
                return Some(ticket);
            }
        }
    }

    /// When [`Visits::next`] has something.
    pub fn next_deadline(&self) -> Option<Time> {
        self.due.first().map(|&(at, _)| at)
    }

    /// A question is over, or is not to be asked any more.
    pub fn leave(&mut self, id: Id, now: Time) {
        let Some((target, state)) = self.at.remove(&id) else {
            return;
        };
        if let Some(line) = self.lines.get_mut(&target) {
            match state {
                State::Waiting => line.remove(id),
                State::Connected => {
                    line.connected -= 1;
                    self.connected -= 1;
                }
            }
        }
        self.reschedule(target, now);
        if state == State::Connected {
            for target in std::mem::take(&mut self.blocked) {
                self.reschedule(target, now);
            }
        }
    }

    /// This address has answered as a tracker does. Questions to it no longer wait for questions to
    /// other ports of the same host.
    pub fn prove(&mut self, addr: SocketAddr, now: Time) {
        let (target, host) = (Target::Tracker(addr), Target::of_host(addr));
        let until = now + limits::PROVEN_FOR;
        let known = self.lines.get_mut(&target);
        if let Some(line) = known.filter(|line| !line.is_stale(now)) {
            line.proven_until = until;
            return;
        }
        // What counts as asked of the host counts here, too.
        let spent = self.lines.get(&host).map(|line| line.even.since(now));
        let spent = spent.map_or(0, |span| {
            span.as_millis().div_ceil(limits::VISIT_GAP.as_millis())
        });
        let spent = (spent as u32).min(limits::TRACKER_VISITS);
        let line = self.lines.entry(target).or_default();
        line.proven_until = until;
        line.even = now + limits::PROVEN_GAP * spent;
        line.even_leaving = now + limits::FAREWELL_GAP * spent;
        let there = |ticket: &Ticket| ticket.addr == addr;
        let waiting = self.lines.get_mut(&host).map(|line| line.remove_all(there));
        for ticket in waiting.unwrap_or_default() {
            self.insert(target, ticket, now);
        }
        self.reschedule(host, now);
    }

    /// Takes out all questions over UDP to this address that wait.
    pub fn take_waiting(&mut self, addr: SocketAddr, now: Time) -> Vec<Ticket> {
        let mut taken = Vec::new();
        for target in [Target::Tracker(addr), Target::of_host(addr)] {
            if let Some(line) = self.lines.get_mut(&target) {
                taken.extend(line.remove_all(|ticket| ticket.addr == addr && !ticket.connects));
                self.reschedule(target, now);
            }
        }
        for ticket in &taken {
            self.at.remove(&ticket.id);
        }
        taken
    }

    fn insert(&mut self, target: Target, ticket: Ticket, now: Time) {
        self.at.insert(ticket.id, (target, State::Waiting));
        let line = self.lines.entry(target).or_default();
        line.add(ticket);
        self.reschedule(target, now);
    }

    /// Lets the first in a line go, unless it lacks a connection.
    fn take(&mut self, target: Target, now: Time) -> Option<Ticket> {
        let line = self.lines.get_mut(&target)?;
        let ticket = line.next()?;
        let full = self.connected >= limits::TRACKER_CONNECTIONS
            || line.connected >= limits::TRACKER_CONNECTIONS_EACH;
        if ticket.connects && full {
            self.unschedule(target);
            self.blocked.insert(target);
            return None;
        }
        line.take();
        let even = match target {
            Target::Tracker(_) if ticket.leaving => &mut line.even_leaving,
            _ => &mut line.even,
        };
        *even = now.max(*even) + target.gap(ticket);
        if ticket.connects {
            line.connected += 1;
            self.connected += 1;
            self.at.insert(ticket.id, (target, State::Connected));
        } else {
            self.at.remove(&ticket.id);
        }
        self.reschedule(target, now);
        Some(ticket)
    }

    /// How many connections a torrent has.
    fn load(&self, torrent: TorrentKey) -> usize {
        let id = |number| Id { torrent, number };
        let all = self.at.range(id(0)..=id(u32::MAX));
        all.filter(|(_, (_, state))| *state == State::Connected)
            .count()
    }

    /// Notes when the next of a line may go, if any question waits there.
    fn reschedule(&mut self, target: Target, now: Time) {
        self.unschedule(target);
        self.blocked.remove(&target);
        let Some(line) = self.lines.get_mut(&target) else {
            return;
        };
        if line.waiting.is_empty() {
            line.scheduled = None;
            return;
        }
        let at = line.free_at(target, now);
        line.scheduled = Some(at);
        self.due.insert((at, target));
    }

    fn unschedule(&mut self, target: Target) {
        let scheduled = self
            .lines
            .get_mut(&target)
            .and_then(|line| line.scheduled.take());
        if let Some(at) = scheduled {
            self.due.remove(&(at, target));
        }
    }

    /// Forgets lines that no longer delay any question, when there are twice as many lines as the
    /// last time.
    fn forget_idle(&mut self, now: Time) {
        if self.lines.len() < self.kept.max(16) {
            return;
        }
        self.lines.retain(|target, line| {
            let idle = line.waiting.is_empty() && line.connected == 0;
            let spent = match target {
                Target::Host(_) => line.even <= now,
                Target::Tracker(_) => line.is_stale(now),
            };
            !(idle && spent)
        });
        self.kept = 2 * self.lines.len();
    }
}

#[cfg(test)]
mod tests;
