//! Files: the content of torrents, what a restart is to know of it, and the threads that wait for
//! disks.

pub mod disk_error;
pub mod faults;

pub mod handles;

pub mod elsewhere;
pub mod locate;
pub mod output;
pub mod places;
pub mod state;

pub mod content;

pub mod hash;
pub mod source;

pub mod erase;

pub mod threads;

pub mod store;

pub use content::{Blocks, ContentFiles, ContentWriter};
pub use disk_error::{DiskError, Why};
pub use erase::erase;
pub use handles::Pool;
pub use locate::locate;
pub use store::{Closed, Store};
pub use threads::{Saver, Saving, Unsaved, Writer, Written};
