//! How much content a torrent has received and sent in this run, how fast, and its own limits.
//! Most torrents of a process have none of this.

use crate::base::{Bucket, Meter, Time, Totals};

/// Bytes of content in both directions.
#[derive(Debug)]
pub struct Traffic {
    since: Time,
    /// `None`: nothing has flowed yet.
    meters: Option<Box<Meters>>,
    /// What may be received.
    pub down_limit: Bucket,
    /// What may be sent.
    pub up_limit: Bucket,
}

#[derive(Debug)]
struct Meters {
    down: Meter,
    up: Meter,
}

impl Traffic {
    /// Nothing has flowed yet, and there is no limit.
    pub fn new(now: Time) -> Traffic {
        Traffic {
            since: now,
            meters: None,
            down_limit: Bucket::new(None, now),
            up_limit: Bucket::new(None, now),
        }
    }

    /// Counts content that was received.
    pub fn on_received(&mut self, bytes: u64, now: Time) {
        self.meters().down.add(bytes, now);
    }

    /// Counts content that was sent.
    pub fn on_sent(&mut self, bytes: u64, now: Time) {
        self.meters().up.add(bytes, now);
    }

    fn meters(&mut self) -> &mut Meters {
        let new = || Meter::new(self.since);
        self.meters.get_or_insert_with(|| {
            Box::new(Meters {
                down: new(),
                up: new(),
            })
        })
    }

    /// Bytes since the start.
    pub fn totals(&self) -> Totals {
        let meters = self.meters.as_ref();
        meters.map_or(Totals::default(), |meters| Totals {
            down: meters.down.total(),
            up: meters.up.total(),
        })
    }

    /// Bytes a second, received and sent: see [`Meter::shown`].
    pub fn rates(&self, now: Time) -> (u64, u64) {
        let meters = self.meters.as_ref();
        meters.map_or((0, 0), |it| (it.down.shown(now), it.up.shown(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    #[test]
    fn a_rate_is_that_since_the_start() {
        let start = Time::default() + Duration::from_secs(9);
        let now = start + Duration::from_secs(30);
        let (mut traffic, mut meter) = (Traffic::new(start), Meter::new(start));
        assert_eq!(traffic.rates(now), (0, 0));
        assert_eq!(traffic.totals(), Totals::default());
        meter.add(1000, now);
        traffic.on_sent(1000, now);
        assert_eq!(traffic.rates(now), (0, meter.shown(now)));
        traffic.on_received(10, now);
        let totals = traffic.totals();
        assert_eq!((totals.down, totals.up), (10, 1000));
    }
}
