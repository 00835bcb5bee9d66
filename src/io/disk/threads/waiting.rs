//! Tells the user which disk does not answer: if the server of a mount is gone, or a disk sleeps, a
//! call may last for any time. Meanwhile a signal can end the process only if the main thread is
//! not in that call, since the system gives signals to the main thread.

use std::panic;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::io::channel::{Missing, channel};

/// How long nothing is said.
const SILENCE: Duration = Duration::from_secs(5);

/// Makes calls to the disk at this path, in a thread. If they last long, that is said once.
pub fn tell_of<T: Send>(path: &Path, mut calls: impl FnMut() -> T + Send) -> T {
    let made = thread::scope(|scope| {
        let (done, ended) = channel::<()>();
        let calls = || {
            let _ends = done;
            calls()
        };
        let thread = thread::Builder::new().name(String::from("waiting"));
        let thread = thread.spawn_scoped(scope, calls).ok()?;
        if ended.recv_timeout(SILENCE) == Err(Missing::Yet) {
            let path = path.display();
            log::warn!("{path}: the disk does not answer: still waiting");
        }
        Some(thread.join())
    });
    match made {
        Some(Ok(result)) => result,
        Some(Err(panic)) => panic::resume_unwind(panic),
        None => calls(),
    }
}
