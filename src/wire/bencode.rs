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
use nom::combinator::{map, opt, recognize};
use nom::sequence::{delimited, preceded, terminated};

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
        Some(b'0'..=b'9') => map(string, Value::Bytes).parse(input),
        Some(b'l' | b'd') => container(input, depth, reading),
        Some(_) => Wrong::at(input, "no value begins with this byte"),
        None => Wrong::at(input, ENDS_EARLY),
    }
}

fn container<'a>(input: &'a [u8], depth: u32, reading: &mut Reading) -> Parsed<'a, Value<'a>> {
    let Some(depth) = depth.checked_sub(1) else {
        return Wrong::at(input, "lists and dictionaries are nested too deep");
    };
    if input.first() == Some(&b'l') {
        let items = |rest| until_end(rest, |rest| value(rest, depth, reading));
        let list = recognize(delimited(tag("l"), items, tag("e")));
        return map(list, |raw| Value::List(List { raw })).parse(input);
    }
    let entries = |rest| {
        until_end(rest, |rest| {
            preceded(string, |rest| value(rest, depth, reading)).parse(rest)
        })
    };
    let dict = recognize(delimited(tag("d"), entries, tag("e")));
    map(dict, |raw| Value::Dict(Dict { raw })).parse(input)
}

/// Items one after the other, up to the `e` that ends a container.
fn until_end<'a, T>(
    mut rest: &'a [u8],
    mut item: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> Parsed<'a, ()> {
    while rest.first().is_some_and(|&byte| byte != b'e') {
        (rest, _) = item(rest)?;
    }
    Ok((rest, ()))
}

fn integer(input: &[u8], nearest: bool) -> Parsed<'_, Value<'_>> {
    let digits = recognize((opt(tag("-")), digit1));
    let (rest, digits) = delimited(tag("i"), digits, tag("e")).parse(input)?;
    match digits {
        [b'0', _, ..] | [b'-', b'0', ..] => {
            Wrong::at(input, "a number begins with a needless zero")
        }
        _ => match number(digits) {
            Some(number) => Ok((rest, Value::Int(number))),
            None if nearest => {
                let negative = digits.first() == Some(&b'-');
                let number = if negative { i64::MIN } else { i64::MAX };
                Ok((rest, Value::Int(number)))
            }
            None => Wrong::at(input, "a number is too large"),
        },
    }
}

