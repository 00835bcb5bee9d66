//! A sender that fills a queue until packets are dropped, as TCP does (Reno): its window grows by a
//! packet a round trip and is halved once in a round trip in which something was lost.

use std::collections::BTreeMap;

/// Bytes of its packets.
pub const PACKET: usize = 1_448;

#[derive(Debug)]
pub struct Reno {
    window: f64,
    threshold: f64,
    next: u64,
    /// When each packet was sent that is under way, and after which the window was halved last.
    flying: BTreeMap<u64, u64>,
    recovered: u64,
    /// Bytes that got there.
    pub arrived: u64,
}

impl Default for Reno {
    fn default() -> Reno {
        Reno {
            window: 4.0,
            threshold: f64::MAX,
            next: 0,
            flying: BTreeMap::new(),
            recovered: 0,
            arrived: 0,
        }
    }
}

impl Reno {
    /// The packets to be sent now.
    pub fn send(&mut self, now: u64) -> Vec<u64> {
        // After a second everything counts as lost.
        if self.flying.values().any(|&sent| now > sent + 3_000_000) {
            self.flying.clear();
            self.threshold = (self.window / 2.0).max(2.0);
            self.window = 1.0;
        }
        let mut sent = Vec::new();
        while (self.flying.len() as f64) < self.window.floor() {
            self.flying.insert(self.next, now);
            sent.push(self.next);
            self.next += 1;
        }
        sent
    }

    /// A packet was acknowledged.
    pub fn acked(&mut self, packet: u64) {
        if self.flying.remove(&packet).is_none() {
            return;
        }
        self.arrived += PACKET as u64;
        if self.window < self.threshold {
            self.window += 1.0;
        } else {
            self.window += 1.0 / self.window;
        }
        let lost: Vec<u64> = self
            .flying
            .range(..packet.saturating_sub(3))
            .map(|it| *it.0)
            .collect();
        for packet in lost {
            self.flying.remove(&packet);
            if packet >= self.recovered {
                self.window = (self.window / 2.0).max(2.0);
                self.threshold = self.window;
                self.recovered = self.next;
            }
        }
    }
}
