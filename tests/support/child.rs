//! A program run as a child: its output read by threads into one channel, everything waited for
//! with a deadline, killed on drop (and by the kernel, should the test itself be killed).

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::json::Json;
use super::net::Host;

/// Copies a program that is run afterwards. Another process does it: if this one had the copy open
/// for writing, a child started meanwhile by another test would hold it open, and it could not be
/// run.
pub fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let mut copy = Command::new("cp");
    copy.arg(from.as_ref()).arg(to.as_ref());
    assert!(copy.status().unwrap().success(), "{copy:?}");
}

/// Which stream a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A running program.
#[derive(Debug)]
pub struct Child {
    name: String,
    process: std::process::Child,
    incoming: Receiver<(Stream, String)>,
    lines: Vec<(Stream, String)>,
    started: Instant,
}

/// A command that runs `program` in a host's namespace (here without one), and dies with the thread
/// that starts it.
pub fn command(host: Option<&Host>, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]);
    if let Some(host) = host {
        command.arg("nsenter").arg(host.nsenter());
    }
    // Signals that were ignored when the tests were started are not ignored by what they start.
    command.args(["env", "--default-signal"]);
    command.arg(program);
    command
}

/// The same for a program that would give up root by itself: that would also undo its dying with
/// us.
pub fn command_as_nobody(host: Option<&Host>, program: impl AsRef<OsStr>) -> Command {
    let mut command = command(host, "setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// A command that runs brooklet.
pub fn brooklet(host: Option<&Host>) -> Command {
    command(host, env!("CARGO_BIN_EXE_brooklet"))
}

impl Child {
    /// Starts a command; `name` is what it is called where something goes wrong.
    pub fn spawn(name: &str, command: &mut Command) -> Child {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{name}: {command:?}: {why}"));
        let (sender, incoming) = channel();
        follow(process.stdout.take().unwrap(), Stream::Out, sender.clone());
        follow(process.stderr.take().unwrap(), Stream::Err, sender);
        Child {
            name: name.into(),
            process,
            incoming,
            lines: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Time since it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The first line, of those printed so far or within this time, that `pick` takes.
    pub fn find<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut pick: impl FnMut(Stream, &str) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        let mut next = 0;
        loop {
            while let Some((stream, line)) = self.lines.get(next) {
                if let Some(found) = pick(*stream, line) {
                    return found;
                }
                next += 1;
            }
            match self.incoming.recv_timeout(left(deadline)) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Timeout) => {
                    self.fail(&format!("no {what} within {within:?}"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("it ended without {what}"))
                }
            }
        }
    }

    /// The first line on either stream that contains `text`.
    pub fn line(&mut self, text: &str, within: Duration) -> String {
        self.find(&format!("{text:?}"), within, |_, line| {
            line.contains(text).then(|| line.to_string())
        })
    }

    /// The first JSON object on standard output whose `event` is `name`.
    pub fn event(&mut self, name: &str, within: Duration) -> Json {
        self.event_where(name, within, |_| true)
    }

    /// The first JSON object on standard output whose `event` is `name` and that `test` accepts.
    pub fn event_where(
        &mut self,
        name: &str,
        within: Duration,
        mut test: impl FnMut(&Json) -> bool,
    ) -> Json {
        self.find(&format!("event {name:?}"), within, |stream, line| {
            event(stream, line).filter(|event| event.get("event").text() == name && test(event))
        })
    }

    /// All events so far of this name.
    pub fn events(&mut self, name: &str) -> Vec<Json> {
        self.lines.extend(self.incoming.try_iter());
        self.lines
            .iter()
            .filter_map(|(stream, line)| event(*stream, line))
            .filter(|event| event.get("event").text() == name)
            .collect()
    }

    /// Waits until it ends by itself and its output is read to the end.
    pub fn exit(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            match self.incoming.recv_timeout(left(deadline)) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no end within {within:?}")),
                Err(RecvTimeoutError::Disconnected) => return self.process.wait().unwrap(),
            }
        }
    }

    /// Waits for its end and returns the exit code; panics if a signal killed it.
    pub fn code(&mut self, within: Duration) -> i32 {
        let status = self.exit(within);
        match status.code() {
            Some(code) => code,
            None => self.fail(&format!("it died: {status}")),
        }
    }

    /// Waits for its end, which must be with exit code 0.
    pub fn success(&mut self, within: Duration) {
        let code = self.code(within);
        if code != 0 {
            self.fail(&format!("exit code {code}"));
        }
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Sends it a signal by name, such as `INT`.
    pub fn signal(&self, name: &str) {
        // The kill of the shell itself: the program of that name is no part of a small Debian.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
            .arg(self.pid().to_string())
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// Kills it at once and reaps it.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// What it printed on a stream so far (after its end: all of it), a line each.
    pub fn text(&mut self, wanted: Stream) -> String {
        self.lines.extend(self.incoming.try_iter());
        let mut text = String::new();
        for (_, line) in self.lines.iter().filter(|(stream, _)| *stream == wanted) {
            text += line;
            text.push('\n');
        }
        text
    }

    /// Bytes that it has asked the kernel to read, files and pipes alike (`rchar` of
    /// `/proc/PID/io`).
    pub fn bytes_read(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.pid())).unwrap();
        let field = text.lines().find_map(|line| line.strip_prefix("rchar: "));
        field.and_then(|number| number.parse().ok()).unwrap()
    }

    /// The most memory that it ever had, in bytes (`VmHWM` of `/proc/PID/status`).
    pub fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|text| text.trim().strip_suffix(" kB"));
        kib.and_then(|text| text.parse::<usize>().ok()).unwrap() * 1024
    }

    /// How many file handles it has open.
    pub fn handles(&self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.pid()));
        folder.unwrap().count()
    }

    /// Processor time used so far, user and system.
    pub fn cpu(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The second field is the program's name in parentheses; user and system ticks (100 a
        // second) are the 14th and 15th.
        let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11..13]
            .iter()
            .map(|t| t.parse::<u64>().unwrap())
            .sum();
        Duration::from_millis(ticks * 10)
    }

    /// Panics with a message and what the program printed.
    pub fn fail(&mut self, message: &str) -> ! {
        let (story, name, age) = (self.story(200), &self.name, self.age());
        panic!("{name}: {message}, {age:?} after its start; it said:\n{story}");
    }

    /// The last lines of what it printed, without repetitions and progress.
    fn story(&mut self, lines: usize) -> String {
        self.lines.extend(self.incoming.try_iter());
        let mut told: Vec<String> = self
            .lines
            .iter()
            .filter(|(_, line)| !line.contains("\"event\":\"progress\""))
            .map(|(stream, line)| format!("  {stream:?} | {line}\n"))
            .collect();
        told.dedup();
        told.split_off(told.len().saturating_sub(lines)).concat()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let story = self.story(60);
            eprintln!("--- {} said ---\n{story}", self.name);
        }
    }
}

fn event(stream: Stream, line: &str) -> Option<Json> {
    let event = (stream == Stream::Out).then(|| Json::parse(line).ok())??;
    event.find("event").is_some().then_some(event)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Reads a stream to its end. A carriage return ends a line too: progress is redrawn with it.
fn follow(mut stream: impl Read + Send + 'static, kind: Stream, sender: Sender<(Stream, String)>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        let mut line = Vec::new();
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            for &byte in &buffer[..count] {
                if byte != b'\n' && byte != b'\r' {
                    line.push(byte);
                } else if !line.is_empty() {
                    let _ = sender.send((kind, String::from_utf8_lossy(&line).into_owned()));
                    line.clear();
                }
            }
        }
        if !line.is_empty() {
            let _ = sender.send((kind, String::from_utf8_lossy(&line).into_owned()));
        }
    });
}
