//! What all parsers of `wire` share: how they say that bytes are not what they should be.

use std::fmt;

use nom::Parser as _;
use nom::bytes::streaming::take;
use nom::combinator::map_opt;
use nom::error::{ErrorKind, ParseError};

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

/// What the parsers of `wire` return while they are at work.
pub(super) type Parsed<'a, T> = nom::IResult<&'a [u8], T, Wrong<'a>>;

/// An error inside a parser: nom knows only how many bytes are left, from which [`finish`] computes
/// the offset of a [`Malformed`].
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    rest: &'a [u8],
    what: &'static str,
}

pub(super) const ENDS_EARLY: &str = "the data ends too soon";

impl<'a> Wrong<'a> {
    /// A parser's result: `what` is wrong at the first byte of `rest`.
    pub(super) fn at<T>(rest: &'a [u8], what: &'static str) -> Parsed<'a, T> {
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
pub(super) fn finish<'a, T>(
    whole: &'a [u8],
    parsed: Parsed<'a, T>,
) -> Result<(T, &'a [u8]), Malformed> {
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
pub(super) fn finish_whole<'a, T>(whole: &'a [u8], parsed: Parsed<'a, T>) -> Result<T, Malformed> {
    match finish(whole, parsed)? {
        (value, []) => Ok(value),
        (_, rest) => Err(Malformed {
            what: "there are bytes too many",
            at: whole.len().saturating_sub(rest.len()),
        }),
    }
}

/// The next `N` bytes, as they are.
pub(super) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    map_opt(take(N), |bytes: &[u8]| bytes.try_into().ok()).parse(input)
}
