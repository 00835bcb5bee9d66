//! Rank 3: one connection to one peer, as a machine without a socket. It is fed what was read and
//! says what to write; what is legal when stands in [`phase`] alone.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod phase;

pub mod fault;

pub mod frames;

pub mod choke;

pub mod request;

pub mod piece;

pub mod fast;

pub mod input;

pub mod local;

pub mod greeting;

#[allow(clippy::module_inception)]
pub mod peer;

pub mod incoming;

mod hearing;

mod queue;

mod speaking;
