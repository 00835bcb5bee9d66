//! Slow disks: what a session wants written waits, buffer by buffer, and is there only when its
//! time has come, as when the real loop has a thread that writes. Meanwhile no more is read from
//! who sends blocks than the buffers hold.

use std::collections::VecDeque;

use brooklet::base::{Block, Duration, TorrentKey, limits};
use brooklet::session::{DiskLoad, Session};

use super::net::span;
use super::queue::Event;
use super::world::World;

/// One write in so many takes a pause besides, of up to so many milliseconds, as cards do.
const PAUSES: (u64, u64) = (100, 2000);

/// What one read brought of one torrent.
type Buffer = (TorrentKey, Vec<(Block, Vec<u8>)>);

/// What a node's disk has to write.
#[derive(Default)]
pub struct Writer {
    buffers: VecDeque<Buffer>,
    /// Something was written since the last turn.
    pub news: bool,
}

impl Writer {
    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.buffers.is_empty()
    }

    /// Whether no more should be read from who sends blocks.
    fn is_full(&self) -> bool {
        self.buffers.len() >= limits::BUFFERS
    }

    /// How far the disk is behind.
    pub fn load(&self) -> DiskLoad {
        DiskLoad {
            full: self.is_full(),
            overfull: self.buffers.len() >= 2 * limits::BUFFERS,
        }
    }
}

impl World {
    /// Writes these blocks, now or later.
    pub fn write(
        &mut self,
        n: usize,
        session: &mut Session,
        torrent: TorrentKey,
        blocks: &[(Block, &[u8])],
    ) {
        if self.nodes[n].disk_rate.is_some() {
            let buffer = blocks.iter().map(|&(block, data)| (block, data.to_vec()));
            let idle = self.nodes[n].writer.is_idle();
            let buffer = (torrent, buffer.collect());
            self.nodes[n].writer.buffers.push_back(buffer);
            if idle {
                self.begin_write(n);
            }
            return;
        }
        for &(block, data) in blocks {
            self.put_on_disk(n, torrent, block, data);
        }
        session.handle_written(torrent, blocks);
    }

    /// The disk has written what came first.
    pub fn on_written(&mut self, n: usize, run: u32) {
        if self.nodes[n].run != run || self.nodes[n].session.is_none() {
            return;
        }
        let buffer = self.nodes[n].writer.buffers.pop_front();
        let (torrent, buffer) = buffer.expect("something was being written");
        for (block, data) in &buffer {
            self.put_on_disk(n, torrent, *block, data);
        }
        let written: Vec<(Block, &[u8])> = buffer
            .iter()
            .map(|(block, data)| (*block, &data[..]))
            .collect();
        let node = &mut self.nodes[n];
        node.writer.news = true;
        if let Some(session) = node.session.as_mut() {
            session.handle_written(torrent, &written);
            if !node.writer.is_full() {
                for (conn, dir) in std::mem::take(&mut node.suspended) {
                    if let Some(key) = self.conns[conn].keys[1 - dir] {
                        session.resume_reading(key, self.now);
                        node.unread.push_back((conn, dir));
                    }
                }
            }
        }
        if !self.nodes[n].writer.is_idle() {
            self.begin_write(n);
        }
        self.wake(n, self.now);
    }

    fn begin_write(&mut self, n: usize) {
        let node = &self.nodes[n];
        let first = node.writer.buffers.front();
        let bytes = first.into_iter().flat_map(|(_, blocks)| blocks);
        let bytes = bytes.map(|(_, data)| data.len()).sum();
        let mut takes = span(bytes, node.disk_rate.unwrap_or(u64::MAX));
        if self.rng.below(PAUSES.0) == 0 {
            takes += Duration::from_millis(self.rng.below(PAUSES.1));
        }
        let event = Event::Written(n, node.run);
        self.queue.push(self.now + takes, event);
    }

    fn put_on_disk(&mut self, n: usize, torrent: TorrentKey, block: Block, data: &[u8]) {
        let share = &mut self.nodes[n].shares[torrent];
        share.on_write(block, data, &self.source);
        share.disk.write(block, data);
    }
}

#[cfg(test)]
mod tests {
    use brooklet::base::Time;

    use super::super::disk::Source;
    use super::super::manners::Manners;
    use super::super::node::{Link, Role};
    use super::super::queue::Act;
    use super::*;

    #[test]
    fn a_node_that_restarts_while_its_disk_writes_comes_back_after_that() {
        let source = Source::new(4 << 20, 64 << 10);
        let mut world = World::new(&source, 1);
        let link = Link {
            up: 4 << 20,
            down: 4 << 20,
            latency: Duration::from_millis(5),
            natted: false,
            side: false,
        };
        let start = Time::default();
        world.add(Role::Seed, Manners::Honest, link, start);
        let client = world.add(Role::Client(None), Manners::Honest, link, start);
        world.nodes[client].disk_rate = Some(100 << 10);
        for (second, act) in [(5, Act::Leave(client)), (6, Act::Join(client))] {
            let at = start + Duration::from_secs(second);
            world.queue.push(at, Event::Script(act));
        }
        world.run(Duration::from_secs(120));
        assert_eq!(world.nodes[client].run, 2);
    }
}
