//! The program at a shell: signals, terminals, and what users give it by mistake.

#[path = "../support/mod.rs"]
mod support;

mod content;
mod metadata;
mod signals;
mod sources;
mod terminal;
mod urls;
