//! The time after a start in which the torrents of the folder are taken up. A client that asks
//! meanwhile would hear of a part of them, and a service manager that is told that the process is
//! ready would start such clients: so both wait, but not for ever.

use crate::base::{Time, limits};

/// Whether others wait for the torrents of the folder.
#[derive(Debug)]
pub struct Loading(Option<Time>);

impl Loading {
    /// The process has begun.
    pub fn new(now: Time) -> Loading {
        Loading(Some(now + limits::LOADING))
    }

    /// Notes whether some are still to come; once none are, nobody waits again.
    pub fn turn(&mut self, to_come: bool, now: Time) {
        self.0 = self.0.filter(|&until| to_come && now < until);
    }

    /// Whether others wait.
    pub fn lasts(&self) -> bool {
        self.0.is_some()
    }

    /// When they wait no longer.
    pub fn next_deadline(&self) -> Option<Time> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;

    #[test]
    fn others_wait_for_the_torrents_and_not_for_a_disk_that_does_not_answer() {
        let start = Time::default() + Duration::from_secs(100);
        let mut loading = Loading::new(start);
        loading.turn(true, start);
        assert!(loading.lasts());
        loading.turn(false, start);
        assert!(!loading.lasts());
        loading.turn(true, start);
        assert!(!loading.lasts(), "another one is being added");
        let mut hung = Loading::new(start);
        let end = start + limits::LOADING;
        assert_eq!(hung.next_deadline(), Some(end));
        hung.turn(true, start + (limits::LOADING - Duration::from_micros(1)));
        assert!(hung.lasts());
        hung.turn(true, end);
        assert!(!hung.lasts());
    }
}
