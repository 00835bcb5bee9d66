//! The content of one torrent: a half that writes it, a half that reads it, and what is known of
//! each file between the two.

pub mod content_writer;

pub mod ledger;

pub mod content_files;

pub mod existing;
pub mod patched;
pub mod sending;

pub use content_files::ContentFiles;
pub use content_writer::{Blocks, ContentWriter};
