//! Rank 2: HTTP/1.1 (RFC 9112) without sockets. A [`Url`] says where to ask, [`get`] makes the
//! bytes of a request, [`Reader`] takes a response apart as its bytes come in: the head first, then
//! the body piece by piece, so that a body of any length needs no memory here.

mod url;

mod request;

mod retry_after;

mod head;

mod inflate;

mod decode;

mod reader;

mod download;

pub use decode::decode;
pub use download::Download;
pub use head::{ContentRange, Framing, Head, shown};
pub use inflate::{Unreadable, gunzip, inflate, is_gzip, is_zlib, unzlib};
pub use reader::{Part, Reader};
pub use request::{get, get_range};
pub use url::{NO_HTTPS, Scheme, Url};

#[cfg(test)]
pub use inflate::tests as inflate_tests;
