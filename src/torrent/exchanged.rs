//! What is remembered of one peer for peer exchange (BEP 11): of which changes among its torrent's
//! peers it was told, when it may be told more, and how often it may name others.

use crate::base::{Time, limits};

/// What is remembered of one peer for peer exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchanged {
    /// The number of the change by which it came; 0: others are not told of it.
    pub came: u32,
    /// It was told of all changes up to this one.
    pub told: u32,
    /// When it may be told of more; `None`: it does not want to hear.
    pub next: Option<Time>,
    /// When all messages that came of it are paid for: each costs [`limits::PEX_HEARD_GAP`].
    paid: Time,
}

impl Exchanged {
    /// A message of it has come: whether it counts.
    pub fn hear(&mut self, now: Time) -> bool {
        let paid = self.paid.max(now);
        let ahead = limits::PEX_HEARD_GAP * (limits::PEX_HEARD_AT_ONCE - 1);
        let counts = paid.since(now) <= ahead;
        if counts {
            self.paid = paid + limits::PEX_HEARD_GAP;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    fn heard(exchanged: &mut Exchanged, seconds: std::ops::Range<u64>) -> usize {
        let at = |seconds| Time::default() + Duration::from_secs(seconds);
        let heard = seconds.filter(|&second| exchanged.hear(at(second)));
        heard.count()
    }

    #[test]
    fn a_few_messages_at_once_and_then_one_each_half_minute() {
        let mut exchanged = Exchanged::default();
        let gap = limits::PEX_HEARD_GAP.as_secs();
        let at_once = limits::PEX_HEARD_AT_ONCE as usize;
        assert_eq!(heard(&mut exchanged, 0..gap), at_once);
        assert_eq!(heard(&mut exchanged, gap..20 * gap), 19);
        // After a pause there may be as many as at first.
        assert_eq!(heard(&mut exchanged, 40 * gap..41 * gap), at_once);
    }
}
