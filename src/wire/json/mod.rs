//! JSON (RFC 8259): a value as a tree ([`Json`]), its reader ([`read`]) and its writer, and objects
//! that are written as text at once ([`Object`]).

mod text;
mod value;

mod reader;

pub use reader::read;
pub use text::{Object, array, quoted};
pub use value::Json;
