//! Programs run and measured. CPU time of a whole run comes from the shell's `time`, which is exact
//! to the millisecond; of a span, from what the scheduler counted for each thread. Memory is the
//! peak that the kernel noted for the process itself.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal};

use super::json::Json;
use super::{Failure, interrupted};

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// A client that is measured.
pub struct Process {
    shell: Child,
    /// Its process id.
    pub pid: u32,
    /// When it was started.
    pub started: SystemTime,
    log: PathBuf,
    /// Peak RSS so far, KiB.
    pub peak: u64,
    ended: bool,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Seconds by the wall clock.
    pub wall: f64,
    /// CPU seconds in user mode.
    pub user: f64,
    /// CPU seconds in the kernel.
    pub system: f64,
    /// CPU seconds.
    pub cpu: f64,
}

impl Process {
    /// Starts a command in a namespace; what it prints goes to `log`. It dies with us.
    pub fn spawn(namespace: &str, words: &[OsString], log: &Path) -> Result<Process, Failure> {
        let script = r#"TIMEFORMAT="%3R %3U %3S"; time setpriv --pdeathsig KILL -- "$@" >"$0" 2>&1 </dev/null"#;
        let started = SystemTime::now();
        let shell = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "nsenter", namespace])
            .args(["bash", "-c", script])
            .arg(log)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("setpriv: {why}"))?;
        let mut process = Process {
            shell,
            pid: 0,
            started,
            log: log.into(),
            peak: 0,
            ended: false,
        };
        while process.pid == 0 {
            if process.shell.try_wait()?.is_some() {
                return Err(process.failed("ended at once"));
            }
            process.pid = child_of(process.shell.id()).unwrap_or(0);
            thread::sleep(Duration::from_millis(1));
        }
        Ok(process)
    }

    /// Waits for its end, which must be a success; what it used.
    pub fn wait(&mut self, within: Duration) -> Result<Usage, Failure> {
        self.until(within, |_| None::<()>)?;
        let status = self.shell.wait()?;
        if !status.success() {
            return Err(self.failed(&format!("{status}")));
        }
        let mut text = String::new();
        if let Some(stderr) = &mut self.shell.stderr {
            stderr.read_to_string(&mut text)?;
        }
        let numbers: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
        let [wall, user, system] = numbers[..] else {
            return Err(self.failed(&format!("time says {text:?}")));
        };
        let cpu = user + system;
        Ok(Usage {
            wall,
            user,
            system,
            cpu,
        })
    }

    /// Waits until `look` finds something (`Some`), or the process ends (`None`).
    pub fn until<T>(
        &mut self,
        within: Duration,
        mut look: impl FnMut(&Process) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let deadline = Instant::now() + within;
        loop {
            self.peak = self.peak.max(status(self.pid, "VmHWM").unwrap_or(0));
            let found = look(self);
            if found.is_some() {
                return Ok(found);
            }
            if self.shell.try_wait()?.is_some() {
                self.ended = true;
                return Ok(None);
            }
            interrupted()?;
            if Instant::now() > deadline {
                return Err(self.failed(&format!("not done after {} s", within.as_secs())));
            }
            thread::sleep(LOOK);
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        usage(self.pid)
    }

    /// Asks it to end, and makes it.
    pub fn stop(&mut self) {
        let polite = Instant::now() + Duration::from_secs(5);
        signal(self.pid, Signal::INT);
        while !self.ended && matches!(self.shell.try_wait(), Ok(None)) {
            if Instant::now() > polite {
                signal(self.pid, Signal::KILL);
            }
            thread::sleep(LOOK);
        }
        self.ended = true;
    }

    /// An error with the end of what it printed.
    pub fn failed(&self, why: &str) -> Failure {
        format!("{why}; it said: {}", end_of(&self.log)).into()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.stop();
        }
    }
}

/// The load generator.
pub struct LoadProcess {
    child: Child,
    events: Receiver<Json>,
    log: PathBuf,
}

impl LoadProcess {
    /// Starts it and waits until it listens.
    pub fn spawn(namespace: &str, words: &[OsString], log: &Path) -> Result<LoadProcess, Failure> {
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--", "nsenter", namespace])
            .arg(std::env::current_exe()?)
            .arg("load")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let (sender, events) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(event) = Json::parse(&line) {
                    let _ = sender.send(event);
                }
            }
        });
        let log = log.into();
        let mut load = LoadProcess { child, events, log };
        load.event("listening", Duration::from_secs(10))?;
        Ok(load)
    }

    /// Gives it an order.
    pub fn order(&mut self, order: &str) -> Result<(), Failure> {
        let stdin = self.child.stdin.as_mut().ok_or("no standard input")?;
        Ok(writeln!(stdin, "{order}")?)
    }

    /// The event of this name that is already there.
    pub fn seen(&self, name: &str) -> Option<Json> {
        self.events
            .try_iter()
            .find(|event| event.get("event").text() == name)
    }

    /// Waits for the next event of this name.
    pub fn event(&mut self, name: &str, within: Duration) -> Result<Json, Failure> {
        let deadline = Instant::now() + within;
        loop {
            interrupted()?;
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(event) if event.get("event").text() == name => return Ok(event),
                Ok(event) if event.get("event").text() == "bad" => {
                    return Err("it sent bytes that are not the content".into());
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(_) => {
                    let said = end_of(&self.log);
                    return Err(
                        format!("the load generator saw no {name:?}; it said: {said}").into(),
                    );
                }
            }
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        usage(self.child.id())
    }

    /// Ends it; its last report.
    pub fn end(&mut self) -> Result<Json, Failure> {
        drop(self.child.stdin.take());
        self.event("end", Duration::from_secs(10))
    }
}

impl Drop for LoadProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _: std::io::Result<ExitStatus> = self.child.wait();
    }
}

/// A number of `/proc/PID/status`.
pub fn status(pid: u32, field: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Voluntary context switches of all threads: how often it went to sleep, and so woke up.
pub fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            status(
                task.file_name().to_str()?.parse().ok()?,
                "voluntary_ctxt_switches",
            )
        })
        .sum()
}

/// The last lines of a log, as one.
fn end_of(log: &Path) -> String {
    let log = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&log[log.len().saturating_sub(2000)..]).into_owned();
    let lines: Vec<&str> = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines.get(lines.len().saturating_sub(3)..);
    last.unwrap_or_default().join(" / ")
}

fn usage(pid: u32) -> Usage {
    /// Of Linux on everything that this runs on.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let tick = |at| {
        let field = fields
            .split(' ')
            .nth(at)
            .and_then(|field| field.parse::<f64>().ok());
        field.unwrap_or(0.0) / TICKS
    };
    let (user, system) = (tick(11), tick(12));
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    let nanoseconds = tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        })
        .sum::<f64>();
    // Threads that have ended are in the ticks only.
    let exact = nanoseconds / 1e9;
    let cpu = if user + system - exact > 0.05 {
        user + system
    } else {
        exact
    };
    Usage {
        wall: 0.0,
        user,
        system,
        cpu,
    }
}

/// Any child of a process.
fn child_of(parent: u32) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        (fields.split(' ').nth(1)?.parse() == Ok(parent)).then_some(pid)
    })
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
