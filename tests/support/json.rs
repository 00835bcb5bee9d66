//! Reads JSON (RFC 8259), as strictly as a test of what is written should: a reader apart from the
//! program's own (`wire/json/`), so that the two can be held against each other.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; exact up to 2⁵³.
    Number(f64),
    /// A string.
    Text(String),
    /// `[…]`
    List(Vec<Json>),
    /// `{…}`
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads one value that fills the whole text.
    pub fn parse(text: &str) -> Result<Json, String> {
        let mut reader = Reader {
            rest: text.chars().peekable(),
        };
        let value = reader.value()?;
        reader.space();
        match reader.rest.next() {
            None => Ok(value),
            Some(letter) => Err(format!("{letter:?} after the value")),
        }
    }

    /// A member of an object; panics if this is no object or has no such member.
    pub fn get(&self, key: &str) -> &Json {
        self.find(key)
            .unwrap_or_else(|| panic!("no {key:?} in {self:?}"))
    }

    /// A member of an object, if this is one and has it.
    pub fn find(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.get(key),
            _ => None,
        }
    }

    /// The text of a string; panics on anything else.
    pub fn text(&self) -> &str {
        match self {
            Json::Text(text) => text,
            other => panic!("no string: {other:?}"),
        }
    }

    /// The value of a number; panics on anything else.
    pub fn number(&self) -> f64 {
        match self {
            Json::Number(number) => *number,
            other => panic!("no number: {other:?}"),
        }
    }

    /// A number that counts something; panics on anything else.
    pub fn count(&self) -> u64 {
        let number = self.number();
        assert!(number >= 0.0 && number.fract() == 0.0, "no count: {number}");
        number as u64
    }

    /// The items of a list; panics on anything else.
    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            other => panic!("no list: {other:?}"),
        }
    }

    /// Whether this is `true`; panics if it is not a boolean.
    pub fn is_true(&self) -> bool {
        match self {
            Json::Bool(value) => *value,
            other => panic!("no boolean: {other:?}"),
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn space(&mut self) {
        while self
            .rest
            .next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r'))
            .is_some()
        {}
    }

    fn take(&mut self, wanted: char) -> Result<(), String> {
        self.space();
        match self.rest.next() {
            Some(letter) if letter == wanted => Ok(()),
            other => Err(format!("{other:?} where {wanted:?} is due")),
        }
    }

    fn value(&mut self) -> Result<Json, String> {
        self.space();
        match self.rest.peek() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some('"') => Ok(Json::Text(self.string()?)),
            Some(_) => self.plain(),
            None => Err("the text ends".into()),
        }
    }

    fn plain(&mut self) -> Result<Json, String> {
        let mut word = String::new();
        while let Some(letter) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        {
            word.push(letter);
        }
        match word.as_str() {
            "null" => Ok(Json::Null),
            "true" => Ok(Json::Bool(true)),
            "false" => Ok(Json::Bool(false)),
            number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => number
                .parse()
                .map(Json::Number)
                .map_err(|why| format!("{number}: {why}")),
            other => Err(format!("no value: {other:?}")),
        }
    }

    fn list(&mut self) -> Result<Json, String> {
        let mut items = Vec::new();
        self.take('[')?;
        self.space();
        if self.rest.next_if_eq(&']').is_some() {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.rest.next_if_eq(&']').is_some() {
                return Ok(Json::List(items));
            }
            self.take(',')?;
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        let mut members = BTreeMap::new();
        self.take('{')?;
        self.space();
        if self.rest.next_if_eq(&'}').is_some() {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.take(':')?;
            let value = self.value()?;
            if members.insert(key.clone(), value).is_some() {
                return Err(format!("{key:?} twice"));
            }
            self.space();
            if self.rest.next_if_eq(&'}').is_some() {
                return Ok(Json::Object(members));
            }
            self.take(',')?;
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let mut units = Vec::new();
        self.take('"')?;
        loop {
            let letter = self.rest.next().ok_or("the string does not end")?;
            let plain = match letter {
                '"' => {
                    return String::from_utf16(&units).map_err(|why| why.to_string());
                }
                '\\' => match self.rest.next().ok_or("the string does not end")? {
                    'u' => {
                        units.push(self.unit()?);
                        continue;
                    }
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    same @ ('"' | '\\' | '/') => same,
                    other => return Err(format!("no escape: {other:?}")),
                },
                control if control < ' ' => return Err(format!("{control:?} in a string")),
                other => other,
            };
            units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
        }
    }

    fn unit(&mut self) -> Result<u16, String> {
        let digits: String = self.rest.by_ref().take(4).collect();
        u16::from_str_radix(&digits, 16).map_err(|why| format!("\\u{digits}: {why}"))
    }
}
