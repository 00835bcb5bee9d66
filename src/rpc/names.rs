//! The names of methods, parameters and fields. There are two generations: the new form has
//! `snake_case` everywhere, the old one dashes in the names of methods and settings, and
//! `camelCase` inside torrents. Everything here is called by its new name.

/// The generation of names that a request uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// Dashes and `camelCase`.
    Old,
    /// `snake_case`.
    New,
}

impl Names {
    /// The new name of what a request calls so. New names are known to the old form, too; old names
    /// mean nothing in the new one.
    pub fn read(self, name: &str) -> String {
        match self {
            Names::New => name.into(),
            Names::Old => snake(name),
        }
    }

    /// What a setting, a parameter or a part of an answer is called.
    pub fn dashed(self, name: &str) -> String {
        match self {
            Names::New => name.into(),
            Names::Old => name.replace('_', "-"),
        }
    }

    /// What a field of a torrent, or of a part of one, is called.
    pub fn joined(self, name: &str) -> String {
        match self {
            Names::New => name.into(),
            Names::Old => camel(name),
        }
    }
}

/// `hashString`, `delete-local-data` and `isUTP` as `hash_string`, `delete_local_data` and
/// `is_utp`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    let mut before_is_capital = true;
    for letter in name.chars() {
        let is_capital = letter.is_ascii_uppercase();
        if is_capital && !before_is_capital {
            out.push('_');
        }
        before_is_capital = is_capital || letter == '-' || letter == '_';
        out.push(match letter {
            '-' => '_',
            other => other.to_ascii_lowercase(),
        });
    }
    out
}

/// `hash_string` as `hashString`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = String::from(words.next().unwrap_or_default());
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_two_generations() {
        for (new, dashed, joined) in [
            ("id", "id", "id"),
            ("hash_string", "hash-string", "hashString"),
            (
                "speed_limit_down_enabled",
                "speed-limit-down-enabled",
                "speedLimitDownEnabled",
            ),
            ("rpc_version", "rpc-version", "rpcVersion"),
        ] {
            assert_eq!(Names::Old.dashed(new), dashed);
            assert_eq!(Names::Old.joined(new), joined);
            for name in [new, dashed, joined] {
                assert_eq!(Names::Old.read(name), new);
                assert_eq!(Names::New.read(name), name);
            }
            assert_eq!(
                (Names::New.dashed(new), Names::New.joined(new)),
                (new.into(), new.into())
            );
        }
        assert_eq!(Names::Old.read("isUTP"), "is_utp");
        assert_eq!(Names::Old.read("recently-active"), "recently_active");
    }
}
