//! `brooklet run` and the commands that steer it, as their user sees them.

#[path = "../support/mod.rs"]
mod support;

mod run;

mod kills;
mod service;
mod steer;
mod watch;
