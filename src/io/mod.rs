//! Rank 5, the only room that touches sockets, files, clocks and threads.

pub mod setup;

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

pub mod disk;
pub mod existing;
pub mod hash;
pub mod locate;
pub mod patched;
pub mod source;
pub mod state;
pub mod waiting;

pub mod saver;
pub mod writer;

pub mod logging;
pub mod signal;

pub mod clock;
pub mod link;
pub mod saving;

pub mod fetch;
pub mod resolve;
pub mod udp;

pub mod outreach;
pub mod scrape;

mod tokens;

pub mod reactor;

mod flush;
mod receive;

mod run;

pub use run::run;
