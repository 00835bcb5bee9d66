//! The bytes of a GET (RFC 9112), with a login where the URL has one (RFC 7617).

use super::url::Url;
use crate::base::id::CLIENT_NAME;

/// The whole request for a URL. The connection ends with the response.
pub fn request(url: &Url) -> Vec<u8> {
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {CLIENT_NAME}\r\nAccept-Encoding: identity\r\nConnection: close\r\n",
        url.target,
        url.authority()
    );
    if let Some(login) = &url.login {
        request.push_str("Authorization: Basic ");
        request.push_str(&base64(&percent_decoded(login)));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// Base64 (RFC 4648), as Basic authentication wants it (RFC 7617).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let all = (0..3).fold(0_u32, |all, place| {
            (all << 8) | group.get(place).map_or(0, |&byte| u32::from(byte))
        });
        for place in 0..4 {
            let digit = (all >> (18 - 6 * place)) & 63;
            out.push(if place <= group.len() {
                char::from(DIGITS[digit as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        out.push(*first);
        if let (b'%', [high, low, behind @ ..]) = (first, behind) {
            if let (Some(high), Some(low)) = (hex(high), hex(low)) {
                out.pop();
                out.push((high * 16 + low) as u8);
                rest = behind;
            }
        }
    }
    out
}
