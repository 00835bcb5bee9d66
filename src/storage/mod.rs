//! Rank 3: where content lies and what is known of it. Pure: [`layout`] says which bytes of which
//! files a block is, [`select`] which files a user wants, [`check`] walks through what must be
//! hashed, [`resume`] remembers what was, [`owned`] which files are ours, [`backlog`] how much may
//! be unsynced, [`create`] makes a torrent. The files themselves are touched in `io` only.

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
