//! How much can flow through a network at most, by Dinic's algorithm: shortest augmenting paths,
//! all of one length at a time.

use std::collections::VecDeque;

/// A directed edge; the one after it in the list, or before it, leads back.
struct Edge {
    to: usize,
    left: u64,
}

/// A network of pipes between places.
#[derive(Default)]
pub struct Flow {
    edges: Vec<Edge>,
    from: Vec<Vec<usize>>,
}

impl Flow {
    /// Another place. Its number.
    pub fn place(&mut self) -> usize {
        self.from.push(Vec::new());
        self.from.len() - 1
    }

    /// A pipe through which so much can flow in all.
    pub fn pipe(&mut self, from: usize, to: usize, most: u64) {
        for (from, to, left) in [(from, to, most), (to, from, 0)] {
            self.from[from].push(self.edges.len());
            self.edges.push(Edge { to, left });
        }
    }

    /// What can flow from one place to another in all.
    pub fn most(mut self, source: usize, sink: usize) -> u64 {
        let mut total = 0;
        loop {
            let depth = self.depths(source);
            if depth[sink] == usize::MAX {
                return total;
            }
            let mut next = vec![0; self.from.len()];
            loop {
                let pushed = self.push(source, sink, u64::MAX, &depth, &mut next);
                if pushed == 0 {
                    break;
                }
                total += pushed;
            }
        }
    }

    /// How many pipes with room each place is away.
    fn depths(&self, source: usize) -> Vec<usize> {
        let mut depth = vec![usize::MAX; self.from.len()];
        depth[source] = 0;
        let mut queue = VecDeque::from([source]);
        while let Some(place) = queue.pop_front() {
            for &edge in &self.from[place] {
                let Edge { to, left } = self.edges[edge];
                if left > 0 && depth[to] == usize::MAX {
                    depth[to] = depth[place] + 1;
                    queue.push_back(to);
                }
            }
        }
        depth
    }

    /// Sends along one path to places ever further away; `next`: the pipes of each place that are
    /// full or lead nowhere.
    fn push(
        &mut self,
        place: usize,
        sink: usize,
        most: u64,
        depth: &[usize],
        next: &mut [usize],
    ) -> u64 {
        if place == sink {
            return most;
        }
        while let Some(&edge) = self.from[place].get(next[place]) {
            let Edge { to, left } = self.edges[edge];
            if left > 0 && depth[to] == depth[place] + 1 {
                let pushed = self.push(to, sink, most.min(left), depth, next);
                if pushed > 0 {
                    self.edges[edge].left -= pushed;
                    self.edges[edge ^ 1].left += pushed;
                    return pushed;
                }
            }
            next[place] += 1;
        }
        0
    }
}

#[test]
fn what_flows_is_what_the_narrowest_cut_lets_through() {
    let mut flow = Flow::default();
    let [source, a, b, c, sink] = [(); 5].map(|()| flow.place());
    for (from, to, most) in [
        (source, a, 10),
        (source, b, 5),
        (a, c, 4),
        (a, b, 2),
        (b, sink, 6),
        (c, sink, 9),
    ] {
        flow.pipe(from, to, most);
    }
    // Through a to c come 4, and b lets 6 out.
    assert_eq!(flow.most(source, sink), 10);
}

#[test]
fn a_path_that_was_a_mistake_is_taken_back() {
    let mut flow = Flow::default();
    let [source, a, b, sink] = [(); 4].map(|()| flow.place());
    for (from, to) in [(source, a), (a, b), (b, sink), (source, b), (a, sink)] {
        flow.pipe(from, to, 1);
    }
    assert_eq!(flow.most(source, sink), 2);
}
