//! Calls to the file system that fail, or end the process, when a test says so: a bad disk cannot
//! be had at a chosen moment otherwise.
//!
//! `BROOKLET_FAULTS` holds rules `CALL:WHEN:WHAT` with commas between them. CALL is one of
//! [`Call::name`], or `any`; WHEN is `3` for the third such call of the process and `3+` for all
//! from the third on; WHAT is the name of an error (`EIO`), `SHORT` for a write of half, a read
//! past the end or a time that is not set though the call succeeds, or `KILL` for the end of the
//! process, as by `kill -9`, just before the call. A rule that cannot be read makes every call
//! fail. `BROOKLET_CALLS` names a file to which each call that changes the disk is appended, a line
//! before it and a line after it. `BROOKLET_WRITE_PACE` is how many bytes a second the disk takes.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use super::Call;

/// Every call, in the order of its number.
const CALLS: [Call; 13] = [
    Call::Open,
    Call::Read,
    Call::Write,
    Call::Resize,
    Call::Time,
    Call::Sync,
    Call::SyncName,
    Call::Load,
    Call::Create,
    Call::Fill,
    Call::Flush,
    Call::Rename,
    Call::Settle,
];

impl Call {
    /// Its name in rules and records.
    pub fn name(self) -> &'static str {
        match self {
            Call::Open => "open",
            Call::Read => "read",
            Call::Write => "write",
            Call::Resize => "resize",
            Call::Time => "time",
            Call::Sync => "sync",
            Call::SyncName => "syncname",
            Call::Load => "load",
            Call::Create => "create",
            Call::Fill => "fill",
            Call::Flush => "flush",
            Call::Rename => "rename",
            Call::Settle => "settle",
        }
    }

    fn changes(self) -> bool {
        !matches!(self, Call::Read | Call::Load)
    }
}

/// Makes a call, unless a rule says that it is to fail.
pub fn call<T, E: From<Errno>>(
    call: Call,
    what: impl FnOnce() -> String,
    run: impl FnOnce(bool) -> Result<T, E>,
) -> Result<T, E> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    match PLAN.get_or_init(Plan::of_environment) {
        None => run(false),
        Some(plan) => plan.call(call, what, run),
    }
}

/// Sleeps as long as a disk of the pace that is set takes for this many bytes.
pub fn keep_pace(bytes: u64) {
    static PACE: OnceLock<Option<u64>> = OnceLock::new();
    let pace = PACE.get_or_init(|| std::env::var("BROOKLET_WRITE_PACE").ok()?.parse().ok());
    if let Some(pace) = pace {
        std::thread::sleep(Duration::from_secs_f64(bytes as f64 / *pace as f64));
    }
}

/// The rules, the record, and the calls so far.
#[derive(Debug)]
struct Plan {
    rules: Vec<Rule>,
    counts: [AtomicU64; CALLS.len()],
    all: AtomicU64,
    record: Option<Mutex<File>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rule {
    /// `None`: any.
    call: Option<Call>,
    from: u64,
    to: u64,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Error(Errno),
    Short,
    Kill,
}

impl Plan {
    fn of_environment() -> Option<Plan> {
        let rules = std::env::var("BROOKLET_FAULTS").ok();
        let record = std::env::var_os("BROOKLET_CALLS");
        if rules.is_none() && record.is_none() {
            return None;
        }
        let record =
            record.and_then(|path| File::options().append(true).create(true).open(path).ok());
        Some(Plan {
            rules: rules
                .iter()
                .flat_map(|text| text.split(','))
                .map(Rule::read)
                .collect(),
            counts: Default::default(),
            all: AtomicU64::new(0),
            record: record.map(Mutex::new),
        })
    }

