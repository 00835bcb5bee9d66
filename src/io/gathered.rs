//! The events that one turn of the loop takes.

use std::io;
use std::thread;

use mio::event::Event;
use mio::{Events, Poll};

use crate::base::Duration;

/// Events that one call of the poll takes.
pub const EVENTS: usize = 512;
/// How long the loop sleeps for more answers of trackers: each time that the process wakes up costs
/// more than to read an answer.
const TOGETHER: Duration = Duration::from_millis(2);

/// The events of one turn.
#[derive(Debug)]
pub struct Gathered {
    first: Events,
    /// Those that came while the loop slept for more.
    later: Events,
}

impl Gathered {
    /// None yet.
    pub fn new() -> Gathered {
        Gathered {
            first: Events::with_capacity(EVENTS),
            later: Events::with_capacity(EVENTS),
        }
    }

    /// Waits for events, at most so long. If `more` are expected to come at once, as it says of the
    /// first ones, they get two milliseconds.
    ///
    /// # Errors
    /// The poll fails.
    pub fn wait(
        &mut self,
        poll: &mut Poll,
        timeout: Option<Duration>,
        more: impl FnOnce(&Events) -> bool,
    ) -> io::Result<()> {
        self.later.clear();
        take(poll, &mut self.first, timeout)?;
        if more(&self.first) {
            thread::sleep(TOGETHER);
            take(poll, &mut self.later, Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.first.iter().chain(&self.later)
    }
}

fn take(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    use mio::net::UnixStream;
    use mio::{Interest, Token};

    #[test]
    fn what_comes_while_more_is_expected_is_taken_in_the_same_turn() {
        let mut poll = Poll::new().unwrap();
        let mut pairs = [(); 2].map(|()| UnixStream::pair().unwrap());
        for (token, (here, _)) in pairs.iter_mut().enumerate() {
            let registry = poll.registry();
            registry
                .register(here, Token(token), Interest::READABLE)
                .unwrap();
        }
        let [(_, one), (_, other)] = &mut pairs;
        let mut events = Gathered::new();
        let taken = |it: &Gathered| it.iter().map(|event| event.token().0).collect::<Vec<_>>();
        let mut expects = |events: &mut Gathered, more: bool| {
            one.write_all(b"1").unwrap();
            let look = |first: &Events| {
                assert_eq!(first.iter().count(), 1);
                other.write_all(b"2").unwrap();
                more
            };
            events.wait(&mut poll, None, look).unwrap();
        };
        expects(&mut events, true);
        assert_eq!(taken(&events), [0, 1]);
        expects(&mut events, false);
        assert_eq!(taken(&events), [0]);
        // What was not taken comes with the next turn.
        events.wait(&mut poll, None, |_| false).unwrap();
        assert_eq!(taken(&events), [1]);
    }
}
