//! Rank 7, the only room that touches sockets, files, clocks and threads.

pub mod setup;

pub mod settings;
pub mod whole;

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

pub mod control;

mod claims;

mod eraser;
mod records;

mod on_complete;

mod offers;

mod library;

mod watch;

mod notify;

mod unattended;

mod run;

pub use run::{run, run_folder};
