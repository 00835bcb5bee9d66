//! Rank 3: web seeds (BEP 19): servers that have a torrent's files, without sockets. [`Content`]
//! says which file a byte of the torrent lies in and what its URL is, [`Site`] what is known of one
//! web seed, [`Answer`] reads one answer, and [`Pull`] is the machine of one connection: it is told
//! which bytes are wanted, asks for them, and takes blocks out of what comes.

pub mod content;

pub mod answer;

pub mod wanted;

pub mod timing;

pub mod pull;

pub mod site;

pub use answer::{Answer, Fault};
pub use content::{Content, Part};
pub use pull::{Asked, Pull};
pub use site::Site;
pub use wanted::Wanted;
