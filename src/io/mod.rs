//! Rank 7: sockets, threads and the content's files, which no other module touches; other files
//! and clocks are used here and in `cli` alone. [`reactor`] is the event loop; `receive` and
//! `flush` are its two ways between sockets and disk.

pub mod clock;
pub mod logging;

mod channel;
mod threads;
mod tokens;

pub mod disk;

pub mod net;

pub mod signal;

pub mod setup;

mod budget;

pub mod scrape;

pub mod by_url;

mod claims;
pub mod merging;
mod metadata_files;
mod pending;

mod nodes;

pub mod peers;

pub mod folder;

pub mod ending;

mod parts;

mod datagrams;
mod gathered;

pub mod reactor;

mod flush;
mod receive;

mod run;

pub use pending::selected_by;
pub use run::{run, run_folder};
pub use scrape::scrape;
pub use setup::{Ending, Mode, Only, Origin, Setup, Wanted};