fn string(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, digits) = terminated(digit1, tag(":")).parse(input)?;
    if matches!(digits, [b'0', _, ..]) {
        return Wrong::at(input, "a length begins with a needless zero");
    }
    match number::<usize>(digits) {
        Some(length) if length <= rest.len() => take(length).parse(rest),
        _ => Wrong::at(input, "a string is longer than the data"),
    }
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &[u8]) -> (&'static str, usize) {
        let malformed = decode(text).unwrap_err();
        (malformed.what, malformed.at)
    }

    #[test]
    fn a_number_past_64_bits_is_refused_or_the_nearest_one() {
        let text = b"d1:ai9223372036854775808e1:bi-99999999999999999999e1:ci1ee";
        assert_eq!(refused(text), ("a number is too large", 4));
        let dict = decode_nearest(text).unwrap().0.dict().unwrap();
        assert_eq!(dict.int("a"), Some(i64::MAX));
        assert_eq!((dict.int("b"), dict.int("c")), (Some(i64::MIN), Some(1)));
        assert!(decode_nearest(b"i01e").is_err() && decode_nearest(b"i-e").is_err());
    }

    #[test]
    fn each_kind_of_value_is_read() {
        assert_eq!(decode(b"i-42e!"), Ok((Value::Int(-42), &b"!"[..])));
        assert_eq!(decode(b"i0e"), Ok((Value::Int(0), &b""[..])));
        assert_eq!(
            decode(b"i-9223372036854775808e"),
            Ok((Value::Int(i64::MIN), &b""[..]))
        );
        assert_eq!(decode(b"4:spam4"), Ok((Value::Bytes(b"spam"), &b"4"[..])));
        let list = decode(b"l4:spami1elee").unwrap().0.list().unwrap();
        let mut items = list.iter();
        assert_eq!(items.next(), Some(Value::Bytes(b"spam")));
        assert_eq!(items.next(), Some(Value::Int(1)));
        assert!(
            items
                .next()
                .unwrap()
                .list()
                .unwrap()
                .iter()
                .next()
                .is_none()
        );
        assert_eq!((items.next(), items.next()), (None, None));
    }

    #[test]
    fn a_dictionary_keeps_its_bytes_and_its_first_values() {
        let text = b"d1:bd1:xi1ee1:ai2e1:bi3e0:0:e";
        let dict = decode(text).unwrap().0.dict().unwrap();
        assert_eq!(dict.raw(), text);
        assert_eq!(dict.dict("b").map(Dict::raw), Some(&b"d1:xi1ee"[..]));
        assert_eq!(
            (dict.int("a"), dict.int("b"), dict.int("x")),
            (Some(2), None, None)
        );
        assert_eq!(dict.bytes(""), Some(&b""[..]));
        assert_eq!(dict.iter().count(), 4);
        let [a, none, b] = dict.pick(["a", "none", "b"]);
        assert_eq!((a, none), (Some(Value::Int(2)), None));
        assert!(b.unwrap().dict().is_some());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(refused(b""), (ENDS_EARLY, 0));
        assert_eq!(refused(b"x"), ("no value begins with this byte", 0));
        assert_eq!(
            refused(b"li1ei01ee"),
            ("a number begins with a needless zero", 4)
        );
        assert_eq!(
            refused(b"i-0e"),
            ("a number begins with a needless zero", 0)
        );
        assert_eq!(refused(b"i-e"), ("unexpected byte", 2));
        assert_eq!(
            refused(b"i9223372036854775808e"),
            ("a number is too large", 0)
        );
        assert_eq!(refused(b"i12"), (ENDS_EARLY, 3));
        assert_eq!(
            refused(b"d1:a5:spam"),
            ("a string is longer than the data", 4)
        );
        assert_eq!(
            refused(b"99999999999999999999:"),
            ("a string is longer than the data", 0)
        );
        assert_eq!(
            refused(b"04:spam"),
            ("a length begins with a needless zero", 0)
        );
        assert_eq!(refused(b"d1:a"), (ENDS_EARLY, 4));
        assert_eq!(refused(b"d1:ae"), ("no value begins with this byte", 4));
        assert_eq!(refused(b"di1ei1ee"), ("unexpected byte", 1));
        assert_eq!(refused(b"li1e"), (ENDS_EARLY, 4));
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nest = |depth: u32| [b"l".repeat(depth as usize), b"e".repeat(depth as usize)].concat();
        assert!(decode(&nest(limits::BENCODE_DEPTH)).is_ok());
        let (what, at) = refused(&nest(limits::BENCODE_DEPTH + 1));
        assert_eq!(what, "lists and dictionaries are nested too deep");
        assert_eq!(at, limits::BENCODE_DEPTH as usize);
        assert!(
            decode(&b"l".repeat(1 << 20)).is_err(),
            "and the stack is not"
        );
        let many = |values: usize| [&b"l"[..], &b"0:".repeat(values - 1), b"e"].concat();
        assert!(decode(&many(limits::BENCODE_VALUES)).is_ok());
        assert_eq!(
            refused(&many(limits::BENCODE_VALUES + 1)).0,
            "there are too many values"
        );
    }

    #[test]
    fn what_is_encoded_is_canonical_and_reads_back() {
        let text = dict([
            ("spam", list([bytes("a"), bytes(b"\xff")])),
            ("cow", int(i64::MIN)),
            ("", dict([])),
        ]);
        assert_eq!(text, b"d0:de3:cowi-9223372036854775808e4:spaml1:a1:\xffee");
        assert_eq!(
            decode(&text).map(|(value, rest)| (value.dict().unwrap().raw(), rest)),
            Ok((&text[..], &b""[..]))
        );
    }
}
