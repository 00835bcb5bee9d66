//! A tracker's answer over HTTP, gathered as it comes in: it is read whole, and nothing is kept
//! that is longer than [`limits::HTTP_REPLY`].

use crate::base::limits;
use crate::http::{Head, Part, Reader};

/// An answer of which some came in.
#[derive(Debug)]
pub struct Gathered {
    reader: Reader,
    head: Option<Head>,
    body: Vec<u8>,
}

impl Gathered {
    /// Nothing so far.
    pub fn new() -> Gathered {
        Gathered {
            reader: Reader::new(limits::HTTP_REPLY),
            head: None,
            body: Vec::new(),
        }
    }

    /// Takes bytes; true when the answer is whole. Bytes behind it are ignored.
    ///
    /// # Errors
    /// What is wrong, in a few words. Nothing is to be taken afterwards.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<bool, String> {
        while let Some(part) = self.reader.next(&mut bytes)? {
            match part {
                Part::Head(head) => self.head = Some(head),
                Part::Body(piece) => self.body.extend_from_slice(piece),
                Part::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The connection has ended in order.
    ///
    /// # Errors
    /// The answer is not whole.
    pub fn end(&self) -> Result<(), String> {
        self.reader.end()
    }

    /// Bytes of the whole answer, if the connection may be used again behind it.
    pub fn kept_length(&self) -> Option<u64> {
        let head = self.head.as_ref()?;
        head.persists.then(|| self.reader.taken())
    }

    /// Head and body of the whole answer.
    pub fn into_answer(self) -> Option<(Head, Vec<u8>)> {
        Some((self.head?, self.body))
    }
}
