//! Files: the content of torrents, what a restart is to know of it, and the threads that wait for
//! disks.

pub mod birth;
pub mod disk_error;
pub mod faults;
pub mod pool;
pub mod stat;

pub mod tree;

pub mod places;

pub mod content_writer;
pub mod elsewhere;
pub mod erase;
pub mod files;
pub mod held;
pub mod holes;

pub mod ledger;

pub mod content;
pub mod existing;
pub mod hash;
pub mod locate;
pub mod patched;
pub mod sending;
pub mod source;
pub mod state;
pub mod waiting;

pub mod writer;

pub mod saver;

pub mod saving;

pub mod opening;

pub mod opener;

pub mod store;
