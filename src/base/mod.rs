//! Rank 0: the vocabulary. Values with no behaviour of the protocol in them; everything else
//! imports these and they import nothing of ours.

pub mod rng;
pub mod time;

pub mod id;
pub mod key;
pub mod node_id;

pub mod bits;
pub mod geometry;
pub mod holdings;
pub mod padding;

pub mod limits;
pub mod rate;

pub mod reach;

pub mod host;

pub mod lanes;
pub mod printable;

pub mod order;
pub mod sorted;

pub use bits::Bits;
pub use geometry::{BLOCK, Block, Geometry};
pub use holdings::Holdings;
pub use host::{Host, network, web_seed_addr, web_seed_at};
pub use id::{CLIENT_NAME, InfoHash, PeerId, PieceHash};
pub use key::{PeerKey, TorrentKey};
pub use node_id::{Distance, NodeId};
pub use order::{sorted_by, sorted_by_key};
pub use padding::Padding;
pub use printable::{is_unsafe, printable};
pub use rate::{Bucket, Meter, Totals};
pub use reach::{Reach, plain};
pub use rng::Rng;
pub use sorted::{SortedMap, SortedSet};
pub use time::{Duration, Time, sooner};
