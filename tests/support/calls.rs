//! A connection over uTP between two of our ends, packet by packet, for the manual.

use std::net::SocketAddr;

use brooklet::base::{Duration, Time};
use brooklet::utp::{Event, Reason, Utp};
use brooklet::wire::utp_packet::{Kind, Packet};

use crate::transcript::words::hex;

/// The two ends: the first calls.
struct Ends {
    ends: [Utp; 2],
    now: Time,
    text: String,
}

/// The packets, a line each: who sends it when, its fields in hexadecimal, and what it is.
pub fn connection() -> String {
    let mut ends = Ends {
        ends: [3, 4].map(|seed| Utp::new(4 << 20, 1 << 20, seed)),
        now: Time::default(),
        text: String::new(),
    };
    ends.pass(1);
    let call = ends.ends[0].connect(addr(1), 0, ends.now).unwrap();
    ends.talk();
    ends.ends[0].write(call, b"question", ends.now);
    let accepted = ends.talk().expect("the other end hears of it");
    ends.ends[1].own(accepted, 0, ends.now);
    ends.ends[1].write(accepted, b"answer", ends.now);
    ends.talk();
    ends.pass(41);
    ends.talk();
    ends.ends[1].close(accepted, Reason::NoUse, ends.now);
    ends.talk();
    ends.text
}

fn addr(end: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + end as u8], 6881))
}

impl Ends {
    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
        self.ends
            .iter_mut()
            .for_each(|end| end.handle_timeout(self.now));
    }

    /// Lets both send what they have to, which takes ten milliseconds each time. The connection
    /// that the second end was called for, if it was.
    fn talk(&mut self) -> Option<usize> {
        let mut accepted = None;
        loop {
            let mut sent = Vec::new();
            for end in 0..2 {
                let mut out = Vec::new();
                while let Some(datagrams) = self.ends[end].transmit(&mut out, self.now) {
                    sent.extend(
                        out.chunks(datagrams.each)
                            .map(|bytes| (end, bytes.to_vec())),
                    );
                }
            }
            if sent.is_empty() {
                return accepted;
            }
            for (end, bytes) in &sent {
                self.tell(*end, bytes);
            }
            self.pass(10);
            for (end, bytes) in sent {
                self.ends[1 - end].receive(addr(end), &bytes, || true, self.now);
                while let Some(event) = self.ends[1 - end].next_event() {
                    if let Event::Accepted(key, _) = event {
                        accepted = Some(key);
                    }
                }
            }
        }
    }

    fn tell(&mut self, end: usize, bytes: &[u8]) {
        let (packet, body) = Packet::read(bytes).unwrap();
        let kind = match packet.kind {
            Kind::Data => "DATA",
            Kind::Fin => "FIN",
            Kind::State => "STATE",
            Kind::Reset => "RESET",
            Kind::Syn => "SYN",
        };
        let mut fields = Vec::new();
        for field in [
            0..1,
            1..2,
            2..4,
            4..8,
            8..12,
            12..16,
            16..18,
            18..20,
            20..bytes.len(),
        ] {
            fields.push(hex(&bytes[field]));
        }
        let words = String::from_utf8_lossy(body.content);
        let reason = body
            .reason
            .map_or(String::new(), |reason| format!(" reason {reason}"));
        let who = ["caller", "called"][end];
        let at = self.now.as_micros() / 1_000;
        let line = format!(
            "{at:3} ms {who} {kind:5} {} {words}{reason}",
            fields.join(" ")
        );
        self.text += line.trim_end();
        self.text += "\n";
    }
}
