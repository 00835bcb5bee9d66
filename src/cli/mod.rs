//! Rank 8: what a user sees: one file per command, and what they share: options, errors, the
//! progress line.

pub mod help;
pub mod units;

mod failure;
mod output;

pub mod slip;

mod wrong_usage;

pub mod values;

pub mod args;

pub mod target;

pub mod events;
pub mod progress;

pub mod reporter;

pub mod setups;

pub mod download;

pub mod check;

pub mod create;

pub mod network;

pub mod scrape;
pub mod show;

pub mod peers;

pub mod remote;

pub mod add;
pub mod rate_limits;
pub mod steer;

pub mod status;

pub mod unattended;

mod dispatch;

pub use dispatch::run;
pub use failure::{DAMAGED, FAILED, Failure, INVALID, USAGE, quote};
pub use output::{print, unwritten};
pub use wrong_usage::usage;
