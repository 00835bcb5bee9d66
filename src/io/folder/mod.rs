//! The folder of torrents that `run` serves: the files that are dropped into it, what it keeps of
//! each torrent, and the socket through which it is steered.
//!
//! What lies where: `records` is the file `list`, `record` one line of it, `state_writer` has the
//! threads that write small files of the state. `library` has the torrents, `keeping` what
//! their lines say of them, `linked` those of which only a magnet link is known, and `shelf` what a
//! start finds; `arrivals` are those that are being put into the folder, and `crowd` bounds how
//! many are added at one time. `eraser` deletes removed torrents, `sleepers` puts torrents to sleep
//! and wakes them up, `parting` is the end of the process. `unattended` is what the event loop
//! calls. PROTOCOL.md tells in "How a command survives a kill" how they work together.

pub mod settings;

pub mod folder_setup;

mod chosen;
mod record;
mod records;

mod control;

mod brought;
mod eraser;
mod shelf;
mod state_writer;

mod on_complete;

mod offers;
mod url_fetches;

mod arrivals;
mod finding;
mod hosts;
mod library;

mod completed;
mod crowd;

mod keeping;
mod linked;
mod loading;
mod parting;

mod sleepers;

mod watch;

mod notify;

pub mod unattended;

pub use folder_setup::FolderSetup;
pub use settings::{Handling, Settings, Wishes};
pub use unattended::Unattended;
