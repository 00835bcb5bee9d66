//! What the resume data of a torrent say, and when they are saved again.

use crate::base::{Time, Totals, limits};

/// What the resume data of a torrent said when they were saved last, and whether that is outdated.
#[derive(Debug)]
pub struct ResumeState {
    /// Something has happened since then that belongs in it.
    outdated: bool,
    at: Time,
    totals: Totals,
    /// It says that nothing is being written.
    clean: bool,
}

impl ResumeState {
    /// Resume data that are as they should be now.
    pub fn new(now: Time) -> ResumeState {
        ResumeState {
            outdated: false,
            at: now,
            totals: Totals::default(),
            clean: true,
        }
    }

    /// Something has happened that belongs in the resume data.
    pub fn set_outdated(&mut self) {
        self.outdated = true;
    }

    /// What has happened is not to be saved.
    pub fn set_current(&mut self) {
        self.outdated = false;
    }

    /// Whether something has happened that belongs in the resume data.
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }

    /// Whether clean resume data of these totals would say anything new.
    pub fn is_worth_closing(&self, totals: Totals) -> bool {
        self.outdated || !self.clean || totals != self.totals
    }

    /// When the resume data are to be saved again.
    pub fn deadline(&self) -> Option<Time> {
        self.outdated.then(|| self.at + limits::SAVE_EVERY)
    }

    /// It is being saved.
    pub fn on_saved(&mut self, totals: Totals, clean: bool, now: Time) {
        *self = ResumeState {
            outdated: false,
            at: now,
            totals,
            clean,
        };
    }
}
