//! Threads that do one thing and end. Where the system has no more of them, the work is done by
//! whoever wants it: all others wait that long, and nothing is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a thread does.
type Work = Box<dyn FnOnce() + Send>;

/// Has this done by a thread of this name; at once where none can be started.
pub fn run(name: &str, work: impl FnOnce() + Send + 'static) {
    spawn_or_perform(
        thread::Builder::new().name(String::from(name)),
        Box::new(work),
    );
}

fn spawn_or_perform(thread: thread::Builder, work: Work) {
    let ours = Arc::new(Mutex::new(Some(work)));
    let theirs = Arc::clone(&ours);
    if thread.spawn(move || perform(&theirs)).is_err() {
        perform(&ours);
    }
}

fn perform(work: &Mutex<Option<Work>>) {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    work.into_iter().for_each(|work| work());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    #[test]
    fn work_is_done_once_whether_there_is_a_thread_for_it_or_not() {
        let (told, hears) = channel();
        let work = |told: &Sender<ThreadId>| -> Work {
            let told = told.clone();
            Box::new(move || told.send(thread::current().id()).unwrap())
        };
        spawn_or_perform(thread::Builder::new(), work(&told));
        assert_ne!(hears.recv().unwrap(), thread::current().id());
        // No machine has room for such a stack.
        spawn_or_perform(thread::Builder::new().stack_size(1 << 60), work(&told));
        assert_eq!(hears.try_recv(), Ok(thread::current().id()));
        drop(told);
        assert!(hears.recv().is_err(), "once each");
    }
}
