//! The folder of torrents that `run` serves: the files that are dropped into it, what it keeps of
//! each torrent, and the socket through which it is steered.

pub mod settings;
pub mod whole;

mod chosen;
mod record;
mod records;

mod control;

mod brought;
mod eraser;
mod keeper;
mod shelf;

mod on_complete;

mod offers;
mod url_fetches;

mod hosts;
mod library;

mod keeping;
mod linked;
mod loading;

mod sleepers;

mod watch;

mod notify;

pub mod unattended;

pub use settings::{Handling, Settings, Wishes};
pub use unattended::Unattended;
pub use whole::Whole;
