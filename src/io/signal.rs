//! A clean stop. The first SIGINT or SIGTERM wakes the event loop through a pair of sockets that it polls like any other; a
//! second one ends the process at once, from within the signal handler.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream as Pipe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// The signals that stop us, as the event loop sees them. To be made once: from then on, for the rest of the process, the default
/// action of these signals is replaced.
#[derive(Debug)]
pub struct Signals {
    wake: UnixStream,
    caught: Arc<AtomicUsize>,
}

impl Signals {
    /// Takes over SIGINT and SIGTERM; the poll reports `token` readable when one comes.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Signals> {
        let (wake, handler) = Pipe::pair()?;
        wake.set_nonblocking(true)?;
        let mut wake = UnixStream::from_std(wake);
        registry.register(&mut wake, token, Interest::READABLE)?;
        let caught = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        for (signal, number) in [(SIGINT, SIGINT as usize), (SIGTERM, SIGTERM as usize)] {
            // They run in this order: the first signal finds `stopping` unset, and sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stopping))?;
            flag::register(signal, Arc::clone(&stopping))?;
            flag::register_usize(signal, Arc::clone(&caught), number)?;
            low_level::pipe::register(signal, handler.try_clone()?)?;
        }
        Ok(Signals { wake, caught })
    }

    /// The signal that came, once.
    pub fn pending(&mut self) -> Option<i32> {
        while matches!(self.wake.read(&mut [0; 16]), Ok(1..)) {}
        i32::try_from(self.caught.swap(0, Ordering::SeqCst))
            .ok()
            .filter(|&signal| signal != 0)
    }
}

/// A signal's name.
pub fn name(signal: i32) -> &'static str {
    low_level::signal_name(signal).unwrap_or("signal")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll};
    use std::process::Command;
    use std::time::Duration;

    /// Run in a process of its own: a signal's action outlives the test.
    #[test]
    #[ignore = "the other test runs it"]
    fn a_process_that_is_signalled() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        let mut signals = Signals::new(poll.registry(), Token(7)).unwrap();
        assert_eq!(signals.pending(), None);
        low_level::raise(SIGTERM).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(5)))
            .unwrap();
        assert!(events.iter().any(|event| event.token() == Token(7)));
        assert_eq!(signals.pending(), Some(SIGTERM));
        assert_eq!(signals.pending(), None);
        low_level::raise(SIGINT).unwrap();
    }

    #[test]
    fn the_first_signal_wakes_the_poll_and_the_second_ends_the_process() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact"])
            .arg("io::signal::tests::a_process_that_is_signalled")
            .output()
            .unwrap();
        assert_eq!(child.status.code(), Some(130), "{child:?}");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!((name(SIGINT), name(SIGTERM)), ("SIGINT", "SIGTERM"));
    }
}
