//! The words of a command line, taken one by one.

use super::Failure;

/// What is left of a command line.
pub struct Args(std::vec::IntoIter<String>);

impl Args {
    /// The arguments of this process. Cargo adds `--bench`, which says nothing.
    pub fn of_process() -> Args {
        let words = std::env::args().skip(1).filter(|word| word != "--bench");
        Args(words.collect::<Vec<_>>().into_iter())
    }

    /// The next word, which stays there.
    pub fn peek(&self) -> Option<&str> {
        self.0.as_slice().first().map(String::as_str)
    }

    /// Without the next word.
    pub fn skip(mut self) -> Args {
        self.0.next();
        self
    }

    /// The next word, if there is one.
    pub fn option(&mut self) -> Option<String> {
        self.0.next()
    }

    /// The next word; `what` is what it should be.
    pub fn next(&mut self, what: &str) -> Result<String, Failure> {
        Ok(self.0.next().ok_or_else(|| format!("{what} is missing"))?)
    }

    /// The next word as a number.
    pub fn number(&mut self, what: &str) -> Result<u64, Failure> {
        let word = self.next(what)?;
        Ok(word
            .parse()
            .map_err(|_| format!("{what}: {word}: no number"))?)
    }

    /// All words that are left.
    pub fn rest(self) -> Vec<String> {
        self.0.collect()
    }
}
