//! One connection: bytes cut anywhere, commands, time; the same whole and in pieces.

use std::net::SocketAddr;

use super::super::script::Script;
use super::super::torrent::Torrent;
use super::super::transcript::pair::{Heard, Pair};
use super::super::transcript::words::heard_words;
use super::super::{cut, speech};
use brooklet::base::{Bits, Block, Duration, Time, limits};
use brooklet::peer::{EndReason, Event, Input, Local, Segment};
use brooklet::wire::message::{frame_len, piece_header};
use brooklet::wire::{Message, handshake};

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    // The same story twice: everything comes in one read, and cut as the story says.
    let (whole, parts) = (Story::tell(data, false), Story::tell(data, true));
    assert_eq!(whole, parts);
}

/// One connection, and what came of it.
struct Story<'a> {
    torrent: &'a Torrent,
    pair: Pair,
    now: Time,
    /// What we said.
    said: Vec<u8>,
    /// What happened, in words.
    log: Vec<String>,
}

impl Story<'_> {
    fn tell(data: &[u8], in_parts: bool) -> (Vec<String>, Vec<u8>) {
        let script = &mut Script::new(data);
        let torrent = Torrent::get(script.below(256));
        let (now, addr) = (Time::default(), SocketAddr::from(([192, 0, 2, 1], 6881)));
        let local = Local {
            unsent: usize::from(script.byte()) * 64,
            ..torrent.local
        };
        let outbound = script.flag();
        let pair = if outbound {
            Pair::dial(local, addr, now)
        } else {
            Pair::accept(local, addr, now)
        };
        let mut story = Story {
            torrent,
            pair,
            now,
            said: Vec::new(),
            log: Vec::new(),
        };
        let mut cuts: &[u8] = &[];
        while let Some(step) = script.step() {
            let done = match step % 8 {
                0 => story.hear(&speech::greeting(script, torrent), cuts),
                1 | 2 => story.hear(&speech::message(script, torrent), cuts),
                3 => story.hear(script.bytes(), cuts),
                4 => story.command(script),
                5 => story.wait(script),
                6 => story.transmit(usize::from(script.short())),
                _ => {
                    let sizes = script.bytes();
                    cuts = if in_parts { sizes } else { &[] };
                    Ok(())
                }
            };
            if let Err(reason) = done {
                story.log.push(format!("{reason:?}"));
                let back = story.pair.close(reason);
                story.log.push(format!("{back:?}"));
                assert!(
                    story.pair.next_deadline(story.now).is_none()
                        && story.pair.transmit().is_empty()
                );
            }
        }
        let _ = story.transmit(usize::MAX);
        story.check_said();
        (story.log, story.said)
    }

    fn hear(&mut self, bytes: &[u8], cuts: &[u8]) -> Result<(), EndReason> {
        for part in cut(bytes, cuts) {
            let read = [self.pair.unparsed(), part].concat();
            let mut input = Input::new(&read);
            while !self.pair.is_closing() {
                let Some(event) = self.pair.next_event(&mut input, self.now)? else {
                    assert!(input.rest().is_empty());
                    break;
                };
                self.log.push(match &event {
                    Heard::Event(Event::Block { block, data }) => {
                        assert_eq!(block.len as usize, data.len());
                        format!("{block:?} {:?} {:?}", data.first(), data.last())
                    }
                    event => heard_words(event),
                });
                if let Heard::Event(Event::Requested(block)) = event {
                    assert!(
                        self.torrent.geometry().contains(block)
                            && block.len <= limits::SERVED_BLOCK
                    );
                    match block.begin % 3 {
                        0 => self.pair.peer().serve(block)?,
                        _ => self.pair.peer().refuse(block)?,
                    }
                }
            }
            assert!(self.pair.unparsed().len() < 4 + limits::BLOCK_FRAME.max(handshake::LEN));
        }
        Ok(())
    }

    fn command(&mut self, script: &mut Script<'_>) -> Result<(), EndReason> {
        let (what, pieces) = (script.byte(), self.torrent.geometry().pieces());
        if what % 16 == 15 {
            self.pair.handle_connected(self.now);
        }
        let Some(peer) = self.pair.opened().filter(|peer| peer.is_open()) else {
            return Ok(());
        };
        match what & 0xf0 {
            0xe0 => peer.suspend_reading(self.now),
            0xf0 => peer.resume_reading(self.now),
            _ => {}
        }
        match what % 8 {
            0 => peer.set_interested(script.flag()),
            1 | 2 if peer.room(self.now) > 0 => {
                let piece = u32::from(script.byte()) % pieces;
                let number = u32::from(script.byte()) % self.torrent.geometry().blocks(piece);
                let block = self.torrent.geometry().block(piece, number);
                peer.cancel(block);
                peer.request(block, self.now);
            }
            3 => peer.cancel(speech::block(script, self.torrent)),
            4 => peer.choke(),
            5 => peer.unchoke(),
            6 => peer.have(u32::from(script.byte()) % pieces),
            _ => {
                let piece = u32::from(script.byte());
                peer.drop_uploads(|block: Block| block.piece == piece);
                let verified = if script.flag() {
                    Bits::full(pieces)
                } else {
                    Bits::new(pieces)
                };
                peer.introduce(&verified, vec![piece % pieces]);
            }
        }
        Ok(())
    }

    fn wait(&mut self, script: &mut Script<'_>) -> Result<(), EndReason> {
        self.now = match script.byte() {
            0 => self
                .pair
                .next_deadline(self.now)
                .unwrap_or(self.now)
                .max(self.now),
            time => self.now + Duration::from_millis(u64::from(time) * 300),
        };
        let (woken, [late, lost]) = self.pair.handle_timeout(self.now);
        woken?;
        let in_flight = self.pair.opened().map_or(0, |peer| peer.in_flight());
        self.log.push(format!("{late:?} {lost:?} {in_flight}"));
        let due = self.pair.next_deadline(self.now);
        assert!(
            due.is_none_or(|due| due > self.now),
            "a deadline that is past does not go away"
        );
        Ok(())
    }

    /// So many bytes go out, at most.
    fn transmit(&mut self, most: usize) -> Result<(), EndReason> {
        let before = self.said.len();
        for segment in self.pair.transmit() {
            match segment {
                Segment::Bytes(bytes) => self.said.extend(bytes),
                Segment::Block { block, skip } => {
                    let frame = [&piece_header(block)[..], &self.torrent.block(block)].concat();
                    self.said.extend(&frame[skip..]);
                }
            }
            if self.said.len() - before >= most {
                break;
            }
        }
        self.said.truncate(before.saturating_add(most));
        self.pair.transmitted(self.said.len() - before, self.now);
        Ok(())
    }

    /// All that we said makes sense, but for what the end of the connection cut off.
    fn check_said(&self) {
        let mut rest = self.said.get(handshake::LEN..).unwrap_or_default();
        while let Some(len) = frame_len(rest) {
            assert!(len <= limits::SERVED_BLOCK + 9, "{len} bytes");
            let Some((frame, behind)) = rest[4..].split_at_checked(len as usize) else {
                return;
            };
            Message::parse(frame).expect("what we say can be read");
            rest = behind;
        }
    }
}
