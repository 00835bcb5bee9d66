//! JSON objects that are written as text at once, and how a string is written.

use std::fmt::{self, Write};

use crate::base::is_unsafe;

/// One JSON object under construction. Keys come out in the order of the calls.
#[derive(Debug, Clone)]
pub struct Object(String);

impl Object {
    /// `{}`.
    pub fn new() -> Object {
        Object(String::from("{"))
    }

    /// A string, escaped; `None` is `null`.
    pub fn text<'a>(self, key: &str, value: impl Into<Option<&'a str>>) -> Object {
        match value.into() {
            Some(value) => self.raw(key, &quoted(value)),
            None => self.raw(key, "null"),
        }
    }

    /// A number or a boolean.
    pub fn plain(self, key: &str, value: impl ToString) -> Object {
        self.raw(key, &value.to_string())
    }

    /// A list of finished values.
    pub fn list(self, key: &str, values: impl IntoIterator<Item = String>) -> Object {
        self.raw(key, &array(values))
    }

    /// A value that is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// The object's text, in one line.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

impl Default for Object {
    fn default() -> Object {
        Object::new()
    }
}

/// A list of finished values as JSON text.
pub fn array(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}

/// A string as JSON text.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    // A `String` takes all that is written to it.
    let _ = write_quoted(&mut out, text);
    out
}

/// Writes a string as JSON text.
pub(super) fn write_quoted(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for letter in text.chars() {
        match letter {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\t' => out.write_str("\\t")?,
            '\r' => out.write_str("\\r")?,
            // A program that reads it gets the letter; a terminal that shows it is not deceived.
            c if is_unsafe(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_one_line_and_escaped() {
        let text = Object::new()
            .text("a\"b", "x\\y\n\u{1}é\u{202e}\u{e0041}")
            .text("none", None)
            .plain("n", 7)
            .list("l", [quoted("q"), String::from("true")])
            .finish();
        assert_eq!(
            text,
            r#"{"a\"b":"x\\y\n\u0001é\u202e\udb40\udc41","none":null,"n":7,"l":["q",true]}"#
        );
        assert_eq!(Object::new().finish(), "{}");
    }
}
