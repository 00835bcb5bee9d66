//! What a signal does. One thread waits for them all. The first that asks for an end is given to
//! the event loop, which stops cleanly; where there is no loop, the process ends with a line that
//! says so. One more ends the process at once; but a signal that follows right behind the first
//! counts as the same one: a shell and a service manager both pass on what they get.

use std::io;
use std::os::raw::c_int;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;
use signal_hook::consts::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGWINCH, SIGXCPU, SIGXFSZ,
};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use super::logging;

/// Signals that end a program that does nothing about them, and that are no fault of its own.
const ENDS: [c_int; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGVTALRM,
    SIGPROF, SIGIO, SIGPWR,
];
/// Signals of Linux that signal-hook has no name for.
const SIGSTKFLT: c_int = 16;
const SIGPWR: c_int = 30;
/// The real-time signals that the C library leaves to programs.
const REAL_TIME: std::ops::RangeInclusive<c_int> = 34..=64;
/// A signal that comes so soon after the first counts as the same.
const SAME: Duration = Duration::from_millis(100);
/// The thread that waits does little.
const STACK: usize = 64 * 1024;

/// The signal that asked for an end; 0: none yet.
static CAUGHT: AtomicI32 = AtomicI32::new(0);
/// Whether the terminal has got another size.
static RESIZED: AtomicBool = AtomicBool::new(false);
/// Whether SIGHUP asks for settings to be read again, and not for an end.
static RELOADS: AtomicBool = AtomicBool::new(false);
/// Whether it has asked for that.
static RELOAD: AtomicBool = AtomicBool::new(false);
/// Whether a signal has asked for an end.
static ENDING: AtomicBool = AtomicBool::new(false);
/// Wakes the event loop, if there is one.
static LOOP: Mutex<Option<Arc<Waker>>> = Mutex::new(None);

/// Takes over the signals, for the rest of the process. To be called once, before anything else.
///
/// # Errors
/// The system has no more handles or threads.
pub fn watch() -> io::Result<()> {
    let ignored = ignored();
    let kept = |signal: &c_int| ![SIGINT, SIGTERM].contains(signal) && ignored(*signal);
    let mut wanted: Vec<c_int> = ENDS.into_iter().chain(REAL_TIME).collect();
    wanted.retain(|signal| !kept(signal));
    let leaving = Arc::new(AtomicBool::new(false));
    // Here, since it takes memory for a while that the thread would keep.
    let signals = Signals::new(wanted.iter().chain([&SIGWINCH]))?;
    let (thread, ends) = (thread::Builder::new(), Arc::clone(&leaving));
    let thread = thread.name(String::from("signals")).stack_size(STACK);
    thread.spawn(move || wait(signals, &ends))?;
    for signal in wanted {
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&leaving))?;
    }
    // A write that would make a file longer than the shell allows then fails, as any write may.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    Ok(())
}

/// From now on a signal is told to the event loop, by this waker.
pub fn hand_over(waker: Arc<Waker>) {
    *LOOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
}

/// The signal that asked for an end, once.
pub fn pending() -> Option<i32> {
    let signal = CAUGHT.swap(0, Ordering::SeqCst);
    (signal != 0).then_some(signal)
}

/// From now on SIGHUP does not ask for an end, see [`reload_asked`].
pub fn reload_on_hangup() {
    RELOADS.store(true, Ordering::SeqCst);
}

/// Whether SIGHUP has asked for settings to be read again since this was asked.
pub fn reload_asked() -> bool {
    RELOAD.swap(false, Ordering::SeqCst)
}

/// Whether a signal has asked for an end.
pub fn is_ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// Whether the terminal has got another size since this was asked.
pub fn resized() -> bool {
    RESIZED.swap(false, Ordering::SeqCst)
}

/// A signal's name.
pub fn name(signal: i32) -> String {
    match (signal, low_level::signal_name(signal)) {
        (_, Some(name)) => String::from(name),
        (SIGSTKFLT, None) => String::from("SIGSTKFLT"),
        (SIGPWR, None) => String::from("SIGPWR"),
        (_, None) => format!("signal {signal}"),
    }
}

fn wait(mut signals: Signals, leaving: &AtomicBool) {
    let mut first: Option<Instant> = None;
    for signal in signals.forever() {
        match first {
            _ if signal == SIGWINCH => {
                RESIZED.store(true, Ordering::SeqCst);
                wake();
            }
            _ if signal == SIGHUP && RELOADS.load(Ordering::SeqCst) => {
                RELOAD.store(true, Ordering::SeqCst);
                wake();
            }
            None => {
                first = Some(Instant::now());
                ask(signal, leaving);
            }
            Some(at) if at.elapsed() < SAME => {}
            Some(_) => {
                // A terminal that is stopped takes no output: one more signal does not wait for
                // that.
                leaving.store(true, Ordering::SeqCst);
                logging::draw(&[]);
                process::exit(128 + signal);
            }
        }
    }
}

/// Asks the event loop for an end; without one, ends the process.
fn ask(signal: c_int, leaving: &AtomicBool) {
    ENDING.store(true, Ordering::SeqCst);
    CAUGHT.store(signal, Ordering::SeqCst);
    if !wake() {
        leaving.store(true, Ordering::SeqCst);
        logging::draw(&[]);
        logging::fatal(&format!("stopped: {}", name(signal)));
        process::exit(128 + signal);
    }
}

/// Wakes the event loop, if there is one.
fn wake() -> bool {
    let waker = LOOP.lock().unwrap_or_else(PoisonError::into_inner);
    // A wake fails only if the loop is gone, and then the process ends anyway.
    waker.as_ref().is_some_and(|waker| {
        let _ = waker.wake();
        true
    })
}

/// Which signals were ignored when the program was started, as `nohup` sees to.
fn ignored() -> impl Fn(c_int) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let mask = mask.unwrap_or_default();
    move |signal| (mask >> (signal - 1)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::process::Command;

    /// Run in a process of its own: a signal's action outlives the test.
    #[test]
    #[ignore = "the other test runs it"]
    fn a_process_that_is_signalled() {
        watch().unwrap();
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(8);
        hand_over(Arc::new(Waker::new(poll.registry(), Token(7)).unwrap()));
        assert_eq!(pending(), None);
        // Two that are watched whatever was ignored at the start.
        low_level::raise(SIGINT).unwrap();
        low_level::raise(SIGTERM).unwrap();
        poll.poll(&mut events, Some(Duration::from_secs(5)))
            .unwrap();
        assert!(events.iter().any(|event| event.token() == Token(7)));
        assert_eq!((pending(), pending()), (Some(SIGINT), None));
        println!("still here");
        thread::sleep(2 * SAME);
        low_level::raise(SIGINT).unwrap();
        thread::sleep(Duration::from_secs(5));
    }

    #[test]
    fn the_first_signal_wakes_the_poll_and_a_later_one_ends_the_process() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("io::signal::tests::a_process_that_is_signalled")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert_eq!(child.status.code(), Some(130), "{child:?}");
        assert!(said.contains("still here"), "{said}");
    }

    #[test]
    fn signals_have_names() {
        let names = [SIGINT, SIGHUP, SIGPWR, 40].map(name);
        assert_eq!(names, ["SIGINT", "SIGHUP", "SIGPWR", "signal 40"]);
    }
}
