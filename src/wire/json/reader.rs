//! The reader: strict, so that what it takes means the same to every other reader.

use std::collections::BTreeSet;

use super::value::Json;
use crate::base::limits;
use crate::wire::{ENDS_EARLY, Malformed, Parsed, Wrong, finish_whole};

/// Reads one value that fills the whole text, white space around it aside. The text is UTF-8, a
/// name stands once in an object, a number is finite. Nesting and the number of values are limited
/// ([`limits::JSON_DEPTH`], [`limits::JSON_VALUES`]).
///
/// # Errors
/// What is wrong, and at which byte.
pub fn read(text: &[u8]) -> Result<Json, Malformed> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err(Malformed {
            what: "bytes that are not UTF-8",
            at: error.valid_up_to(),
        });
    }
    let mut values = limits::JSON_VALUES;
    let whole = value(space(text), limits::JSON_DEPTH, &mut values);
    finish_whole(text, whole.map(|(rest, value)| (space(rest), value)))
}

/// What stands behind white space.
fn space(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let blank = text.iter().take_while(|byte| is_space(byte)).count();
    text.get(blank..).unwrap_or_default()
}

/// What stands behind this byte, if it is the first.
fn strip(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.split_first()
        .filter(|(first, _)| **first == byte)
        .map(|(_, rest)| rest)
}

/// What stands behind white space and this byte; `what` is wrong if it is not there.
fn expect<'a>(text: &'a [u8], byte: u8, what: &'static str) -> Parsed<'a, ()> {
    let text = space(text);
    match strip(text, byte) {
        Some(rest) => Ok((rest, ())),
        None => Wrong::at(text, if text.is_empty() { ENDS_EARLY } else { what }),
    }
}

/// The value that a text begins with. `depth`: the lists and objects that may stand in one another
/// here; `values`: how many more there may be.
fn value<'a>(text: &'a [u8], depth: u32, values: &mut usize) -> Parsed<'a, Json> {
    match values.checked_sub(1) {
        Some(fewer) => *values = fewer,
        None => return Wrong::at(text, "too many values"),
    }
    let words = [
        ("null", Json::Null),
        ("true", Json::Bool(true)),
        ("false", Json::Bool(false)),
    ];
    for (word, value) in words {
        if let Some(rest) = text.strip_prefix(word.as_bytes()) {
            return Ok((rest, value));
        }
    }
    match (text.first(), depth.checked_sub(1)) {
        (Some(b'"'), _) => string(text).map(|(rest, text)| (rest, Json::Text(text))),
        (Some(b'-' | b'0'..=b'9'), _) => number(text),
        (Some(b'[' | b'{'), None) => Wrong::at(text, "too many values one in another"),
        (Some(b'['), Some(depth)) => list(text, depth, values),
        (Some(b'{'), Some(depth)) => object(text, depth, values),
        (Some(_), _) => Wrong::at(text, "no value begins like this"),
        (None, _) => Wrong::at(text, ENDS_EARLY),
    }
}

fn list<'a>(text: &'a [u8], depth: u32, values: &mut usize) -> Parsed<'a, Json> {
    let mut items = Vec::new();
    let (mut rest, ()) = expect(text, b'[', "no list")?;
    if let Some(rest) = strip(space(rest), b']') {
        return Ok((rest, Json::List(items)));
    }
    loop {
        let (behind, item) = value(space(rest), depth, values)?;
        items.push(item);
        if let Some(rest) = strip(space(behind), b']') {
            return Ok((rest, Json::List(items)));
        }
        (rest, ()) = expect(behind, b',', "neither a comma nor the list's end")?;
    }
}

fn object<'a>(text: &'a [u8], depth: u32, values: &mut usize) -> Parsed<'a, Json> {
    let mut members = Vec::new();
    let mut names = BTreeSet::new();
    let (mut rest, ()) = expect(text, b'{', "no object")?;
    if let Some(rest) = strip(space(rest), b'}') {
        return Ok((rest, Json::Object(members)));
    }
    loop {
        let at = space(rest);
        let (behind, name) = match at.first() {
            Some(b'"') => string(at)?,
            Some(_) => return Wrong::at(at, "no name begins like this"),
            None => return Wrong::at(at, ENDS_EARLY),
        };
        if !names.insert(name.clone()) {
            return Wrong::at(at, "a name stands twice in an object");
        }
        let (behind, ()) = expect(behind, b':', "no colon behind the name")?;
        let (behind, value) = value(space(behind), depth, values)?;
        members.push((name, value));
        if let Some(rest) = strip(space(behind), b'}') {
            return Ok((rest, Json::Object(members)));
        }
        (rest, ()) = expect(behind, b',', "neither a comma nor the object's end")?;
    }
}

