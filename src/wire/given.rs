//! How a torrent itself spells a name, kept where the file has another name on disk.

use crate::base::{SortedMap, limits};

/// The components of a name as bytes of the torrent: one for the torrent's own name, one or more
/// for a file's path below it.
pub type Components = Vec<Box<[u8]>>;

/// A name as the torrent spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The spelling that counts: that under the key ending in `.utf-8` if there is one.
    pub components: Components,
    /// The spelling under the plain key, where that under `.utf-8` counts and differs from it.
    pub plain: Option<Components>,
}

/// What a torrent says of its names beyond the paths on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The torrent's own name, if it is spelled otherwise than on disk or in two ways.
    pub root: Option<Given>,
    /// The same for each file's path below the torrent's name, by the file's index.
    pub files: SortedMap<usize, Given>,
    /// Where each symbolic link leads (BEP 47's `symlink path`), below the torrent's name, by
    /// index.
    pub links: SortedMap<usize, Box<str>>,
}

impl Given {
    /// Why the path on disk (as far as this name goes) is not what the torrent says, in plain
    /// words; `None` where it is.
    pub fn why(&self, on_disk: &str) -> Option<&'static str> {
        let odd = |test: fn(&[u8]) -> bool| self.components.iter().any(|name| test(name));
        if odd(|name| std::str::from_utf8(name).is_err()) {
            Some("not UTF-8")
        } else if odd(|name| name.contains(&b'/')) {
            Some("a / within a name")
        } else if odd(|name| name.len() > limits::NAME_BYTES) {
            Some("a name of more than 255 bytes")
        } else if self.components.join(&b'/') != on_disk.as_bytes() {
            Some("another file or folder has this name")
        } else {
            None
        }
    }

    /// The torrent's spelling as a text of one line: bytes that are not UTF-8 as `\xNN`.
    pub fn shown(&self) -> String {
        let mut text = String::new();
        for (place, component) in self.components.iter().enumerate() {
            if place > 0 {
                text.push('/');
            }
            for chunk in component.utf8_chunks() {
                text.push_str(chunk.valid());
                let bytes = chunk.invalid().iter();
                bytes.for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_for_another_name_has_its_words() {
        let long = "x".repeat(limits::NAME_BYTES + 1);
        for (names, on_disk, why) in [
            (&[&b"a"[..], b"b"][..], "a/b", None),
            (
                &[b"a", b"b"],
                "a/b.1",
                Some("another file or folder has this name"),
            ),
            (&[b"\xc9", b"b"], "%C9/b", Some("not UTF-8")),
            (&[b"\xc9"], "%C9.1", Some("not UTF-8")),
            (&[b"a/b"], "a%2Fb", Some("a / within a name")),
            (
                &[long.as_bytes()],
                "x~1",
                Some("a name of more than 255 bytes"),
            ),
        ] {
            let given = Given {
                components: names.iter().map(|&name| name.into()).collect(),
                plain: None,
            };
            assert_eq!(given.why(on_disk), why, "{on_disk}");
        }
        let given = Given {
            components: vec![b"\xc9\xcf\\".as_slice().into(), b"b".as_slice().into()],
            plain: None,
        };
        assert_eq!(given.shown(), "\\xc9\\xcf\\/b");
    }
}
