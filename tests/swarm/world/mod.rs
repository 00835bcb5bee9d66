//! A world in memory: nodes with a session and a disk each, a network between them, a tracker, and
//! one clock that goes from event to event. Everything random comes from one seed, so that the same
//! seed gives the same run.

pub mod breaks;
pub mod disk;
pub mod manners;
pub mod net;
pub mod node;
pub mod queue;
pub mod stream;
pub mod tracker;
pub mod turn;
pub mod watch;
#[allow(clippy::module_inception)]
pub mod world;
pub mod writer;
