//! When a connection to a web seed is late, silent or idle.

use crate::base::{Duration, Time, limits, sooner};

/// How far a connection is, and when something moved.
#[derive(Debug)]
pub struct Timing {
    stage: Stage,
    /// When it came up; before that, when it was begun.
    pub since: Time,
    /// When a byte of a body came last, or something that was waited for began.
    moved: Time,
    /// When the first wanted block became the first.
    due_since: Time,
    /// What it owes us is late.
    late: bool,
    /// The disk or a limit keeps it from being read.
    suspended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Dialing,
    Up,
    Over,
}

/// What a connection does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// It was asked for nothing.
    Nothing,
    /// An answer is to come of which nothing is wanted.
    Useless,
    /// It owes us something.
    Owing,
}

/// What has come to pass without a byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lapse {
    /// Nothing.
    None,
    /// The dial was not answered.
    Unanswered,
    /// What it owes us is late: others may be asked for it.
    Late,
    /// No byte came for too long.
    Silent,
    /// There was nothing to ask for.
    Idle,
}

impl Timing {
    /// A connection that is being made.
    pub fn dialing(now: Time) -> Timing {
        Timing {
            stage: Stage::Dialing,
            since: now,
            moved: now,
            due_since: now,
            late: false,
            suspended: false,
        }
    }

    /// Whether it is being made.
    pub fn is_dialing(&self) -> bool {
        self.stage == Stage::Dialing
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// It is up.
    pub fn on_connected(&mut self, now: Time) {
        self.stage = Stage::Up;
        self.since = now;
        self.on_begun(now);
    }

    /// It is over.
    pub fn on_over(&mut self) {
        self.stage = Stage::Over;
    }

    /// Something is asked for, or a block has come: the next one is due.
    pub fn on_begun(&mut self, now: Time) {
        (self.moved, self.due_since, self.late) = (now, now, false);
    }

    /// Another block is the first that is wanted.
    pub fn on_wanted(&mut self, now: Time) {
        (self.due_since, self.late) = (now, false);
    }

    /// A byte of a body came.
    pub fn on_moved(&mut self, now: Time) {
        self.moved = now;
    }

    /// It is not read for a while, or read again.
    pub fn suspend(&mut self, suspended: bool, now: Time) {
        self.suspended = suspended;
        (self.moved, self.due_since) = (now, now);
    }

    /// When to call [`Timing::lapse`].
    pub fn next_deadline(&self, work: Work) -> Option<Time> {
        if self.is_dialing() {
            return Some(self.since + limits::CONNECT_TIME);
        }
        if self.suspended {
            return None;
        }
        let late = (!self.late).then_some(self.due_since + limits::WEB_LATE);
        let silent = Some(self.moved + limits::WEB_SILENCE);
        match work {
            Work::Nothing => Some(self.moved + limits::WEB_KEPT_FOR),
            Work::Useless => silent,
            Work::Owing => sooner(late, silent),
        }
    }

    /// What has come to pass.
    pub fn lapse(&mut self, work: Work, now: Time) -> Lapse {
        let past = |at: Time, span: Duration| now >= at + span;
        if self.is_dialing() {
            let unanswered = past(self.since, limits::CONNECT_TIME);
            return if unanswered {
                Lapse::Unanswered
            } else {
                Lapse::None
            };
        }
        let owing = work == Work::Owing && !self.late;
        if self.suspended {
            Lapse::None
        } else if work == Work::Nothing {
            let idle = past(self.moved, limits::WEB_KEPT_FOR);
            if idle { Lapse::Idle } else { Lapse::None }
        } else if past(self.moved, limits::WEB_SILENCE) {
            Lapse::Silent
        } else if owing && past(self.due_since, limits::WEB_LATE) {
            self.late = true;
            Lapse::Late
        } else {
            Lapse::None
        }
    }
}
