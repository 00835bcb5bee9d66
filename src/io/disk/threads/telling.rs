//! When the threads that open torrents tell the loop of those that are open.

use std::time::{Duration, Instant};

/// Outcomes that the loop is woken for once, as many as the folder of `run` has opened at a time.
const TOGETHER: usize = 16;
/// How long the first of them may wait for the others.
const MOMENT: Duration = Duration::from_millis(5);

/// When the loop is woken: not for each torrent, as a turn may take longer than to open one.
#[derive(Debug, Default)]
pub struct Telling {
    /// Outcomes that it was not woken for.
    untold: usize,
    /// When it was woken last.
    last: Option<Instant>,
}

impl Telling {
    /// One more is done, and the next one is at hand if `goes_on`. Whether to wake the loop:
    /// several outcomes go together if that delays none by more than a moment. If a disk then
    /// does not answer, the loop takes what there is within a second.
    pub fn on_done(&mut self, goes_on: bool, now: Instant) -> bool {
        self.untold += 1;
        let late = self.last.is_none_or(|last| now - last >= MOMENT);
        let wakes = !goes_on || self.untold >= TOGETHER || late;
        if wakes {
            (self.untold, self.last) = (0, Some(now));
        }
        wakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_is_woken_for_several_torrents_at_once_and_for_none_too_late() {
        let (mut telling, start) = (Telling::default(), Instant::now());
        let mut wakes = |goes_on, after| telling.on_done(goes_on, start + after);
        let none = Duration::ZERO;
        assert!(wakes(true, none), "the first one is told at once");
        let first: Vec<bool> = (0..TOGETHER).map(|_| wakes(true, none)).collect();
        assert_eq!(first.iter().position(|&wakes| wakes), Some(TOGETHER - 1));
        assert!(wakes(false, none), "no more come");
        assert!(!wakes(true, MOMENT / 2));
        assert!(wakes(true, MOMENT), "the disk is slow");
    }
}
