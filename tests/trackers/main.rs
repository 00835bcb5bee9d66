//! The tracker machine over real sockets on loopback: trackers that others wrote, and scripted ones
//! that do what they should not.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod command;
mod http;
mod kept;
mod odd;
mod port;
mod real;
mod search;
mod udp;
