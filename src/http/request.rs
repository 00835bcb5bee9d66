//! The bytes of a GET (RFC 9112), with a login where the URL has one (RFC 7617).

use std::ops::Range;

use super::url::Url;
use crate::base::CLIENT_NAME;
use crate::wire::{base64, percent};

/// The whole request for a URL. It leaves to the server whether the connection goes on.
pub fn get(url: &Url) -> Vec<u8> {
    get_range(url, None)
}

/// The same for these bytes of what lies there (RFC 9110, section 14.2); `None`: all of it.
pub fn get_range(url: &Url, range: Option<Range<u64>>) -> Vec<u8> {
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {CLIENT_NAME}\r\nAccept-Encoding: identity\r\n",
        url.target,
        url.authority()
    );
    if let Some(range) = range {
        let last = range.end.saturating_sub(1);
        request.push_str(&format!("Range: bytes={}-{last}\r\n", range.start));
    }
    if let Some(login) = &url.login {
        request.push_str("Authorization: Basic ");
        request.push_str(&base64::encode(&percent::decode(login)));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}
