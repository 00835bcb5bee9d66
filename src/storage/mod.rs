//! Rank 3: where content lies and what is known of it, without touching a file: that is done in
//! `io` only. [`layout`] maps blocks to bytes of files, [`select`] chooses files for a user,
//! [`check`] walks through what must be hashed, [`resume`] remembers what was verified and
//! [`owned`] which files are ours, [`backlog`] bounds what is not synced, [`create`] makes a
//! torrent.

pub mod layout;
pub mod select;

pub mod backlog;
pub mod check;
pub mod owned;
pub mod resume;

pub mod create;

pub use backlog::Backlog;
pub use check::Check;
pub use create::Recipe;
pub use layout::{Layout, Span};
pub use owned::{Birth, Owned};
pub use resume::{Resume, Stamp};
pub use select::Pattern;
