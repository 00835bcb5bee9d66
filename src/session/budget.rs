//! The budgets of a session: connections, dials a second, bytes a second, refusals a second.

use super::fair_shares::FairShares;
use crate::base::{BLOCK, Bucket, Duration, Meter, PeerKey, Time, TorrentKey, limits};

/// Content in one direction: its rate, its limit, and the peers that wait for the limit.
#[derive(Debug)]
pub struct Flow {
    /// The rate.
    pub meter: Meter,
    /// The limit.
    pub bucket: Bucket,
    /// The peers that wait for the limit.
    pub queue: FairShares,
}

impl Flow {
    /// A flow with this limit in bytes a second, or none.
    pub fn new(limit: Option<u64>, now: Time) -> Flow {
        Flow {
            meter: Meter::new(now),
            bucket: Bucket::new(limit, now),
            queue: FairShares::default(),
        }
    }

    /// Whether there is a limit, for which peers must wait.
    pub fn is_limited(&self) -> bool {
        self.bucket.rate().is_some()
    }

    /// Bytes that may flow without waiting: any number without a limit, neither this one nor `own`.
    pub fn allowance(&self, own: Option<u64>) -> u64 {
        if self.is_limited() || own.is_some() {
            0
        } else {
            u64::MAX
        }
    }

    /// The peer that comes next under this limit and under its torrent's own: `own` says when the
    /// latter allows a block, `None`: now.
    pub fn next_peer(
        &mut self,
        now: Time,
        mut own: impl FnMut(TorrentKey) -> Option<Time>,
    ) -> Option<PeerKey> {
        let closed = self.bucket.ready_at(u64::from(BLOCK), now).is_some();
        let may = |torrent| own(torrent).is_none();
        (!closed).then(|| self.queue.pop_if(may)).flatten()
    }

    /// When this many bytes may flow, if any peer waits for that. `own`: see [`Flow::next_peer`].
    pub fn next_at(
        &mut self,
        bytes: u64,
        now: Time,
        own: impl FnMut(TorrentKey) -> Option<Time>,
    ) -> Option<Time> {
        let own = self.queue.waiting().map(own).min()?;
        let ready_at = self.bucket.ready_at(bytes, now);
        Some(own.unwrap_or(now).max(ready_at.unwrap_or(now)))
    }
}

/// How many connections there may be, and how fast new ones are begun.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    half_open: usize,
    open: usize,
    next: Time,
}

impl Connections {
    /// A budget of `most` connections.
    pub fn new(most: usize, now: Time) -> Connections {
        Connections {
            most,
            half_open: 0,
            open: 0,
            next: a_second_before(now),
        }
    }

    /// Connections there are, those being made included.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Those of them that are being made.
    pub fn half_open(&self) -> usize {
        self.half_open
    }

    /// Connections that there may be beside those there are.
    pub fn free(&self) -> usize {
        self.most.saturating_sub(self.open)
    }

    /// Whether one more peer may come in.
    pub fn may_accept(&self) -> bool {
        self.open < self.most
    }

    /// Whether a dial is allowed, pacing aside: see [`Connections::next`].
    pub fn may_dial(&self) -> bool {
        self.open < self.most && self.half_open < limits::HALF_OPEN
    }

    /// When the next dial may be begun.
    pub fn next(&self) -> Time {
        self.next
    }

    /// Notes a dial begun. Up to a second's worth of unused dials may be made back to back.
    pub fn on_dial(&mut self, now: Time) {
        self.open += 1;
        self.half_open += 1;
        let gap = Duration::from_secs(1) / limits::DIALS_PER_SECOND;
        self.next = self.next.max(a_second_before(now)) + gap;
    }

    /// Notes an incoming connection.
    pub fn on_accept(&mut self) {
        self.open += 1;
    }

    /// Notes that a dial was answered.
    pub fn on_connected(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// Notes that a connection, or the attempt at one, is over.
    pub fn on_closed(&mut self, was_dialing: bool) {
        self.open = self.open.saturating_sub(1);
        if was_dialing {
            self.half_open = self.half_open.saturating_sub(1);
        }
    }
}

/// How many uTP connections were refused in the second that began last.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    since: Time,
    count: u32,
}

impl Refusals {
    /// Counts one more; false: there were enough.
    pub(super) fn enter(&mut self, now: Time) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
        self.count <= limits::UTP_REFUSALS
    }
}

/// A second ago, so that the dials of one second may be saved up.
fn a_second_before(now: Time) -> Time {
    Time::from_micros(now.as_micros().saturating_sub(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_dials_a_second_after_a_burst_of_ten() {
        let start = Time::from_micros(60_000_000);
        let mut connections = Connections::new(1000, Time::default());
        let mut begun = 0;
        for milli in 0..=2000 {
            let now = Time::from_micros(start.as_micros() + milli * 1000);
            while connections.may_dial() && connections.next() <= now {
                connections.on_dial(now);
                connections.on_connected();
                begun += 1;
            }
        }
        assert!((30..=32).contains(&begun), "{begun}");
    }

    #[test]
    fn connections_are_counted() {
        let mut connections = Connections::new(2, Time::default());
        connections.on_accept();
        assert!(connections.may_accept() && connections.may_dial());
        connections.on_dial(Time::default());
        assert!(!connections.may_accept() && !connections.may_dial());
        connections.on_closed(true);
        assert_eq!(connections.open(), 1);
    }
}
