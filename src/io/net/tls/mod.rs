//! TLS over a connection, for `https`: present in builds with the feature of that name.

#[cfg(feature = "https")]
mod trust;
#[cfg(feature = "https")]
mod verdict;

#[cfg(feature = "https")]
mod session;

#[cfg(not(feature = "https"))]
mod absent;

#[cfg(not(feature = "https"))]
pub use absent::Tls;
#[cfg(feature = "https")]
pub use session::Tls;
