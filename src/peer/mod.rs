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

pub mod end_reason;

pub mod phase;

pub mod choke;
mod early;
pub mod extensions;
pub mod fast;
pub mod frames;
mod queue;

pub mod piece;
pub mod request;

pub mod input;
pub mod local;

pub mod greeting;

mod contact;
mod outbox;

#[allow(clippy::module_inception)]
pub mod peer;

pub mod incoming;

mod hearing;
mod speaking;

pub use choke::Choke;
pub use end_reason::{EndReason, Redial};
pub use extensions::Extensions;
pub use fast::allowed_fast_set;
pub use frames::FrameLimits;
pub use greeting::Greeting;
pub use input::Input;
pub use local::Local;
pub use peer::{Event, Peer, Segment};
pub use phase::{Capabilities, Phase};
pub use request::Requests;
