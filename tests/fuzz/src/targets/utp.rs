//! Two ends of uTP whose datagrams are lost, repeated, cut and changed as the input says, and
//! datagrams out of the input itself: nothing panics, what is kept stays bounded, and what is read
//! without changed datagrams is what was written.

use std::net::SocketAddr;

use brooklet::base::{Duration, Time, limits};
use brooklet::utp::{Event, Key, Read, Reason, Utp};

/// Bytes that both ends may take.
const MEMORY: usize = 256 * 1024;

struct End {
    utp: Utp,
    keys: Vec<Key>,
    written: u64,
    read: u64,
}

/// Fails where a promise is broken.
pub fn run(script: &[u8]) {
    let mut ends = [1, 2].map(|seed| End {
        utp: Utp::new(MEMORY, 4096, seed),
        keys: Vec::new(),
        written: 0,
        read: 0,
    });
    let mut now = Time::from_micros(1_000_000);
    let call = ends[0]
        .utp
        .connect(addr(1), 0, now)
        .expect("it is the first");
    ends[0].keys.push(call);
    let (mut flying, mut rest, mut honest) = (Vec::new(), script, true);
    while let Some((&step, behind)) = rest.split_first() {
        rest = behind;
        let end = usize::from(step & 1);
        match (step >> 1) & 7 {
            0 => write(&mut ends[end], step, now),
            1 => now = now + Duration::from_millis(u64::from(step) * 40),
            2 => {
                // A datagram of the input's.
                let (len, behind) = rest.split_first().unwrap_or((&0, rest));
                let (datagram, behind) = behind.split_at(behind.len().min(usize::from(*len)));
                rest = behind;
                honest = false;
                ends[end].utp.receive(addr(1 - end), datagram, || true, now);
            }
            3 => drop(flying.pop()),
            4 => flying.reverse(),
            5 => flying.extend(flying.last().cloned()),
            6 if step & 0xf0 == 0xf0 => {
                // A datagram that comes again opens none anew.
                for key in std::mem::take(&mut ends[end].keys) {
                    ends[end].utp.close(key, Reason::None, now);
                }
            }
            _ => {
                for (to, datagram) in flying.drain(..) {
                    let to: usize = to;
                    let datagram: Vec<u8> = datagram;
                    ends[to].utp.receive(addr(1 - to), &datagram, || true, now);
                }
            }
        }
        for (place, end) in ends.iter_mut().enumerate() {
            end.utp.handle_timeout(now);
            settle(end, honest, now);
            let mut out = Vec::new();
            while let Some(datagrams) = end.utp.transmit(&mut out, now) {
                let parts = out.chunks(datagrams.each);
                flying.extend(parts.map(|part| (1 - place, part.to_vec())));
            }
            assert!(end.utp.bytes() <= MEMORY + 16 * 4096);
            assert!(end.utp.next_deadline().is_none_or(|at| at > now));
        }
        assert!(
            flying
                .iter()
                .all(|it| it.1.len() <= limits::UTP_DATAGRAM_MOST)
        );
        flying.truncate(1_000);
    }
}

fn addr(end: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, end as u8], 6881))
}

fn write(end: &mut End, step: u8, now: Time) {
    if let Some(&key) = end.keys.first() {
        let len = u64::from(step) * 50;
        let bytes: Vec<u8> = (end.written..end.written + len)
            .map(|at| at as u8)
            .collect();
        end.written += end.utp.write(key, &bytes, now) as u64;
    }
}

fn settle(end: &mut End, honest: bool, now: Time) {
    while let Some(event) = end.utp.next_event() {
        match event {
            Event::Accepted(key, _) => {
                end.utp.own(key, end.keys.len(), now);
                end.keys.push(key);
            }
            Event::Gone(_, gone, _) => end.keys.retain(|&key| key != gone),
            Event::Connected(..) | Event::Readable(_) | Event::Writable(_) => {}
        }
    }
    let mut buffer = [0; 1_000];
    for key in end.keys.clone() {
        if let Read::Bytes(n, _) = end.utp.read(key, &mut buffer, now) {
            for &byte in &buffer[..n] {
                assert!(!honest || byte == end.read as u8);
                end.read += 1;
            }
        }
    }
}
