//! `brooklet run` and the commands that steer it, as their user sees them.

#[path = "../support/mod.rs"]
mod support;

mod run;

mod adding;
mod again;
mod clients;
mod completing;
mod disks;
mod ending;
mod kills;
mod links;
mod options;
mod restart;
mod service;
mod silent;
mod sleep;
mod steer;
mod threads;
mod watch;
