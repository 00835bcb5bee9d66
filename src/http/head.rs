//! The head of a response (RFC 9112, section 4): its status, and those of its fields that are
//! needed here.

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
    /// How the body ends.
    pub body: Framing,
    /// Whether the connection may be used for another request behind this response (RFC 9112,
    /// section 9.3).
    pub persists: bool,
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
