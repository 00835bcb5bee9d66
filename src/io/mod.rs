//! Rank 5, the only room that touches sockets, files, clocks and threads.

pub mod setup;

pub mod logging;
pub mod signal;

use crate::session::effect::Report;
use setup::{Ending, Setup};

/// Runs one torrent until it is done, stopped or failed; `reporter` hears of everything a user may want to know.
pub fn run(setup: Setup, reporter: &mut dyn FnMut(Report)) -> Ending {
    let _ = (setup, reporter);
    Ending::Failed(String::from("get and seed: not there yet"))
}
