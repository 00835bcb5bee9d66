//! Any text: what is read is written again byte by byte, and stays within its limits.

use brooklet::base::limits;
use brooklet::wire::bencode::{self, Value, decode};

/// Fails where a promise is broken.
pub fn run(text: &[u8]) {
    match decode(text) {
        Ok((value, rest)) => {
            let read = &text[..text.len() - rest.len()];
            let mut written = Vec::new();
            write(value, limits::BENCODE_DEPTH, &mut written);
            assert_eq!(
                read, written,
                "numbers are strict, so there is one way to write each"
            );
        }
        Err(malformed) => assert!(malformed.at <= text.len(), "{malformed}"),
    }
}

/// Writes a value as it stands in its text, keys unsorted.
fn write(value: Value<'_>, depth: u32, out: &mut Vec<u8>) {
    let start = out.len();
    let nested = matches!(value, Value::List(_) | Value::Dict(_));
    assert!(depth > 0 || !nested, "nesting is limited");
    match value {
        Value::Int(number) => out.extend(bencode::int(number)),
        Value::Bytes(bytes) => out.extend(bencode::bytes(bytes)),
        Value::List(list) => {
            out.push(b'l');
            list.iter().for_each(|item| write(item, depth - 1, out));
            out.push(b'e');
        }
        Value::Dict(dict) => {
            out.push(b'd');
            for (key, value) in dict.iter() {
                out.extend(bencode::bytes(key));
                write(value, depth - 1, out);
                assert!(dict.get(key).is_some());
            }
            out.push(b'e');
            assert_eq!(dict.raw(), &out[start..]);
        }
    }
}
