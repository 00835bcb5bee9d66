//! Messages of extensions (BEP 10): the handshake that says which ones an end speaks and under
//! which numbers it wants to hear them, and those of the extensions that brooklet speaks.

mod greeting;
pub mod metadata;

pub use greeting::{ExtendedGreeting, Extension, HANDSHAKE};
pub use metadata::MetadataMessage;
