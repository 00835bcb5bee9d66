//! Limits of answers a second: to one address, so that forged queries cannot flood it through us,
//! and in all, so that queries cannot flood us. Memory is fixed: addresses share a number of
//! counters, by a hash with a secret seed.

use crate::base::{Rng, Time, limits};
use std::net::IpAddr;

/// The counters.
#[derive(Debug)]
pub struct AnswerLimits {
    key: u64,
    /// The second that is being counted.
    second: u64,
    all: u16,
    /// Answers to the addresses of each counter in that second; empty before the first query.
    each: Vec<u16>,
}

impl AnswerLimits {
    /// Counters that are all zero.
    pub fn new(rng: &mut Rng) -> AnswerLimits {
        AnswerLimits {
            key: rng.bits64() | 1,
            second: 0,
            all: 0,
            each: Vec::new(),
        }
    }

    /// Whether this address may be answered now; if so, it counts.
    pub fn may_answer(&mut self, ip: IpAddr, now: Time) -> bool {
        let second = now.as_micros() / 1_000_000;
        if second != self.second || self.each.is_empty() {
            self.second = second;
            self.all = 0;
            self.each.clear();
            self.each.resize(limits::DHT_ANSWERED, 0);
        }
        let index = self.index(ip);
        let Some(each) = self.each.get_mut(index) else {
            return false;
        };
        if *each >= limits::DHT_ANSWERS_EACH || self.all >= limits::DHT_ANSWERS {
            return false;
        }
        *each += 1;
        self.all += 1;
        true
    }

    /// The counter of an address.
    fn index(&self, ip: IpAddr) -> usize {
        let bits = match ip.to_canonical() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            // A host may have as many addresses of one /64 as it likes.
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
        };
        let mixed = (bits ^ self.key.rotate_left(32)).wrapping_mul(self.key);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize % limits::DHT_ANSWERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_and_all_together_get_so_many_a_second() {
        let mut limits_of = AnswerLimits::new(&mut Rng::from_seed(1));
        for second in 0..3 {
            let now = Time::from_micros(second * 1_000_000 + 5);
            let one: IpAddr = "192.0.2.1".parse().unwrap();
            let to_one = (0..10_000).filter(|_| limits_of.may_answer(one, now));
            assert_eq!(to_one.count(), limits::DHT_ANSWERS_EACH.into());
            let mut counters: Vec<usize> = (0..250_u8)
                .map(|last| limits_of.index([198, 51, 100, last].into()))
                .collect();
            counters.sort_unstable();
            counters.dedup();
            assert!(counters.len() > 200, "few addresses share");
            assert!(counters.iter().all(|&index| index < limits::DHT_ANSWERED));
            let to_many = (0..10_000_u32).filter(|number| {
                let [_, _, a, b] = number.to_be_bytes();
                limits_of.may_answer([203, 0, a, b].into(), now)
            });
            let left = limits::DHT_ANSWERS - limits::DHT_ANSWERS_EACH;
            assert_eq!(to_many.count(), left.into());
        }
    }
}
