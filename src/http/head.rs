//! The head of a response (RFC 9112, section 4): its status, and those of its fields that are
//! needed here.

use std::ops::Range;

use super::retry_after;
use crate::base::{Duration, limits};

/// What a response says in front of its body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Where a redirect leads to.
    pub location: Option<String>,
    /// What was done to the body (compression), apart from chunks.
    pub codings: Vec<String>,
    /// How long to leave the server alone, if it refuses.
    pub retry_after: Option<Duration>,
    /// Which bytes of the file the body is, if it is a part of it.
    pub range: Option<ContentRange>,
    /// How the body ends.
    pub body: Framing,
    /// Whether the connection may be used for another request behind this response (RFC 9112,
    /// section 9.3).
    pub persists: bool,
}

/// What `Content-Range` says (RFC 9110, section 14.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentRange {
    /// The bytes, in the file.
    pub bytes: Range<u64>,
    /// The length of the file, if the server knows it.
    pub length: Option<u64>,
}

impl ContentRange {
    /// Reads a value such as `bytes 0-499/1234`; `None`: it is none.
    fn parse(value: &str) -> Option<ContentRange> {
        let (unit, rest) = value.split_once(' ')?;
        let (range, length) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let bytes = first..last.checked_add(1)?;
        let length = match length {
            "*" => None,
            length => Some(length.parse().ok()?),
        };
        let fits = first <= last && length.is_none_or(|length| last < length);
        let fits = fits && unit.eq_ignore_ascii_case("bytes");
        fits.then_some(ContentRange { bytes, length })
    }
}

/// How a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// After this many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked,
    /// With the connection.
    UntilClosed,
}

impl Head {
    /// Reads a whole head. `None`: it is an interim one, which another follows.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    pub fn parse(head: &[u8]) -> Result<Option<Head>, String> {
        let mut headers = [httparse::EMPTY_HEADER; limits::HTTP_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(String::from("the answer is cut short")),
            Err(why) => return Err(format!("the answer's head makes no sense: {why}")),
        }
        let status = parsed.code.unwrap_or(0);
        if (100..200).contains(&status) {
            return Ok(None);
        }
        let fields = Fields(parsed.headers);
        let transfer = fields.list("transfer-encoding");
        let is_chunked = |coding: &String| coding.eq_ignore_ascii_case("chunked");
        let body = match fields.first("content-length") {
            _ if status == 204 || status == 304 => Framing::Length(0),
            _ if transfer.iter().any(is_chunked) => Framing::Chunked,
            None => Framing::UntilClosed,
            Some(length) => Framing::Length(match length.parse() {
                Ok(length) => length,
                Err(_) => return Err(format!("a body of {} bytes makes no sense", shown(&length))),
            }),
        };
        // Where a proxy on the way may see another end of the body, what follows is not trusted.
        let is_sure = match (fields.all("content-length").count(), &transfer[..]) {
            (0, []) => body == Framing::Length(0),
            (1, []) => true,
            (0, [.., last]) => is_chunked(last),
            _ => false,
        };
        let closes = |option: &String| option.eq_ignore_ascii_case("close");
        let says_so = fields.list("connection").iter().any(closes);
        let codings = fields.list("content-encoding").into_iter().chain(transfer);
        let date = fields.first("date");
        let retry_after = fields.first("retry-after");
        Ok(Some(Head {
            status,
            retry_after: retry_after.and_then(|value| retry_after::wait(&value, date.as_deref())),
            location: fields.first("location"),
            range: fields
                .first("content-range")
                .and_then(|value| ContentRange::parse(&value)),
            codings: codings.filter(|coding| !is_chunked(coding)).collect(),
            body,
            persists: parsed.version == Some(1) && is_sure && !says_so,
        }))
    }

    /// Where to ask instead, if the response says so.
    pub fn redirect(&self) -> Option<&str> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => self.location.as_deref(),
            _ => None,
        }
    }
}

/// The fields of a head.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl Fields<'_> {
    fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = String> + 'b {
        let named = self.0.iter();
        let named = named.filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| String::from_utf8_lossy(field.value.trim_ascii()).into_owned())
    }

    fn first(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// The items of a list, in one field or several.
    fn list(&self, name: &str) -> Vec<String> {
        let values: Vec<String> = self.all(name).collect();
        let items = values.iter().flat_map(|value| value.split(','));
        let items = items.map(str::trim).filter(|item| !item.is_empty());
        items.map(String::from).collect()
    }
}

/// A field's value in quotes, not all of it if it is long: it becomes a part of a line.
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(limits::WORDS) {
        Some((end, _)) => format!("{:?}…", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110, section 14.4: "Content-Range: bytes 42-1233/1234", "Content-Range: bytes
    /// 42-1233/*".
    #[test]
    fn a_content_range_is_whole_or_not_there() {
        let read = |value| ContentRange::parse(value).map(|it| (it.bytes, it.length));
        assert_eq!(read("bytes 42-1233/1234"), Some((42..1234, Some(1234))));
        assert_eq!(read("Bytes 42-1233/*"), Some((42..1234, None)));
        for value in [
            "",
            "bytes",
            "bytes */1234",
            "bytes 42-1233",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes -5/10",
            "bytes 0-18446744073709551615/*",
            "lines 0-1/2",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
