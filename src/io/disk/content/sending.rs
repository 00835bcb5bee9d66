//! Reading content that is to be sent. What was read is only good once [`Sending::vouch`] says that
//! the files are still those that were verified.

use std::io::IoSliceMut;
use std::sync::Arc;

use super::content_files::ContentFiles;
use crate::io::disk::disk_error::{DiskError, Why};
use crate::io::disk::handles::pinned::Change;
use crate::io::disk::handles::pool::Handle;
use crate::io::disk::handles::stat;
use crate::storage::{Layout, Span};

/// What is read to be sent at one time.
#[derive(Debug)]
pub struct Sending<'a> {
    content: &'a mut ContentFiles,
    layout: Arc<Layout>,
    /// A thread of ours writes to these files meanwhile.
    writing: bool,
    /// The file that was read last.
    file: Option<(usize, Arc<Handle>)>,
    /// A file that was read and is not what it was, or cannot be looked at.
    other: Option<(usize, DiskError)>,
}

impl<'a> Sending<'a> {
    /// Nothing is read yet. `writing`: a thread of ours writes to these files meanwhile.
    pub fn new(content: &'a mut ContentFiles, writing: bool) -> Sending<'a> {
        Sending {
            layout: Arc::clone(&content.layout),
            content,
            writing,
            file: None,
            other: None,
        }
    }

    /// Where the files lie in the content.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Fills `buffer` with the bytes from `offset` in the content on. Padding reads as zeros.
    ///
    /// # Errors
    /// This file cannot be read; or it is not what was verified: [`Why::Changed`].
    pub fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), (usize, DiskError)> {
        let layout = Arc::clone(&self.layout);
        for span in layout.spans(offset, buffer.len()) {
            let away = self.content.read_elsewhere(offset, span, buffer);
            if away.map_err(|error| (span.file, error))? {
                continue;
            }
            let part = &mut buffer[span.at..span.at + span.len];
            let read = if span.padding {
                self.content.read_span(span, part)
            } else {
                let open = self.open(span.file)?;
                self.content.read_open(&open, span, part)
            };
            read.map_err(|error| (span.file, self.since_verified(span.file, error)))?;
        }
        Ok(())
    }

    /// Fills parts that lie in a row in the content, from `offset` on, by one call. False where it
    /// cannot be done, as in several files or after an error: then each part is to be read alone.
    pub fn read_at_once(&mut self, offset: u64, parts: &mut [IoSliceMut<'_>]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum();
        let layout = Arc::clone(&self.layout);
        let span = layout.spans(offset, len).next();
        let whole =
            |span: &Span| span.len == len && !span.padding && !self.content.is_elsewhere(span.file);
        let Some(span) = span.filter(whole) else {
            return false;
        };
        let open = self.open(span.file);
        open.is_ok_and(|open| self.content.read_at_once(&open, span, parts))
    }

    /// Whether the files that were read are still what was verified, as far as size, time and name
    /// tell.
    ///
    /// # Errors
    /// This one is not ([`Why::Changed`]), or cannot be looked at.
    pub fn vouch(mut self) -> Result<(), (usize, DiskError)> {
        self.look_again();
        self.other.map_or(Ok(()), Err)
    }

    fn open(&mut self, file: usize) -> Result<Arc<Handle>, (usize, DiskError)> {
        if let Some((_, open)) = self.file.as_ref().filter(|(last, _)| *last == file) {
            return Ok(Arc::clone(open));
        }
        self.look_again();
        match self.content.files.get(file) {
            Ok(open) => {
                self.file = Some((file, Arc::clone(&open)));
                Ok(open)
            }
            Err(error) => {
                let error = (file, self.since_verified(file, error));
                self.other.get_or_insert_with(|| error.clone());
                Err(error)
            }
        }
    }

    /// Looks at the file that was read last, while it is still open: there may be a thousand of
    /// them in a block.
    fn look_again(&mut self) {
        let Some((file, open)) = self.file.take() else {
            return;
        };
        if let Err(error) = self.look_at(file, &open) {
            let error = self.since_verified(file, error);
            self.other.get_or_insert((file, error));
        }
    }

    fn look_at(&mut self, file: usize, open: &Handle) -> Result<(), DiskError> {
        let content = &mut *self.content;
        let (known, pinned) = (content.stamps()[file], content.ledger.pinned(file));
        let found = stat::look_at(open);
        let found = found.map_err(|error| DiskError::new(content.path(file), error))?;
        let intact = match pinned {
            Some(pinned) => {
                let change = pinned.change(found);
                // Its time is another one while it is being written to.
                let ours = change == Some(Change::Written) && self.writing;
                known.is_some() && (change.is_none() || ours)
            }
            None => known == Some(found.1),
        };
        if intact && content.files.is_named(file, open)? {
            Ok(())
        } else {
            Err(DiskError::new(content.path(file), Why::Changed))
        }
    }

    /// What an error says of a file that was there, and long enough, when it was verified.
    fn since_verified(&self, file: usize, error: DiskError) -> DiskError {
        match error.why {
            Why::Missing | Why::Short | Why::InTheWay => {
                DiskError::new(self.content.path(file), Why::Changed)
            }
            _ => error,
        }
    }
}
