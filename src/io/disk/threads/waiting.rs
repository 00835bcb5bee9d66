//! Tells the user which disk does not answer: if the server of a mount is gone, or a disk sleeps, a
//! call may last for any time. Meanwhile a signal can end the process only if the main thread is
//! not in that call, since the system gives signals to the main thread.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether a disk answers, while it is asked.
pub const LOOK: Duration = Duration::from_secs(1);
/// How long nothing is said.
pub const SILENCE: Duration = Duration::from_secs(5);

/// What a thread asks a disk for, for the loop to see.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Option<(PathBuf, Instant)>>);

impl Waiting {
    /// Makes calls to the disk at this path.
    pub fn call<T>(&self, path: &Path, calls: impl FnOnce() -> T) -> T {
        *self.lock() = Some((path.to_path_buf(), Instant::now()));
        let made = calls();
        *self.lock() = None;
        made
    }

    /// Says once which disk does not answer. To be called at least every [`LOOK`] while it may be
    /// asked.
    pub fn look_after(&self) {
        let silent = self.lock().take_if(|(_, since)| since.elapsed() >= SILENCE);
        if let Some((path, _)) = silent {
            tell(&path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(PathBuf, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that this disk does not answer.
pub fn tell(path: &Path) {
    let path = path.display();
    log::warn!("{path}: the disk does not answer: still waiting");
}