    fn call<T, E: From<Errno>>(
        &self,
        call: Call,
        what: impl FnOnce() -> String,
        run: impl FnOnce(bool) -> Result<T, E>,
    ) -> Result<T, E> {
        let nth = 1 + self.counts[call as usize].fetch_add(1, Ordering::SeqCst);
        let all = 1 + self.all.fetch_add(1, Ordering::SeqCst);
        if call.changes() {
            self.note(format_args!("{all} {} {}", call.name(), what()));
        }
        let done = match self
            .rules
            .iter()
            .find_map(|rule| rule.fault_of(call, nth, all))
        {
            Some(Fault::Kill) => {
                // It is not handled, so that it ends us at once.
                let _ = kill_process(getpid(), Signal::KILL);
                std::process::abort()
            }
            Some(Fault::Error(errno)) => Err(errno.into()),
            Some(Fault::Short) => run(true),
            None => run(false),
        };
        if call.changes() {
            let outcome = if done.is_ok() { "done" } else { "failed" };
            self.note(format_args!("{all} {outcome}"));
        }
        done
    }

    fn note(&self, line: fmt::Arguments<'_>) {
        if let Some(record) = &self.record {
            let mut file = record.lock().unwrap_or_else(PoisonError::into_inner);
            // One write, so that a kill leaves no half of a line.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
    }
}

impl Rule {
    /// A rule that cannot be read has everything fail: a test that relies on it must not pass.
    fn read(text: &str) -> Rule {
        let unread = Rule {
            call: None,
            from: 1,
            to: u64::MAX,
            fault: Fault::Error(Errno::INVAL),
        };
        Rule::parse(text).unwrap_or(unread)
    }

    fn parse(text: &str) -> Option<Rule> {
        let mut parts = text.split(':');
        let (call, when, what) = (parts.next()?, parts.next()?, parts.next()?);
        let call = match call {
            "any" => None,
            name => Some(*CALLS.iter().find(|call| call.name() == name)?),
        };
        let from = when.trim_end_matches('+').parse().ok()?;
        Some(Rule {
            call,
            from,
            to: if when.ends_with('+') { u64::MAX } else { from },
            fault: fault(what).filter(|_| parts.next().is_none())?,
        })
    }

    fn fault_of(&self, call: Call, nth: u64, all: u64) -> Option<Fault> {
        let number = match self.call {
            None => all,
            Some(own) if own == call => nth,
            Some(_) => return None,
        };
        (self.from..=self.to)
            .contains(&number)
            .then_some(self.fault)
    }
}

fn fault(name: &str) -> Option<Fault> {
    Some(match name {
        "KILL" => Fault::Kill,
        "SHORT" => Fault::Short,
        "EACCES" => Fault::Error(Errno::ACCESS),
        "EDQUOT" => Fault::Error(Errno::DQUOT),
        "EIO" => Fault::Error(Errno::IO),
        "EMFILE" => Fault::Error(Errno::MFILE),
        "ENOENT" => Fault::Error(Errno::NOENT),
        "ENOSPC" => Fault::Error(Errno::NOSPC),
        "EROFS" => Fault::Error(Errno::ROFS),
        "ESTALE" => Fault::Error(Errno::STALE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rules: &str) -> Plan {
        Plan {
            rules: rules.split(',').map(Rule::read).collect(),
            counts: Default::default(),
            all: AtomicU64::new(0),
            record: None,
        }
    }

    /// What becomes of these calls: `.` done, `s` half of it, `E` an error.
    fn course(rules: &str, calls: &[Call]) -> String {
        let plan = plan(rules);
        let run = |&call: &Call| match plan.call(call, String::new, Ok::<_, Errno>) {
            Ok(false) => '.',
            Ok(true) => 's',
            Err(_) => 'E',
        };
        calls.iter().map(run).collect()
    }

    #[test]
    fn rules_hit_the_calls_they_name() {
        use Call::{Read, Sync, Write};
        let calls = [Write, Read, Write, Sync, Write, Write];
        for (rules, wanted) in [
            ("write:2:EIO", "..E..."),
            ("write:2+:ENOSPC", "..E.EE"),
            ("read:1:SHORT,sync:1:EIO", ".s.E.."),
            ("any:4:EIO", "...E.."),
            ("rename:1:EIO", "......"),
            ("write:2:EWHAT", "EEEEEE"),
            ("nothing", "EEEEEE"),
            ("write:2:EIO:3", "EEEEEE"),
        ] {
            assert_eq!(course(rules, &calls), wanted, "{rules}");
        }
    }

    #[test]
    fn calls_are_numbered_as_they_are_listed() {
        for (number, call) in CALLS.into_iter().enumerate() {
            assert_eq!(call as usize, number);
        }
    }
}
