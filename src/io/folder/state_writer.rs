//! Writes small files of the folder's state off the loop: to have one safely on disk may take
//! seconds, and everything else goes on meanwhile. A thread for each file, which ends with it.

use std::path::PathBuf;
use std::sync::Arc;

use mio::Waker;

use super::brought::is_link;
use crate::base::{SortedMap, Time};
use crate::io::channel::{Receiver, Sender, channel};
use crate::io::disk::threads::waiting::{LOOK, Waiting};
use crate::io::disk::{DiskError, state};
use crate::io::threads;

/// Names a file that is written.
pub type Ticket = u64;

/// The files that are being written.
#[derive(Debug)]
pub struct StateWriter {
    waker: Arc<Waker>,
    told: Sender<Written>,
    hears: Receiver<Written>,
    /// Files that are being written, and what each of their threads waits for.
    writing: SortedMap<Ticket, Arc<Waiting>>,
    /// When to look whether their disk answers.
    look_at: Option<Time>,
    /// Files that were to be written so far.
    tickets: Ticket,
}

/// A file that is safely on disk, or why it is not.
pub type Written = (Ticket, Result<(), DiskError>);

impl StateWriter {
    /// Nothing is written yet. `waker` is the loop's.
    pub fn new(waker: Arc<Waker>) -> StateWriter {
        let (told, hears) = channel();
        StateWriter {
            waker,
            told,
            hears,
            writing: SortedMap::new(),
            look_at: None,
            tickets: 0,
        }
    }

    /// Puts these bytes in the place of a file; [`StateWriter::next_written`] tells when that is
    /// done.
    pub fn write(&mut self, path: PathBuf, bytes: Vec<u8>) -> Ticket {
        self.write_instead(path, bytes, None)
    }

    /// The same; then another file goes, in whose stead this one is.
    pub fn write_instead(
        &mut self,
        path: PathBuf,
        bytes: Vec<u8>,
        other: Option<PathBuf>,
    ) -> Ticket {
        self.tickets += 1;
        let waiting = Arc::new(Waiting::default());
        self.writing.insert(self.tickets, Arc::clone(&waiting));
        let (ticket, told) = (self.tickets, self.told.clone());
        let waker = Arc::clone(&self.waker);
        let work = move || {
            let written = waiting.call(&path, || {
                if is_link(&path) {
                    // The torrent will lie there once peers have sent it.
                    state::look(&path.with_extension("torrent"))?;
                }
                state::replace(&path, &bytes)
            });
            if let (Ok(()), Some(other)) = (&written, &other) {
                // The next start leaves aside what cannot be deleted.
                let _ = std::fs::remove_file(other);
            }
            if told.send((ticket, written)).is_ok() {
                // A loop that cannot be woken sees it on its next turn.
                let _ = waker.wake();
            }
        };
        threads::run("state writer", work);
        ticket
    }

    /// The next file that was written, or could not be.
    pub fn next_written(&mut self) -> Option<Written> {
        let written = self.hears.try_recv().ok()?;
        self.writing.remove(&written.0);
        Some(written)
    }

    /// Tells of disks that do not answer. To be called once a turn of the loop.
    pub fn look_after(&mut self, now: Time) {
        self.writing.values().for_each(|it| it.look_after());
        self.look_at = (!self.writing.is_empty()).then(|| now + LOOK);
    }

    /// When [`StateWriter::look_after`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        self.look_at
    }

    /// Waits for all files that are being written: what became of them.
    pub fn finish(&mut self) -> Vec<Written> {
        let mut all = Vec::new();
        while !self.writing.is_empty() {
            match self.hears.recv_timeout(LOOK) {
                Ok(written) => {
                    self.writing.remove(&written.0);
                    all.push(written);
                }
                Err(_) => self.writing.values().for_each(|it| it.look_after()),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::tokens;
    use mio::Poll;
    use std::fs;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn files_are_written_and_what_cannot_be_is_told() {
        let dir =
            std::env::temp_dir().join(format!("brooklet-state-writer-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("file"), "in the way").unwrap();
        let poll = Poll::new().unwrap();
        let mut writer = StateWriter::new(tokens::waker(&poll).unwrap());
        let good = writer.write(dir.join("good"), b"1".to_vec());
        let bad = writer.write(dir.join("file/inside"), b"2".to_vec());
        let (mut written, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(30));
        while written.len() < 2 {
            assert!(Instant::now() < deadline, "{written:?}");
            written.extend(writer.next_written());
            thread::yield_now();
        }
        written.sort_by_key(|(ticket, _)| *ticket);
        assert_eq!(written[0], (good, Ok(())));
        assert!(written[1].0 == bad && written[1].1.is_err(), "{written:?}");
        writer.write(dir.join("last"), b"3".to_vec());
        writer.write_instead(dir.join("torrent"), b"4".to_vec(), Some(dir.join("good")));
        writer.write_instead(dir.join("file/x"), b"5".to_vec(), Some(dir.join("last")));
        let written = writer.finish();
        assert_eq!(written.iter().filter(|(_, it)| it.is_err()).count(), 1);
        assert_eq!(written.len(), 3);
        assert_eq!(fs::read(dir.join("torrent")).unwrap(), b"4");
        assert!(!dir.join("good").exists());
        assert_eq!(fs::read(dir.join("last")).unwrap(), b"3");
        fs::remove_dir_all(&dir).unwrap();
    }
}
