//! The calls that reach the disk, each made through [`call`]: with the cargo feature `faults`,
//! which is for tests alone, any of them can be made to fail, or to end the process, at a chosen
//! moment (see `faults/plan.rs`). Without it, a call is just made.

use rustix::io::Errno;

#[cfg(feature = "faults")]
mod plan;

/// What is asked of the file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// Open a content file, or make it.
    Open,
    /// Read content.
    Read,
    /// Write content.
    Write,
    /// Make a content file as long as it will be.
    Resize,
    /// Set a content file's time.
    Time,
    /// Have content reach the disk.
    Sync,
    /// Have the name of a new content file reach the disk.
    SyncName,
    /// Read the resume file.
    Load,
    /// Make the file that will take the resume file's place.
    Create,
    /// Write it.
    Fill,
    /// Have it reach the disk.
    Flush,
    /// Put it in place.
    Rename,
    /// Have that reach the disk.
    Settle,
}

/// Makes a call, unless it is to fail. `what` says what it is about, for the record; `run` is told
/// whether to fall short of it.
///
/// # Errors
/// What the call returns, or what a rule says.
#[cfg(feature = "faults")]
pub fn call<T, E: From<Errno>>(
    call: Call,
    what: impl FnOnce() -> String,
    run: impl FnOnce(bool) -> Result<T, E>,
) -> Result<T, E> {
    plan::call(call, what, run)
}

/// Makes a call. `what` says what it is about, for the record that tests keep.
///
/// # Errors
/// What the call returns.
#[cfg(not(feature = "faults"))]
#[inline]
pub fn call<T, E: From<Errno>>(
    _call: Call,
    _what: impl FnOnce() -> String,
    run: impl FnOnce(bool) -> Result<T, E>,
) -> Result<T, E> {
    run(false)
}

/// Waits as long as a slow disk would for `bytes` to be written, where a test asks for one.
pub fn keep_pace(bytes: u64) {
    #[cfg(feature = "faults")]
    plan::keep_pace(bytes);
    #[cfg(not(feature = "faults"))]
    let _ = bytes;
}
