//! The threads that wait for disks in place of the event loop: they write where a disk is slow,
//! sync and save, and look at what is there before a torrent is begun.

pub mod waiting;

pub mod writer;

pub mod saver;

pub mod saving;

pub mod silent;

pub mod telling;

pub mod opening;

pub mod finding;

pub mod opener;

pub use saver::{Saver, Unsaved};
pub use saving::Saving;
pub use writer::{Writer, Written};
