//! Messages from threads to another thread. It does what the channels of std do with less: these
//! are made of three kinds, each anew for every type of message, five kilobytes of code each time,
//! and make room for 31 messages at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::base::Duration;

/// The end that messages are sent from. Its clones send to the same receiver.
#[derive(Debug)]
pub struct Sender<T>(Arc<Shared<T>>);

/// The end where messages arrive, in the order in which they were sent.
#[derive(Debug)]
pub struct Receiver<T>(Arc<Shared<T>>);

/// The other end is gone, or all of them are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

/// Why no message is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// None has arrived yet.
    Yet,
    /// None can arrive any more: all senders are gone.
    ForEver,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    /// A message has arrived, or the last sender is gone.
    news: Condvar,
}

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<T>,
    senders: usize,
    has_receiver: bool,
    /// The receiver waits: to wake it is a call to the system, which most messages do without.
    is_awaited: bool,
}

/// Both ends of a channel.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State {
        messages: VecDeque::new(),
        senders: 1,
        has_receiver: true,
        is_awaited: false,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        news: Condvar::new(),
    });
    (Sender(shared.clone()), Receiver(shared))
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Sends a message; never waits.
    ///
    /// # Errors
    /// The receiver is gone, and the message with it.
    pub fn send(&self, message: T) -> Result<(), Closed> {
        let mut state = self.0.lock();
        if !state.has_receiver {
            return Err(Closed);
        }
        state.messages.push_back(message);
        let is_awaited = state.is_awaited;
        drop(state);
        if is_awaited {
            self.0.news.notify_one();
        }
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Takes the first message, if one is there.
    ///
    /// # Errors
    /// There is none.
    pub fn try_recv(&self) -> Result<T, Missing> {
        take(&mut self.0.lock())
    }

    /// Waits for a message as long as one may arrive.
    ///
    /// # Errors
    /// All senders are gone, and so are all their messages.
    pub fn recv(&self) -> Result<T, Closed> {
        let state = self.0.lock();
        let waited = self.0.news.wait_while(state, is_to_come);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_awaited = false;
        take(&mut state).map_err(|_| Closed)
    }

    /// Waits for a message, but not longer than that.
    ///
    /// # Errors
    /// There is none.
    pub fn recv_timeout(&self, span: Duration) -> Result<T, Missing> {
        let state = self.0.lock();
        let waited = self.0.news.wait_timeout_while(state, span, is_to_come);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_awaited = false;
        take(&mut state)
    }
}

/// Whether no message is there and one may arrive.
fn is_to_come<T>(state: &mut State<T>) -> bool {
    state.is_awaited = state.messages.is_empty() && state.senders > 0;
    state.is_awaited
}

fn take<T>(state: &mut State<T>) -> Result<T, Missing> {
    let message = state.messages.pop_front();
    // Many may have waited at one time.
    if state.messages.is_empty() {
        state.messages = VecDeque::new();
    }
    let why = if state.senders > 0 {
        Missing::Yet
    } else {
        Missing::ForEver
    };
    message.ok_or(why)
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.0.lock().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().senders -= 1;
        self.0.news.notify_one();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_receiver = false;
        // They may hold what others wait for; they are dropped when the lock is free.
        let messages = std::mem::take(&mut state.messages);
        drop(state);
        drop(messages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn messages_of_each_thread_arrive_in_order() {
        let (sender, receiver) = channel();
        for thread in 0..4 {
            let sender = sender.clone();
            thread::spawn(move || (0..1000).for_each(|it| sender.send((thread, it)).unwrap()));
        }
        drop(sender);
        let mut next = [0; 4];
        while let Ok((thread, message)) = receiver.recv() {
            assert_eq!(message, next[thread]);
            next[thread] += 1;
        }
        assert_eq!(next, [1000; 4]);
        assert_eq!(receiver.try_recv(), Err(Missing::ForEver));
    }

    #[test]
    fn what_was_sent_arrives_after_its_sender_is_gone() {
        let (sender, receiver) = channel();
        assert_eq!(receiver.try_recv(), Err(Missing::Yet));
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        assert_eq!(receiver.recv_timeout(LONG), Ok(1));
        assert_eq!(receiver.recv(), Ok(2));
        assert_eq!(receiver.recv_timeout(LONG), Err(Missing::ForEver));
        assert_eq!(receiver.recv(), Err(Closed));
    }

    #[test]
    fn one_that_waits_hears_of_messages_and_of_the_end() {
        let (sender, receiver) = channel();
        let (told, hears) = channel();
        let waiting = thread::spawn(move || {
            while let Ok(message) = receiver.recv_timeout(LONG) {
                told.send(message).unwrap();
            }
        });
        sender.send('a').unwrap();
        assert_eq!(hears.recv_timeout(LONG), Ok('a'));
        let short = Duration::from_millis(1);
        assert_eq!(hears.recv_timeout(short), Err(Missing::Yet));
        drop(sender);
        waiting.join().unwrap();
        assert_eq!(hears.recv(), Err(Closed));
    }

    #[test]
    fn a_sender_is_told_that_the_receiver_is_gone_and_messages_go_with_it() {
        let (sender, receiver) = channel();
        let message = Arc::new(());
        sender.send(message.clone()).unwrap();
        drop(receiver);
        assert_eq!(Arc::strong_count(&message), 1);
        assert_eq!(sender.send(message), Err(Closed));
    }
}
