//! Rank 7, the only room that touches sockets, files, clocks and threads.

pub mod setup;

pub mod logging;
pub mod signal;

pub mod clock;

pub mod disk;
pub mod net;

pub mod scrape;

mod tokens;

pub mod reactor;

mod ending;

mod flush;
mod receive;

mod claims;

pub mod folder;

mod run;

pub use run::{run, run_folder};
