//! Bencode (BEP 3): integers `i42e`, byte strings `4:spam`, lists `l…e`, dictionaries `d…e` whose
//! keys are byte strings.
//!
//! A text is checked whole, once, and nothing is allocated for it: lists and dictionaries keep the
//! bytes they stand in, and are read from them again when a value inside is asked for. So the raw
//! bytes of any value are at hand (the info hash needs them), and memory does not depend on what a
//! text contains.

use nom::Parser as _;
use nom::bytes::complete::{tag, take};
use nom::character::complete::digit1;
use nom::combinator::opt;
use nom::sequence::{delimited, terminated};

use super::{ENDS_EARLY, Malformed, Parsed, Wrong, finish};
use crate::base::{limits, sorted_by};

/// A value, borrowed from the text it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    /// A whole number.
    Int(i64),
    /// A byte string, text or not.
    Bytes(&'a [u8]),
    /// A list.
    List(List<'a>),
    /// A dictionary.
    Dict(Dict<'a>),
}

/// A list, checked and kept as it stands in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List<'a> {
    raw: &'a [u8],
}

/// A dictionary, checked and kept as it stands in the text. Its keys should be sorted and distinct
/// (BEP 3); real torrents have others, so neither is insisted on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dict<'a> {
    raw: &'a [u8],
}

/// Reads the value that the bytes begin with; the bytes behind it come back too. Numbers are strict
/// (no leading zero, no `-0`, nothing past 64 bits); nesting and the number of values are limited
/// ([`limits::BENCODE_DEPTH`], [`limits::BENCODE_VALUES`]).
pub fn decode(text: &[u8]) -> Result<(Value<'_>, &[u8]), Malformed> {
    finish(
        text,
        value(text, limits::BENCODE_DEPTH, &mut Reading::new(false)),
    )
}

/// The same, but a number past 64 bits becomes the one nearest to it: for what trackers say, of
/// which one absurd number should not spoil the rest.
pub fn decode_nearest(text: &[u8]) -> Result<(Value<'_>, &[u8]), Malformed> {
    finish(
        text,
        value(text, limits::BENCODE_DEPTH, &mut Reading::new(true)),
    )
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    pub fn int(self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn list(self) -> Option<List<'a>> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// The dictionary, if it is one.
    pub fn dict(self) -> Option<Dict<'a>> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

impl<'a> List<'a> {
    /// Its items as they stand in the text, one after the other.
    pub(super) fn body(self) -> &'a [u8] {
        let raw = self.raw.strip_prefix(b"l").unwrap_or_default();
        raw.strip_suffix(b"e").unwrap_or_default()
    }

    /// Its items in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        let mut body = self.raw.get(1..).unwrap_or_default();
        std::iter::from_fn(move || next(&mut body))
    }
}

impl<'a> Dict<'a> {
    /// Its bytes in the text, from `d` to `e`.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Its entries in the order of the text.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Value<'a>)> {
        let mut body = self.raw.get(1..).unwrap_or_default();
        std::iter::from_fn(move || {
            let key = next(&mut body)?.bytes()?;
            Some((key, next(&mut body)?))
        })
    }

    /// The value of a key; of two with the same key the first.
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Value<'a>> {
        let key = key.as_ref();
        self.iter()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The values of several keys in one pass: what to use on a large dictionary, since each
    /// [`Dict::get`] reads it anew.
    pub fn pick<const N: usize>(self, keys: [&str; N]) -> [Option<Value<'a>>; N] {
        let mut picked = [None; N];
        for (name, value) in self.iter() {
            for (place, key) in picked.iter_mut().zip(keys) {
                if place.is_none() && name == key.as_bytes() {
                    *place = Some(value);
                }
            }
        }
        picked
    }

    /// The number under a key; `None` also where something else stands there.
    pub fn int(self, key: impl AsRef<[u8]>) -> Option<i64> {
        self.get(key)?.int()
    }

    /// The byte string under a key; `None` also where something else stands there.
    pub fn bytes(self, key: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        self.get(key)?.bytes()
    }

    /// The dictionary under a key; `None` also where something else stands there.
    pub fn dict(self, key: impl AsRef<[u8]>) -> Option<Dict<'a>> {
        self.get(key)?.dict()
    }
}

/// A number, encoded.
pub fn int(number: i64) -> Vec<u8> {
    format!("i{number}e").into_bytes()
}

/// A byte string, encoded.
pub fn bytes(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut out = format!("{}:", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out
}

/// A list of encoded values, encoded.
pub fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut out = vec![b'l'];
    out.extend(items.into_iter().flatten());
    out.push(b'e');
    out
}

