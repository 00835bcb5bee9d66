//! Bounds of what goes through a proxy.

use crate::base::time::Duration;

// A proxy

/// Addresses of a proxy's name that are tried at the start.
pub const PROXY_ADDRESSES: usize = 4;
/// How long each of them may take to take a connection: it is near, or is not worth much.
pub const PROXY_ADDRESS_TIME: Duration = Duration::from_secs(2);
/// A proxy that has said nothing for this long when its connection is given up is named to the
/// user: it answers what concerns itself at once.
pub const PROXY_SILENCE: Duration = Duration::from_secs(5);
/// How long a proxy may take until it carries datagrams: as long as connecting, and an answer.
pub const PROXY_TIME: Duration = Duration::from_secs(15);
/// A proxy that carries no datagrams is asked for that again after this time: it may have been
/// started anew.
pub const PROXY_AGAIN: Duration = Duration::from_secs(60);
/// Datagrams that wait until a proxy carries them: trackers are asked again after 15 seconds.
pub const PROXY_WAITING: usize = 64;
/// Questions to trackers by name whose answers are recognised when they come from an address: as
/// many as trackers that may be asked over UDP at one time.
pub const PROXY_ASKED: usize = 64;
/// Names that a proxy looks up and that are known by a number: of more the oldest are forgotten,
/// and get another number.
pub const PROXY_NAMES: usize = 4_096;
/// Bytes of a name that a proxy takes (RFC 1928).
pub const PROXY_NAME: usize = 255;
