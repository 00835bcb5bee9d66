//! Rank 1: bytes and values. Parsers (nom) that borrow what they read, and encoders that append to
//! a `Vec<u8>`. Nothing here keeps state, and nothing here panics, whatever the bytes.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod bencode;

pub mod files;
pub mod fold;
pub mod given;

pub mod paths;

pub mod naming;

mod sources;

mod info;

pub mod metainfo;

pub mod elsewhere;

pub mod base64;
pub mod json;
pub mod percent;

pub mod magnet;

pub mod handshake;

pub mod foreign;
pub mod kind;
pub mod message;

pub mod compact;

pub mod extended;

pub mod retry;

pub mod announce;
pub mod scrape;

pub mod udp_tracker;

pub mod krpc;

pub mod lsd;

pub mod utp_packet;

pub use compact::Family;
pub use extended::{ExtendedGreeting, Extension, MetadataMessage, PeerExchange};
pub use files::{FileEntry, FileKind};
pub use foreign::Foreign;
pub use handshake::Handshake;
pub use message::Message;
pub use metainfo::Metainfo;
pub use retry::Retry;
pub use scrape::{ScrapeAnswer, Scraped};

use std::fmt;

use nom::Parser as _;
use nom::bytes::streaming::take;
use nom::combinator::map_opt;
use nom::error::{ErrorKind, ParseError};

use crate::base::limits;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// What is wrong, in plain words.
    pub what: &'static str,
    /// Offset of the byte where it shows, from the start of what was parsed.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// What the parsers of this module return while they are at work.
type Parsed<'a, T> = nom::IResult<&'a [u8], T, Wrong<'a>>;

/// An error inside a parser: nom knows only how many bytes are left, from which [`finish`] computes
/// the offset of a [`Malformed`].
#[derive(Debug)]
struct Wrong<'a> {
    rest: &'a [u8],
    what: &'static str,
}

const ENDS_EARLY: &str = "the data ends too soon";

impl<'a> Wrong<'a> {
    /// A parser's result: `what` is wrong at the first byte of `rest`.
    fn at<T>(rest: &'a [u8], what: &'static str) -> Parsed<'a, T> {
        Err(nom::Err::Error(Wrong { rest, what }))
    }
}

impl<'a> ParseError<&'a [u8]> for Wrong<'a> {
    fn from_error_kind(rest: &'a [u8], kind: ErrorKind) -> Wrong<'a> {
        let what = match (rest, kind) {
            ([], _) | (_, ErrorKind::Eof) => ENDS_EARLY,
            _ => "unexpected byte",
        };
        Wrong { rest, what }
    }

    fn append(_: &'a [u8], _: ErrorKind, inner: Wrong<'a>) -> Wrong<'a> {
        inner
    }
}

/// Ends a parser's work: what it made and the bytes it left, or where in `whole` it failed.
fn finish<'a, T>(whole: &'a [u8], parsed: Parsed<'a, T>) -> Result<(T, &'a [u8]), Malformed> {
    match parsed {
        Ok((rest, value)) => Ok((value, rest)),
        Err(nom::Err::Error(wrong) | nom::Err::Failure(wrong)) => Err(Malformed {
            what: wrong.what,
            at: whole.len().saturating_sub(wrong.rest.len()),
        }),
        Err(nom::Err::Incomplete(_)) => Err(Malformed {
            what: ENDS_EARLY,
            at: whole.len(),
        }),
    }
}

/// Like [`finish`], and nothing may be left over.
fn finish_whole<'a, T>(whole: &'a [u8], parsed: Parsed<'a, T>) -> Result<T, Malformed> {
    match finish(whole, parsed)? {
        (value, []) => Ok(value),
        (_, rest) => Err(Malformed {
            what: "there are bytes too many",
            at: whole.len().saturating_sub(rest.len()),
        }),
    }
}

/// The next `N` bytes, as they are.
fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    map_opt(take(N), |bytes: &[u8]| bytes.try_into().ok()).parse(input)
}

/// Text of a stranger, made safe to show: one line of bounded length, without control characters;
/// bytes that are not UTF-8 become replacement characters.
fn one_line(words: &[u8]) -> String {
    // No letter has more than four bytes; what is not looked at need not be copied.
    let most = limits::WORDS.saturating_mul(4).min(words.len());
    let words = String::from_utf8_lossy(words.get(..most).unwrap_or(words));
    words
        .chars()
        .take(limits::WORDS)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}
