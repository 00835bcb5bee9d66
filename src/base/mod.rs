//! Rank 0: the vocabulary. Values with no behaviour of the protocol in them; everything else
//! imports these and they import nothing of ours.

pub mod bits;
pub mod geometry;
pub mod holdings;
pub mod host;
pub mod id;
pub mod key;
pub mod lanes;
pub mod limits;
pub mod padding;
pub mod printable;
pub mod rate;
pub mod reach;
pub mod rng;
pub mod time;
