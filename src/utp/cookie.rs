//! The numbers of our answers to callers. A caller proves that it got the answer by naming its
//! number in what it sends next; until then nothing is remembered of it, so a flood of calls from
//! forged addresses fills no table. The number is a hash of a secret and of what the caller sent,
//! so that a call that comes again is answered in the same way.

use std::net::{IpAddr, SocketAddr};

use sha1::{Digest as _, Sha1};

use crate::base::{Time, limits};

/// The secret behind the numbers. What is made of it changes every [`limits::UTP_COOKIES`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookies(pub(super) u64);

impl Cookies {
    /// The number of our first packet for a caller at this address, which named this connection and
    /// this number of its own packet.
    pub(super) fn make(self, from: SocketAddr, connection: u16, number: u16, now: Time) -> u16 {
        self.of_period(period(now), from, connection, number)
    }

    /// Whether this is the number that such a caller was told lately.
    pub(super) fn is_valid(
        self,
        cookie: u16,
        (from, connection, number): (SocketAddr, u16, u16),
        now: Time,
    ) -> bool {
        let period = period(now);
        let mut periods = [Some(period), period.checked_sub(1)].into_iter().flatten();
        periods.any(|period| self.of_period(period, from, connection, number) == cookie)
    }

    fn of_period(self, period: u64, from: SocketAddr, connection: u16, number: u16) -> u16 {
        let mut hash = Sha1::new();
        hash.update(self.0.to_be_bytes());
        hash.update(period.to_be_bytes());
        match from.ip() {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        for number in [from.port(), connection, number] {
            hash.update(number.to_be_bytes());
        }
        let digest: [u8; 20] = hash.finalize().into();
        u16::from_be_bytes([digest[0], digest[1]])
    }
}

fn period(now: Time) -> u64 {
    now.as_micros() / limits::UTP_COOKIES.as_micros() as u64
}
