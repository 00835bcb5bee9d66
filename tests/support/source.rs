//! Rust source as the rules of the house see it: code apart from comments, literals and tests. No
//! parser, but enough of a lexer.

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// Path below `src`, such as `peer/phase.rs`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The same lines with comments, the insides of literals, and `#[cfg(test)]` items blanked out.
    pub code: String,
}

impl Source {
    /// Reads a file's text.
    pub fn new(path: String, text: String) -> Source {
        let code = without_tests(&without_literals(&text));
        Source { path, text, code }
    }

    /// The top-level module that this file belongs to.
    pub fn folder(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The path of this file's module below the crate, such as `["peer", "phase"]`.
    pub fn module(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut parts: Vec<&str> = path.split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    /// Every path in the code (`use` groups taken apart), with the line that it is on, counted from
    /// 1.
    pub fn paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let bytes = self.code.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if !is_word(bytes[at]) || (at > 0 && (is_word(bytes[at - 1]) || bytes[at - 1] == b'\''))
            {
                at += 1;
                continue;
            }
            let line = 1 + self.code[..at].matches('\n').count();
            let end = expand(&self.code, at, "", &mut |path| found.push((line, path)));
            at = end.max(at + 1);
        }
        found
    }

    /// The same lines with comments and the insides of literals blanked out, tests included.
    pub fn bare(&self) -> String {
        without_literals(&self.text)
    }

    /// Functions with a body: name, first line (counted from 1), and number of lines.
    pub fn functions(&self) -> Vec<(String, usize, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            if at > 0 && is_word(self.code.as_bytes()[at - 1]) {
                continue;
            }
            let rest = &self.code[at + 3..];
            let name: String = rest.chars().take_while(|c| is_word(*c as u8)).collect();
            let body = rest
                .find(['{', ';'])
                .filter(|&end| rest.as_bytes()[end] == b'{');
            if let (false, Some(body)) = (name.is_empty(), body) {
                let lines = rest[..block_end(rest, body)].matches('\n').count() + 1;
                found.push((name, 1 + self.code[..at].matches('\n').count(), lines));
            }
        }
        found
    }

    /// Whether this file only lists the modules of a folder and passes on their names.
    pub fn is_index(&self) -> bool {
        self.path.ends_with("mod.rs") || self.folder() == "lib"
    }

    /// The files and folders that this index lists, in its order.
    pub fn children(&self) -> Vec<String> {
        after_word(&self.code, "mod")
            .filter_map(|rest| rest.split_once(';'))
            .map(|(name, _)| name.to_string())
            .filter(|name| name.bytes().all(is_word))
            .collect()
    }

    /// Structs with named fields: name, and how many fields.
    pub fn structs(&self) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for rest in after_word(&self.code, "struct") {
            let name: String = rest.chars().take_while(|c| is_word(*c as u8)).collect();
            let body = rest.find(['{', ';']);
            let Some(open) = body.filter(|&at| rest.as_bytes()[at] == b'{') else {
                continue;
            };
            // In `struct Pair(…);` a brace that follows belongs to something else.
            if rest[..open].contains('(') && !rest[..open].contains("where") {
                continue;
            }
            let inside = &rest[open + 1..block_end(rest, open)];
            found.push((name, count_fields(inside)));
        }
        found
    }

    /// Types that an `impl` of their own, not of a trait, stands in this file for; each as often as
    /// it does.
    pub fn inherent_impls(&self) -> Vec<String> {
        let mut found = Vec::new();
        for rest in after_word(&self.code, "impl") {
            let Some(open) = rest.find(['{', ';']) else {
                continue;
            };
            let head = rest[..open].trim();
            if rest.as_bytes()[open] != b'{' || has_word(head, "for") {
                continue;
            }
            let head = head.strip_prefix('<').map_or(head, after_generics).trim();
            let name: String = head.chars().take_while(|c| is_word(*c as u8)).collect();
            found.push(name);
        }
        found
    }

    /// Lines (counted from 1) with an `if` or `while` that chains a `let` to something else.
    pub fn let_chains(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for keyword in ["if let ", "while let ", "&& let "] {
            for (at, _) in self.code.match_indices(keyword) {
                let mut depth = 0;
                let mut chained = keyword.starts_with('&');
                let rest = &self.code[at + keyword.len()..];
                for (place, byte) in rest.bytes().enumerate() {
                    match byte {
                        b'(' | b'[' => depth += 1,
                        b')' | b']' => depth -= 1,
                        b'{' if depth == 0 => break,
                        b'&' if depth == 0 => chained |= rest[place..].starts_with("&& "),
                        _ => {}
                    }
                }
                if chained {
                    found.push(1 + self.code[..at].matches('\n').count());
                }
            }
        }
        found
    }
}

