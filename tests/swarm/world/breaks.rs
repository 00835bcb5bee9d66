//! What goes wrong between nodes: connections that break, so that both ends see it, or one, or
//! none; nodes that vanish, and come back; a network in two parts.

use brooklet::base::Duration;

use super::net::Way;
use super::queue::{Act, Event};
use super::world::World;

impl World {
    /// A random connection breaks, and another will after a random time of this mean, in
    /// milliseconds.
    pub fn break_one(&mut self, mean: u64) {
        let n = self.rng.below(self.nodes.len() as u64) as usize;
        let links = &self.nodes[n].links;
        let place = self.rng.below(links.len() as u64) as usize;
        if let Some(&(conn, end)) = links.values().nth(place) {
            match self.rng.below(3) {
                0 => self.reset(conn),
                1 => self.half_open(conn, end),
                _ => self.conns[conn].way = Way::Lost,
            }
        }
        let next = self.now + Duration::from_millis(self.rng.below(2 * mean));
        self.queue.push(next, Event::Script(Act::Break(mean)));
    }

    /// A connection breaks: both ends see it.
    fn reset(&mut self, conn: usize) {
        for dir in 0..2 {
            self.conns[conn].pipes[dir].clear();
            self.end(conn, dir, false);
        }
    }

    /// A connection breaks: this end sees it, the other only when it sends something.
    fn half_open(&mut self, conn: usize, end: usize) {
        if self.conns[conn].way == Way::Open && self.conns[conn].keys[1 - end].is_some() {
            self.conns[conn].way = Way::HalfOpen;
            self.end(conn, 1 - end, false);
            self.conns[conn].pipes[end].clear();
            self.offer(conn, 1 - end);
        }
    }

    /// What this end sent was refused.
    pub fn on_refused(&mut self, conn: usize, end: usize) {
        for pipe in &mut self.conns[conn].pipes {
            pipe.clear();
        }
        self.end(conn, 1 - end, false);
    }

    /// A node vanishes: whoever talks to it hears nothing more, before it comes back.
    pub fn crash(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        node.session = None;
        node.gone = true;
        node.turns.clear();
        let links = std::mem::take(&mut node.links);
        for (conn, end) in links.into_values() {
            let side = &mut self.conns[conn];
            side.keys[end] = None;
            side.pipes[end].clear();
            side.pipes[1 - end].inbox.clear();
            if side.way == Way::Open {
                side.way = Way::Lost;
                self.nodes[n].forsaken.push(conn);
            }
        }
    }

    /// A node that had vanished is back, and knows nothing of its connections.
    pub fn come_back(&mut self, n: usize) {
        for conn in std::mem::take(&mut self.nodes[n].forsaken) {
            self.conns[conn].way = Way::HalfOpen;
            self.offer(conn, 0);
            self.offer(conn, 1);
        }
    }

    /// Everything that waited for the network goes on.
    pub fn heal(&mut self) {
        self.parted = false;
        for conn in 0..self.conns.len() {
            self.offer(conn, 0);
            self.offer(conn, 1);
        }
    }
}
