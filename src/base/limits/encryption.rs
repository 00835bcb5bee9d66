//! Bounds of Message Stream Encryption (MSE).

use crate::base::time::Duration;

/// Bytes of each padding in the encrypted handshake at most: what MSE allows. Where the length is
/// not told, what follows must be found within it.
pub const MSE_PADDING: usize = 512;
/// A peer that says nothing for this long after it was dialed in one form is dialed in the other,
/// if there is one. All clients seen hang up at once on what they do not take; aria2 looks at new
/// connections once a second.
pub const FORM_TIME: Duration = Duration::from_secs(5);
