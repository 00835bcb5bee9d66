//! KRPC (BEP 5): a DHT message is one datagram with one bencoded dictionary. `t` is the querier's
//! number for its query, which the answer repeats; `y` says what it is: a query (`q`: the method,
//! `a`: its arguments), a reply (`r`) or an error (`e`). With it come BEP 32 (`want`, `nodes6`),
//! BEP 42 (`ip`: the querier's address, as the node sees it), BEP 43 (`ro`), BEP 51
//! (`sample_infohashes`) and `v`, the client.
//!
//! What is read borrows from the datagram. Keys that are unknown, or have a value of the wrong kind
//! and are not needed, count as absent: every real client ignores them.

mod node_info;

mod failure;
mod query;
mod reply;

mod message;

pub use failure::Failure;
pub use message::{Body, Message, Unreadable};
pub use node_info::{NodeInfo, nodes, pack_node};
pub use query::{Ask, Query, Want};
pub use reply::{Reply, Samples, Values, pack_value};
