//! Files: the content of torrents, what a restart is to know of it, and the threads that wait for
//! disks.

pub mod birth;
pub mod disk_error;
pub mod faults;
pub mod places;
pub mod tree;

pub mod elsewhere;
pub mod files;
pub mod held;
pub mod holes;
pub mod pen;

pub mod ledger;

pub mod content;
pub mod existing;
pub mod hash;
pub mod locate;
pub mod patched;
pub mod source;
pub mod state;
pub mod waiting;

pub mod saver;
pub mod writer;

pub mod saving;