/// Whether a word stands in a text on its own, not as part of a longer one.
pub fn has_word(text: &str, word: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).map(|place| bytes[place]);
        let after = bytes.get(at + word.len());
        let joins = |edge: Option<&u8>, end: u8| is_word(end) && edge.is_some_and(|&b| is_word(b));
        !joins(before.as_ref(), word.as_bytes()[0])
            && !joins(after, word.as_bytes()[word.len() - 1])
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What follows a keyword that begins a line (after `pub` and the like), wherever it does.
fn after_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(word).filter_map(move |(at, _)| {
        let line = code[..at].rfind('\n').map_or(0, |place| place + 1);
        let before = code[line..at].trim();
        let rest = &code[at + word.len()..];
        let item = before.is_empty() || before.starts_with("pub") && !before.contains(' ');
        (item && rest.starts_with([' ', '<'])).then(|| rest.trim_start_matches(' '))
    })
}

/// What follows generic parameters whose `<` was taken off.
fn after_generics(text: &str) -> &str {
    let mut depth = 1;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
        before = letter;
    }
    ""
}

/// Fields between the braces of a struct.
fn count_fields(inside: &str) -> usize {
    let (mut depth, mut fields, mut begun, mut before) = (0, 0, false, ' ');
    for letter in inside.chars() {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            ',' if depth == 0 => {
                fields += usize::from(begun);
                begun = false;
            }
            _ => begun |= !letter.is_whitespace(),
        }
        before = letter;
    }
    fields + usize::from(begun)
}

/// Reads a path that begins at `at`, each branch of a group in braces on its own; returns where it
/// ends.
fn expand(code: &str, at: usize, prefix: &str, found: &mut dyn FnMut(String)) -> usize {
    let rest = &code[at..];
    let word: String = rest.chars().take_while(|c| is_word(*c as u8)).collect();
    let path = format!("{prefix}{word}");
    let mut end = at + word.len();
    let Some(after) = code[end..].strip_prefix("::") else {
        found(path);
        return end;
    };
    end += 2;
    if !after.starts_with('{') {
        if after.starts_with(|c| is_word(c as u8)) {
            return expand(code, end, &format!("{path}::"), found);
        }
        found(path);
        return end;
    }
    end += 1;
    loop {
        end += code[end..].len() - code[end..].trim_start().len();
        match code.as_bytes().get(end) {
            Some(&byte) if is_word(byte) => {
                end = expand(code, end, &format!("{path}::"), found);
            }
            Some(b'}') | None => return end + 1,
            Some(_) => end += 1,
        }
    }
}

/// Where the block that opens at `open` ends.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (place, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place;
        }
    }
    code.len()
}

fn without_tests(code: &str) -> String {
    let mut out = code.to_string();
    while let Some(start) = out.find("#[cfg(test)]") {
        let rest = &out[start..];
        let end = match rest.find(['{', ';']) {
            Some(end) if rest.as_bytes()[end] == b'{' => block_end(rest, end) + 1,
            Some(end) => end + 1,
            None => rest.len(),
        };
        let blank = blanked(&out[start..(start + end).min(out.len())]);
        out.replace_range(start..start + blank.len(), &blank);
    }
    out
}

/// The same number of bytes and lines with nothing on them.
fn blanked(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let whole_word = at == 0 || !is_word(text.as_bytes()[at - 1]);
        let (kept, dropped) = match rest.as_bytes()[0] {
            b'/' if rest.starts_with("//") => (0, rest.find('\n').unwrap_or(rest.len())),
            b'/' if rest.starts_with("/*") => (0, comment_end(rest)),
            b'"' => (0, string_end(rest)),
            b'b' | b'r' if whole_word && raw_string(rest).is_some() => {
                (0, raw_string(rest).unwrap_or(1))
            }
            b'\'' => (0, character_end(rest)),
            byte => (utf8_length(byte), 0),
        };
        if dropped > 0 {
            // A quote remains, so that a literal is still seen to be one.
            out.push(if rest.starts_with('/') { ' ' } else { '"' });
            out += &blanked(&rest[1..dropped]);
        } else {
            out += &blanked_beyond_ascii(&rest[..kept]);
        }
        at += kept + dropped;
    }
    out
}

fn blanked_beyond_ascii(text: &str) -> String {
    if text.is_ascii() {
        text.into()
    } else {
        blanked(text)
    }
}

fn utf8_length(first: u8) -> usize {
    match first {
        ..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// Block comments nest.
fn comment_end(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 1;
        } else if text.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 1;
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a string that begins with `r`, `b`, `br` and hashes, if this is one.
fn raw_string(text: &str) -> Option<usize> {
    let letters = text.find(|c| c != 'b' && c != 'r')?;
    if letters > 2 {
        return None;
    }
    if !text[..letters].contains('r') {
        return match text.as_bytes()[letters] {
            b'"' => Some(letters + string_end(&text[letters..])),
            b'\'' => Some(letters + character_end(&text[letters..])),
            _ => None,
        };
    }
    let hashes = text[letters..].find(|c| c != '#')?;
    let body = text[letters + hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(letters + hashes + 1 + body.find(&close)? + close.len())
}

/// A character literal's length; 1 for the tick of a lifetime.
fn character_end(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(1, |end| {
            // In '\'' the first tick found is the escaped one.
            if end == 0 { 4 } else { end + 3 }
        }),
        Some(_) => match letters.next() {
            Some((place, '\'')) => place + 1,
            _ => 1,
        },
        None => 1,
    }
}
