//! An error of KRPC (BEP 5): a number and words.

use crate::wire::bencode::{self, Value};
use crate::wire::one_line;

/// Why a node does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure<'a> {
    /// One of the numbers below; others occur.
    pub code: i64,
    /// The node's words.
    pub words: &'a [u8],
}

impl<'a> Failure<'a> {
    /// "Generic Error".
    pub const GENERIC: i64 = 201;
    /// "Server Error".
    pub const SERVER: i64 = 202;
    /// "Protocol Error, such as a malformed packet, invalid arguments, or bad token".
    pub const PROTOCOL: i64 = 203;
    /// "Method Unknown".
    pub const UNKNOWN: i64 = 204;

    /// The words for a user.
    pub fn shown(&self) -> String {
        one_line(self.words)
    }

    /// What stands under `e`: a list of a number and words. Where only one of them is there, it
    /// counts.
    pub(super) fn read(value: Value<'a>) -> Failure<'a> {
        let mut failure = Failure {
            code: Failure::GENERIC,
            words: b"",
        };
        for item in value
            .list()
            .into_iter()
            .flat_map(|list| list.iter().take(2))
        {
            match item {
                Value::Int(code) => failure.code = code,
                Value::Bytes(words) => failure.words = words,
                Value::List(_) | Value::Dict(_) => {}
            }
        }
        failure
    }

    pub(super) fn write(&self) -> Vec<u8> {
        bencode::list([bencode::int(self.code), bencode::bytes(self.words)])
    }
}
