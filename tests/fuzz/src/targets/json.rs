//! Any text as JSON: what is read stays within its limits, is written and read again the same, and
//! another reader reads it the same.

use brooklet::base::limits;
use brooklet::wire::json::{Json, read};

use super::super::json;

/// Fails where a promise is broken.
pub fn run(text: &[u8]) {
    match read(text) {
        Ok(value) => {
            assert!(depth(&value) <= limits::JSON_DEPTH, "nesting is limited");
            let written = value.to_string();
            assert_eq!(read(written.as_bytes()), Ok(value.clone()), "{written}");
            for text in [std::str::from_utf8(text).unwrap(), &written] {
                let other = json::Json::parse(text).expect("what we take is JSON");
                assert!(is_same(&value, &other), "{value} {other:?}");
            }
        }
        Err(malformed) => assert!(malformed.at <= text.len(), "{malformed}"),
    }
}

fn depth(value: &Json) -> u32 {
    let inside = match value {
        Json::List(items) => items.iter().map(depth).max(),
        Json::Object(members) => members.iter().map(|(_, value)| depth(value)).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

fn is_same(ours: &Json, other: &json::Json) -> bool {
    match (ours, other) {
        (Json::Null, json::Json::Null) => true,
        (Json::Bool(ours), json::Json::Bool(other)) => ours == other,
        (Json::Whole(_) | Json::Real(_), json::Json::Number(other)) => {
            ours.number() == Some(*other)
        }
        (Json::Text(ours), json::Json::Text(other)) => ours == other,
        (Json::List(ours), json::Json::List(other)) => {
            ours.len() == other.len() && ours.iter().zip(other).all(|(o, t)| is_same(o, t))
        }
        (Json::Object(ours), json::Json::Object(other)) => {
            let same = |(name, value): &(String, Json)| {
                other.get(name).is_some_and(|other| is_same(value, other))
            };
            ours.len() == other.len() && ours.iter().all(same)
        }
        _ => false,
    }
}