/// RFC 8259, section 6: no leading zeros, no `+` in front, digits on both sides of a point.
fn number(text: &[u8]) -> Parsed<'_, Json> {
    let digits = |from: &[u8]| from.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let from = |at: usize| text.get(at..).unwrap_or_default();
    let mut end = usize::from(text.first() == Some(&b'-'));
    let first = from(end);
    let whole = digits(first);
    if whole == 0 || (whole > 1 && first.first() == Some(&b'0')) {
        return Wrong::at(text, "a number that is written wrongly");
    }
    end = end.saturating_add(whole);
    let is_whole = !matches!(from(end).first(), Some(b'.' | b'e' | b'E'));
    if from(end).first() == Some(&b'.') {
        let fraction = digits(from(end.saturating_add(1)));
        if fraction == 0 {
            return Wrong::at(text, "a number that is written wrongly");
        }
        end = end.saturating_add(1).saturating_add(fraction);
    }
    if matches!(from(end).first(), Some(b'e' | b'E')) {
        end = end.saturating_add(1);
        end = end.saturating_add(usize::from(matches!(from(end).first(), Some(b'+' | b'-'))));
        let exponent = digits(from(end));
        if exponent == 0 {
            return Wrong::at(text, "a number that is written wrongly");
        }
        end = end.saturating_add(exponent);
    }
    let written = text.get(..end).map(std::str::from_utf8);
    let Some(Ok(written)) = written else {
        return Wrong::at(text, "a number that is written wrongly");
    };
    let integer = written.parse().ok().filter(|_| is_whole);
    match (integer, written.parse::<f64>()) {
        (Some(integer), _) => Ok((from(end), Json::Whole(integer))),
        (None, Ok(real)) if real.is_finite() => Ok((from(end), Json::Real(real))),
        _ => Wrong::at(text, "a number that is too large"),
    }
}

/// A string, from its quote on.
fn string(text: &[u8]) -> Parsed<'_, String> {
    let mut out = String::new();
    let (mut rest, ()) = expect(text, b'"', "no string")?;
    loop {
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let plain = rest.iter().take_while(|byte| !special(byte)).count();
        // All of it is UTF-8, and the special bytes stand between letters.
        let letters = rest.get(..plain).unwrap_or_default();
        out.push_str(&String::from_utf8_lossy(letters));
        rest = rest.get(plain..).unwrap_or_default();
        match rest {
            [b'"', rest @ ..] => return Ok((rest, out)),
            [b'\\', ..] => {
                let (behind, letter) = escaped(rest)?;
                out.push(letter);
                rest = behind;
            }
            [_, ..] => return Wrong::at(rest, "a control character in a string"),
            [] => return Wrong::at(rest, ENDS_EARLY),
        }
    }
}

/// The letter that an escape stands for, from its backslash on.
fn escaped(text: &[u8]) -> Parsed<'_, char> {
    let (letter, rest) = match text {
        [_, b'u', ..] => return escaped_units(text),
        [_, same @ (b'"' | b'\\' | b'/'), rest @ ..] => (char::from(*same), rest),
        [_, b'b', rest @ ..] => ('\u{8}', rest),
        [_, b'f', rest @ ..] => ('\u{c}', rest),
        [_, b'n', rest @ ..] => ('\n', rest),
        [_, b'r', rest @ ..] => ('\r', rest),
        [_, b't', rest @ ..] => ('\t', rest),
        [_, _, ..] => return Wrong::at(text, "no such escape"),
        _ => return Wrong::at(&[], ENDS_EARLY),
    };
    Ok((rest, letter))
}

/// A letter as `\uXXXX`, or two of them: a surrogate pair.
fn escaped_units(text: &[u8]) -> Parsed<'_, char> {
    let (rest, first) = unit(text)?;
    let mut units = vec![first];
    let mut rest = rest;
    if (0xd800..0xdc00).contains(&first) && rest.starts_with(b"\\u") {
        let (behind, second) = unit(rest)?;
        units.push(second);
        rest = behind;
    }
    let mut letters = char::decode_utf16(units);
    match (letters.next(), letters.next()) {
        (Some(Ok(letter)), None) => Ok((rest, letter)),
        _ => Wrong::at(text, "half a surrogate pair"),
    }
}