/// A dictionary of encoded values, encoded. The entries may come in any order, their keys being
/// distinct; they are written sorted by the bytes of the keys, as BEP 3 asks.
pub fn dict<'k>(entries: impl IntoIterator<Item = (&'k str, Vec<u8>)>) -> Vec<u8> {
    let entries: Vec<(&str, Vec<u8>)> = entries.into_iter().collect();
    let mut out = vec![b'd'];
    for (key, value) in sorted_by(entries, |(a, _), (b, _)| a.cmp(b)) {
        out.extend(bytes(key));
        out.extend(value);
    }
    out.push(b'e');
    out
}

/// How a text is being read.
struct Reading {
    /// So many more values may come.
    left: usize,
    /// A number past 64 bits is taken as the nearest that is not.
    nearest: bool,
}

impl Reading {
    fn new(nearest: bool) -> Reading {
        Reading {
            left: limits::BENCODE_VALUES,
            nearest,
        }
    }
}

/// The next value of a body that was checked before; `None` at its end.
fn next<'a>(body: &mut &'a [u8]) -> Option<Value<'a>> {
    // If large numbers were let through, so they are now.
    let (rest, value) = value(body, limits::BENCODE_DEPTH, &mut Reading::new(true)).ok()?;
    *body = rest;
    Some(value)
}

/// Any value. `depth` more levels may open below here.
fn value<'a>(input: &'a [u8], depth: u32, reading: &mut Reading) -> Parsed<'a, Value<'a>> {
    let Some(fewer) = reading.left.checked_sub(1) else {
        return Wrong::at(input, "there are too many values");
    };
    reading.left = fewer;
    match input.first() {
        Some(b'i') => integer(input, reading.nearest),
        Some(b'0'..=b'9') => {
            let (rest, bytes) = string(input)?;
            Ok((rest, Value::Bytes(bytes)))
        }
        Some(b'l' | b'd') => container(input, depth, reading),
        Some(_) => Wrong::at(input, "no value begins with this byte"),
        None => Wrong::at(input, ENDS_EARLY),
    }
}

fn container<'a>(input: &'a [u8], depth: u32, reading: &mut Reading) -> Parsed<'a, Value<'a>> {
    let Some(depth) = depth.checked_sub(1) else {
        return Wrong::at(input, "lists and dictionaries are nested too deep");
    };
    let is_list = input.first() == Some(&b'l');
    let mut rest = behind(input);
    loop {
        match rest.first() {
            Some(b'e') => break,
            Some(_) => {}
            None => return Wrong::at(rest, ENDS_EARLY),
        }
        if !is_list {
            (rest, _) = string(rest)?;
        }
        (rest, _) = value(rest, depth, reading)?;
    }
    let rest = behind(rest);
    let length = input.len().saturating_sub(rest.len());
    let raw = input.get(..length).unwrap_or_default();
    let container = if is_list {
        Value::List(List { raw })
    } else {
        Value::Dict(Dict { raw })
    };
    Ok((rest, container))
}

fn integer(input: &[u8], nearest: bool) -> Parsed<'_, Value<'_>> {
    let signed = (opt(tag("-")), digit1);
    let (rest, (minus, digits)) = delimited(tag("i"), signed, tag("e")).parse(input)?;
    let negative = minus.is_some();
    if matches!(digits, [b'0', _, ..]) || (negative && digits.first() == Some(&b'0')) {
        return Wrong::at(input, "a number begins with a needless zero");
    }
    let number = number(digits).and_then(|number| {
        if negative {
            0_i64.checked_sub_unsigned(number)
        } else {
            i64::try_from(number).ok()
        }
    });
    match number {
        Some(number) => Ok((rest, Value::Int(number))),
        None if nearest => {
            let number = if negative { i64::MIN } else { i64::MAX };
            Ok((rest, Value::Int(number)))
        }
        None => Wrong::at(input, "a number is too large"),
    }
}

fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, digits) = terminated(digit1, tag(":")).parse(input)?;
    if matches!(digits, [b'0', _, ..]) {
        return Wrong::at(input, "a length begins with a needless zero");
    }
    match number(digits).and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length <= rest.len() => take(length).parse(rest),
        _ => Wrong::at(input, "a string is longer than the data"),
    }
}

/// The bytes behind the first.
fn behind(input: &[u8]) -> &[u8] {
    input.get(1..).unwrap_or_default()
}

/// The number that these digits are; `None`: it is too large for any.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
