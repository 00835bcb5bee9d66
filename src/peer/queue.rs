//! Gives back the memory of queues: a peer may fill one once and stay connected for days.

use std::collections::VecDeque;

/// Items that a queue has room for at all times.
const KEPT: usize = 32;

/// Gives memory back if the queue has room for more than four times what is in it. It costs a copy
/// of the items after at least as many were taken out.
pub(super) fn slim<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > KEPT && queue.len() <= queue.capacity() / 4 {
        queue.shrink_to(queue.len().saturating_mul(2).max(KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_full_once_does_not_stay_large() {
        let mut queue: VecDeque<u32> = (0..10_000).collect();
        while queue.len() > 100 {
            queue.pop_front();
            slim(&mut queue);
            assert!(queue.capacity() <= 8 * queue.len().max(2_500));
        }
        assert!(queue.capacity() <= 400, "{}", queue.capacity());
        queue.clear();
        slim(&mut queue);
        assert!(queue.capacity() <= 2 * KEPT, "{}", queue.capacity());
    }
}
