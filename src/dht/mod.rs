//! Rank 3: the DHT (BEP 5), a table of the peers of each torrent that is spread over all nodes.
//! [`Dht`] is our node. Datagrams go in by [`Dht::receive`], time by [`Dht::turn`]; datagrams to be
//! sent, and peers that were found, come out as [`Output`]s.
//!
//! A node has an id, a number in the same space as info hashes. A torrent's peers are kept by the
//! nodes whose ids are nearest to its info hash; any node finds these in a few steps, since each
//! knows many nodes near to itself and some in every direction.

mod answer_limits;
mod pace;
mod reached;
mod round_trips;

mod guard;
mod secure_id;
mod silent;
mod tokens;
mod votes;

mod peer_store;
mod table;

mod lookup;
mod queries;
mod wanted;

mod output;
mod saved;

mod half;

mod answer;

mod active;

#[allow(clippy::module_inception)]
mod dht;

mod asking;

pub use dht::{Config, Dht};
pub use output::{Event, Output, Report, Summary};
pub use saved::Saved;
pub use wanted::Want;

#[cfg(test)]
mod tests;
