//! Standard output, which holds results alone.

use std::io::{self, Write as _};

use super::Failure;
use crate::io::disk::DiskError;

/// Writes a result to standard output, as it is. A reader that has read enough and closed the pipe
/// is no error.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(unwritten(error)))
        }
        _ => Ok(()),
    }
}

/// Why standard output takes nothing more, in one line.
pub fn unwritten(error: io::Error) -> String {
    DiskError::new("standard output", error).to_string()
}
