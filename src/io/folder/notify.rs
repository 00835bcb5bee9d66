//! What a service manager is told, as `sd_notify(3)` has it: that the process is ready, that it
//! stops, and that its loop still turns.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;

use crate::base::{Duration, Time};

/// The service manager.
#[derive(Debug)]
pub struct Notifier {
    /// The socket to send by, and where to; `None`: there is no service manager.
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it is told that the loop turns, and when it is the next time.
    watchdog: Option<(Duration, Time)>,
    ready: bool,
    stopping: bool,
}

impl Notifier {
    /// The service manager that has started this process, if one has. What is wrong with how it
    /// names itself is said to `warn`.
    pub fn from_environment(warn: &mut dyn FnMut(String), now: Time) -> Notifier {
        let number = |name| {
            env::var(name)
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
        };
        let meant = |pid| pid == u64::from(process::id());
        let every = number("WATCHDOG_USEC").filter(|_| number("WATCHDOG_PID").is_none_or(meant));
        let address = env::var_os("NOTIFY_SOCKET");
        Notifier::new(address.as_deref(), every, warn, now)
    }

    fn new(
        address: Option<&OsStr>,
        every: Option<u64>,
        warn: &mut dyn FnMut(String),
        now: Time,
    ) -> Notifier {
        let address = address.filter(|address| !address.is_empty());
        let socket = address.and_then(|address| match connect(address) {
            Ok(socket) => Some(socket),
            Err(error) => {
                warn(format!(
                    "NOTIFY_SOCKET {}: {error}",
                    address.to_string_lossy()
                ));
                None
            }
        });
        // At half of the time, so that a turn that takes long is no reason to end the process.
        let every = every.map(|every| Duration::from_micros(every / 2));
        let every = every.filter(|every| !every.is_zero() && socket.is_some());
        Notifier {
            socket,
            watchdog: every.map(|every| (every, now)),
            ready: false,
            stopping: false,
        }
    }

    /// The process reads its settings again: said by the time since the machine was started, as
    /// `Type=notify-reload` wants it. [`Notifier::turn`] says that it is ready again.
    pub fn reload(&mut self) {
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = clock.tv_sec * 1_000_000 + clock.tv_nsec / 1000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
        self.ready = false;
    }

    /// The process is on its way out: said once.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopping, true) {
            self.say("STOPPING=1");
        }
    }

    /// The loop turns. The first time that is to say: the process does what it is for.
    pub fn turn(&mut self, now: Time) {
        if !std::mem::replace(&mut self.ready, true) {
            self.say("READY=1");
        }
        if let Some((every, at)) = self.watchdog.filter(|(_, at)| *at <= now) {
            self.say("WATCHDOG=1");
            self.watchdog = Some((every, at.max(now) + every));
        }
    }

    /// When to say that the loop turns though nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        self.watchdog.map(|(_, at)| at)
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.socket {
            // If the manager does not take it, its own time-out applies.
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

fn connect(address: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(address)?,
        _ => return Err(io::Error::other("expected a path, or a name behind @")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_by_path_and_by_abstract_name() {
        let name = format!("brooklet-notify-{}", process::id());
        let path = env::temp_dir().join(&name);
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let said = |address: &OsStr, hears: UnixDatagram| {
            let now = Time::default();
            let mut warn = |line: String| panic!("{line}");
            let mut notifier = Notifier::new(Some(address), Some(1_000_000), &mut warn, now);
            notifier.turn(now);
            let half = now + Duration::from_millis(500);
            assert_eq!(notifier.next_deadline(), Some(half));
            notifier.turn(now + Duration::from_millis(499));
            notifier.turn(half);
            notifier.stop();
            notifier.stop();
            hears.set_nonblocking(true).unwrap();
            let mut said = Vec::new();
            let mut buffer = [0; 100];
            while let Ok(n) = hears.recv(&mut buffer) {
                said.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
            }
            assert_eq!(said, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]);
        };
        said(path.as_os_str(), UnixDatagram::bind(&path).unwrap());
        let at = format!("@{name}");
        let hears = UnixDatagram::bind_addr(&abstract_name).unwrap();
        said(OsStr::new(&at), hears);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn without_a_manager_nothing_is_said_and_a_wrong_name_is() {
        let mut said = Vec::new();
        let mut warn = |line| said.push(line);
        let now = Time::default();
        let nobody = Notifier::new(None, Some(1_000_000), &mut warn, now);
        assert_eq!(nobody.next_deadline(), None);
        let wrong = Notifier::new(Some(OsStr::new("vsock:2:1")), Some(1), &mut warn, now);
        assert_eq!(wrong.next_deadline(), None);
        let words = "NOTIFY_SOCKET vsock:2:1: expected a path, or a name behind @";
        assert_eq!(said, [words]);
    }
}
