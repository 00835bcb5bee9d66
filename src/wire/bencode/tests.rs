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

/// One beyond each bound: of 64 bits with a sign, and of 64 bits without one.
#[test]
fn numbers_and_lengths_end_at_their_bounds() {
    let largest = decode(b"i9223372036854775807e");
    assert_eq!(largest, Ok((Value::Int(i64::MAX), &b""[..])));
    let large = [
        (&b"i9223372036854775808e"[..], i64::MAX),
        (b"i-9223372036854775809e", i64::MIN),
        (b"i18446744073709551615e", i64::MAX),
        (b"i18446744073709551616e", i64::MAX),
        (b"i-18446744073709551615e", i64::MIN),
        (b"i-18446744073709551616e", i64::MIN),
    ];
    for (text, nearest) in large {
        assert_eq!(refused(text), ("a number is too large", 0));
        let nearest = (Value::Int(nearest), &b""[..]);
        assert_eq!(decode_nearest(text), Ok(nearest), "{}", text.escape_ascii());
    }
    for text in [
        &b"18446744073709551615:"[..],
        b"18446744073709551616:",
        b"18446744073709551615:spam",
        b"18446744073709551616:spam",
    ] {
        assert_eq!(refused(text), ("a string is longer than the data", 0));
    }
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
