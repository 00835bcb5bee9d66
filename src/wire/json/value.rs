//! A JSON value as a tree, and how it is written.

use std::fmt;

use super::text::write_quoted;

/// A JSON value. Whole numbers and others are told apart, since some programs that read our JSON do
/// so, too: `1` and `1.0` stay what they were.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without fraction and exponent.
    Whole(i64),
    /// Any other number; what is not finite is written as `null`.
    Real(f64),
    /// A string.
    Text(String),
    /// `[…]`
    List(Vec<Json>),
    /// `{…}`: members in the order of the text.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object with these members.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
        let members = members.into_iter();
        Json::Object(members.map(|(key, value)| (key.into(), value)).collect())
    }

    /// A count: 2⁶³ − 1 stands for all that is larger.
    pub fn count(count: impl TryInto<i64>) -> Json {
        Json::Whole(count.try_into().unwrap_or(i64::MAX))
    }

    /// A member of an object, if this is one and has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        let mut members = self.members()?.iter();
        members.find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The members, if this is an object.
    pub fn members(&self) -> Option<&[(String, Json)]> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn items(&self) -> Option<&[Json]> {
        match self {
            Json::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one that was written without fraction and exponent.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Json::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if this is one of any kind.
    pub fn number(&self) -> Option<f64> {
        match self {
            Json::Whole(number) => Some(*number as f64),
            Json::Real(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth, if this is `true` or `false`.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Json::Bool(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Json {
        Json::Bool(truth)
    }
}

/// In one line, without spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(truth) => write!(f, "{truth}"),
            Json::Whole(number) => write!(f, "{number}"),
            // The shortest text that is read as the same number, with a point or an exponent.
            Json::Real(number) if number.is_finite() => write!(f, "{number:?}"),
            Json::Real(_) => f.write_str("null"),
            Json::Text(text) => write_quoted(f, text),
            Json::List(items) => {
                let mut before = "[";
                for item in items {
                    write!(f, "{before}{item}")?;
                    before = ",";
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Json::Object(members) => {
                let mut before = "{";
                for (key, value) in members {
                    f.write_str(before)?;
                    write_quoted(f, key)?;
                    write!(f, ":{value}")?;
                    before = ",";
                }
                f.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_one_line() {
        let value = Json::object([
            ("n", Json::Null),
            ("b", true.into()),
            ("w", Json::count(7_u32)),
            ("most", Json::count(u64::MAX)),
            ("r", Json::Real(1.0)),
            ("small", Json::Real(1e-7)),
            ("none", Json::Real(f64::NAN)),
            ("t", "a\"\n".into()),
            (
                "l",
                Json::List(vec![Json::List(Vec::new()), Json::Real(0.5)]),
            ),
            ("o", Json::Object(Vec::new())),
        ]);
        assert_eq!(
            value.to_string(),
            r#"{"n":null,"b":true,"w":7,"most":9223372036854775807,"r":1.0,"small":1e-7,"#
                .to_owned()
                + r#""none":null,"t":"a\"\n","l":[[],0.5],"o":{}}"#
        );
        assert_eq!(value.get("w").and_then(Json::whole), Some(7));
        assert_eq!(value.get("r").and_then(Json::whole), None);
        assert_eq!(value.get("r").and_then(Json::number), Some(1.0));
        assert_eq!((value.get("x"), Json::Null.get("x")), (None, None));
    }
}