/// One `\uXXXX`.
fn unit(text: &[u8]) -> Parsed<'_, u16> {
    let digits = text.get(2..6).unwrap_or_default();
    if digits.len() < 4 {
        return Wrong::at(&[], ENDS_EARLY);
    }
    let mut unit: u16 = 0;
    for digit in digits {
        match char::from(*digit).to_digit(16) {
            Some(value) => unit = (unit << 4) | value as u16,
            None => return Wrong::at(text, "an escape without four hex digits"),
        }
    }
    Ok((text.get(6..).unwrap_or_default(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        for (text, written) in [
            ("null", "null"),
            (" \t\r\n[true , false]\n", "[true,false]"),
            ("0", "0"),
            ("-0", "0"),
            ("-17", "-17"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9.223372036854776e18"),
            ("1.0", "1.0"),
            ("1e3", "1000.0"),
            ("-1.5E-2", "-0.015"),
            ("\"\"", "\"\""),
            (
                r#""\"\\\/\b\f\n\r\t\u0041\u00e9é""#,
                r#""\"\\/\u0008\u000c\n\r\tAéé""#,
            ),
            (r#""\ud83c\udfb5""#, "\"🎵\""),
            (r#"{}"#, "{}"),
            (
                r#"{ "b" : 1 , "a" : [ ] , "" : { "a" : 2 } }"#,
                r#"{"b":1,"a":[],"":{"a":2}}"#,
            ),
        ] {
            let read = read(text.as_bytes()).map(|value| value.to_string());
            assert_eq!(read, Ok(String::from(written)), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_place_and_reason() {
        for (text, what, at) in [
            ("", ENDS_EARLY, 0),
            ("  ", ENDS_EARLY, 2),
            ("nul", "no value begins like this", 0),
            ("truefalse", "there are bytes too many", 4),
            ("{} x", "there are bytes too many", 3),
            ("[1,]", "no value begins like this", 3),
            ("[1 2]", "neither a comma nor the list's end", 3),
            ("[1", ENDS_EARLY, 2),
            ("{\"a\":1,}", "no name begins like this", 7),
            ("{a:1}", "no name begins like this", 1),
            ("{\"a\" 1}", "no colon behind the name", 5),
            (
                "{\"a\":1 \"b\":2}",
                "neither a comma nor the object's end",
                7,
            ),
            ("{\"a\":1,\"a\":2}", "a name stands twice in an object", 7),
            ("01", "a number that is written wrongly", 0),
            ("[-]", "a number that is written wrongly", 1),
            ("+1", "no value begins like this", 0),
            ("1.", "a number that is written wrongly", 0),
            (".5", "no value begins like this", 0),
            ("1e", "a number that is written wrongly", 0),
            ("1e999", "a number that is too large", 0),
            ("NaN", "no value begins like this", 0),
            ("'a'", "no value begins like this", 0),
            ("\"a", ENDS_EARLY, 2),
            ("\"a\nb\"", "a control character in a string", 2),
            ("\"\\x\"", "no such escape", 1),
            ("\"\\", ENDS_EARLY, 2),
            ("\"\\u12", ENDS_EARLY, 5),
            ("\"\\u12x4\"", "an escape without four hex digits", 1),
            ("\"\\ud800\"", "half a surrogate pair", 1),
            ("\"\\udc00\"", "half a surrogate pair", 1),
            ("\"\\ud800\\u0041\"", "half a surrogate pair", 1),
            ("\u{feff}1", "no value begins like this", 0),
        ] {
            assert_eq!(read(text.as_bytes()), Err(Malformed { what, at }), "{text}");
        }
        let broken = read(b"\"ab\xff\"").unwrap_err();
        assert_eq!(broken.to_string(), "bytes that are not UTF-8 at byte 3");
    }

    #[test]
    fn nesting_and_values_are_limited() {
        let nest = |depth: u32| ["[".repeat(depth as usize), "]".repeat(depth as usize)].concat();
        assert!(read(nest(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(read(nest(limits::JSON_DEPTH + 1).as_bytes()).is_err());
        // The list itself is one of them.
        let many = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
        assert!(read(many(limits::JSON_VALUES).as_bytes()).is_ok());
        assert!(read(many(limits::JSON_VALUES + 1).as_bytes()).is_err());
    }
}
