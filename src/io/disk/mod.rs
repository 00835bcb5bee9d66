//! Files: the content of torrents, what a restart is to know of it, and the threads that wait for
//! disks.

pub mod disk_error;
pub mod faults;

pub mod birth;
pub mod stat;

pub mod pool;
pub mod tree;

pub mod elsewhere;
pub mod held;
pub mod locate;

pub mod places;

pub mod files;
pub mod holes;

pub mod content_writer;

pub mod ledger;

pub mod content;

pub mod existing;
pub mod patched;
pub mod sending;

pub mod hash;
pub mod source;
pub mod state;

pub mod erase;

pub mod waiting;

pub mod writer;

pub mod saver;

pub mod saving;

pub mod opening;

pub mod opener;

pub mod store;

pub use content::ContentFiles;
pub use content_writer::{Blocks, ContentWriter};
pub use disk_error::{DiskError, Why};
pub use erase::erase;
pub use locate::locate;
pub use pool::Pool;
pub use saver::{Saver, Unsaved};
pub use saving::Saving;
pub use store::{Closed, Store};
pub use writer::{Writer, Written};
