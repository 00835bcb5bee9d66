//! Addresses that are not worth a dial.

use std::net::SocketAddr;

use crate::base::{SortedMap, Time, limits};

/// Each, and until when; `None`: in this run.
#[derive(Debug, Default)]
pub struct Refused(SortedMap<SocketAddr, Option<Time>>);

impl Refused {
    /// One more, unless there are too many.
    pub fn add(&mut self, addr: SocketAddr, until: Option<Time>, now: Time) {
        if self.0.len() >= limits::REFUSED {
            let lasts = |until: &mut Option<Time>| until.is_none_or(|until| until > now);
            self.0.retain(|_, until| lasts(until));
        }
        if self.0.len() < limits::REFUSED {
            self.0.insert(addr, until);
        }
    }

    /// Whether this is one of them.
    pub fn has(&self, addr: SocketAddr, now: Time) -> bool {
        let until = self.0.get(&addr);
        until.is_some_and(|until| until.is_none_or(|until| until > now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    #[test]
    fn they_are_bounded_and_those_whose_time_is_over_make_room() {
        let mut refused = Refused::default();
        let addr = |number: usize| SocketAddr::from(((number as u32).to_be_bytes(), 7));
        let (start, later) = (Time::default(), Time::default() + Duration::from_secs(60));
        for number in 0..limits::REFUSED {
            refused.add(addr(number), Some(later).filter(|_| number > 0), start);
        }
        let one_more = addr(limits::REFUSED);
        refused.add(one_more, None, start);
        assert!(!refused.has(one_more, start) && refused.has(addr(1), start));
        assert!(!refused.has(addr(1), later) && refused.has(addr(0), later));
        refused.add(one_more, None, later);
        assert!(refused.has(one_more, later) && refused.0.len() == 2);
    }
}
