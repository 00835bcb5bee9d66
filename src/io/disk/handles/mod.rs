//! Files as this system has them: handles, which file each is, its size and times, what was never
//! written of it. Each is reached without following a symbolic link.

pub mod birth;
pub mod stat;

pub mod pool;
pub mod tree;

pub mod pinned;

pub mod files;
pub mod holes;

pub use pool::Pool;
