//! Messages of extensions (BEP 10): the extended handshake, which gives the extensions that its
//! sender speaks their numbers, and the messages of those that brooklet speaks.

pub mod exchange;
mod greeting;
pub mod metadata;
pub mod punch;

pub use exchange::PeerExchange;
pub use greeting::{ExtendedGreeting, Extension, HANDSHAKE};
pub use metadata::MetadataMessage;
pub use punch::HolePunch;
