//! Bounds of Message Stream Encryption (MSE).

use crate::base::time::Duration;

// Encrypted handshakes

/// Bytes of each padding in the encrypted handshake at most: what MSE allows. Where the length is
/// not told, what follows must be found within it.
pub const MSE_PADDING: usize = 512;
/// A peer that says nothing for this long after it was dialed in one form is dialed in the other,
/// if there is one. All clients seen hang up at once on what they do not take; aria2 looks at new
/// connections once a second.
pub const FORM_TIME: Duration = Duration::from_secs(5);
/// Keys of peers that dial us from one host that are answered in a second. Each takes about a tenth
/// of a millisecond; clients that share an address dial us a few times a minute.
pub const MSE_KEYS_HOST: u32 = 50;
/// The same of all hosts: a tenth of a core at most.
pub const MSE_KEYS: u32 = 1_000;
