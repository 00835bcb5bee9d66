//! Acts with pieces and blocks: ranges that no piece has, and answers to what we ask for.

use super::*;

pub fn ranges(acts: &mut Acts) {
    for beyond in [0, 1, 1 << 31] {
        for (kind, id) in [("have", 4), ("suggest", 13), ("allowed fast", 17)] {
            let name = format!("{kind} of a piece {beyond} beyond the end");
            acts.say_fast(name, (NO_PIECE, NO_PIECE), move |torrent| {
                numbers(id, &[torrent.pieces() + beyond])
            });
        }
    }
    let length = 64 * 1024;
    for (piece, begin, len) in [
        (u32::MAX, 0, BLOCK),
        (0, length, BLOCK),
        (0, length - BLOCK + 1, BLOCK),
        (0, u32::MAX - BLOCK + 1, BLOCK),
        (0, u32::MAX, 2),
        (0, 1, u32::MAX),
        (0, 0, 0),
        (0, 0, u32::MAX),
        (0, 0, length + 1),
    ] {
        let name = format!("a request for {len} at {begin} of piece {piece}");
        acts.say(name, NO_BYTES, move |_| request(piece, begin, len));
        // These call off, or reject, what nobody asked for: no harm.
        let name = format!("cancel and reject of {len} at {begin} of piece {piece}");
        acts.say_fast(name, (Stays, Stays), move |_| {
            let numbers = |id| numbers(id, &[piece, begin, len]);
            [numbers(8), numbers(16)].concat().repeat(100)
        });
    }
    for (piece, begin) in [
        (u32::MAX, u32::MAX),
        (0, u32::MAX - 1),
        (u32::MAX, 0),
        (254, length),
    ] {
        let name = format!("blocks at {begin} of piece {piece}");
        acts.say(name, UNASKED, move |_| {
            let head = [piece.to_be_bytes(), begin.to_be_bytes()].concat();
            frame(7, &[&head[..], &[1; 100]].concat()).repeat(100)
        });
    }
}

pub fn blocks(acts: &mut Acts) {
    acts.say("blocks that nobody asked for", UNASKED, |torrent| {
        whole_block(torrent).repeat(100)
    });
    acts.say("blocks of no bytes", UNASKED, |_| {
        numbers(7, &[0, 0]).repeat(100)
    });
    acts.answer("each block twice", UNASKED, |stream, torrent, block| {
        stream.write_all(&piece(torrent, block, false).repeat(2))
    });
    acts.answer(
        "blocks that are too short",
        UNASKED,
        |stream, torrent, block| {
            let len = block.len - 1;
            stream.write_all(&piece(torrent, Block { len, ..block }, false).repeat(20))
        },
    );
    let end = Because("it announced a message of 16394 bytes");
    acts.answer("a block that is too long", end, |stream, torrent, _| {
        let len = BLOCK + 1;
        let block = Block { len, ..SAMPLE };
        stream.write_all(&piece(torrent, block, false))
    });
    acts.answer("blocks of other places", UNASKED, |stream, torrent, _| {
        let begin = 1;
        let block = Block { begin, ..SAMPLE };
        stream.write_all(&piece(torrent, block, false).repeat(20))
    });
    acts.answer("wrong bytes", POISON, |stream, torrent, block| {
        stream.write_all(&piece(torrent, block, true))
    });
    for (how, end, leave) in [
        ("the end", CLOSED, hang_up as Leave),
        ("a reset", RESET, break_off),
        ("silence", Stays, |stream| {
            io::copy(stream, &mut io::sink()).map(drop)
        }),
    ] {
        let name = format!("half a block and {how}");
        acts.answer(&name, end, move |stream, torrent, block| {
            stream.write_all(&piece(torrent, block, false)[..8_000])?;
            leave(stream)
        });
    }
    acts.answer("a byte a second", Stays, |stream, torrent, block| {
        for byte in piece(torrent, block, false) {
            stream.write_all(&[byte])?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(())
    });
    acts.answer("nothing at all", Stays, |_, _, _| Ok(()));
    acts.answer("a reject of each request", Stays, |stream, _, block| {
        stream.write_all(&numbers(16, &[block.piece, block.begin, block.len]))
    });
    acts.answer("a choke for each request", Stays, |stream, _, block| {
        let reject = numbers(16, &[block.piece, block.begin, block.len]);
        stream.write_all(&[frame(0, &[]), reject, frame(1, &[])].concat())
    });
    acts.answer("a hang-up for each request", CLOSED, |stream, _, _| {
        stream.shutdown(Shutdown::Both)
    });
    acts.add(
        "a choke for each request, without rejects",
        (Stays, NO_USE),
        |stream, torrent| {
            greet(stream, torrent, unique())?;
            stream.write_all(&[bitfield(torrent, |_| true), frame(1, &[])].concat())?;
            loop {
                next_request(stream)?;
                stream.write_all(&[frame(0, &[]), frame(1, &[])].concat())?;
            }
        },
    );
    acts.say_fast(
        "all pieces allowed, then silence",
        (Stays, Stays),
        |torrent| {
            let allowed = (0..torrent.pieces()).flat_map(|piece| numbers(17, &[piece]));
            [half(torrent), allowed.collect()].concat()
        },
    );
    acts.add(
        "allowed, and then rejected, without end",
        (Stays, Stays),
        |stream, torrent| {
            greet_fast(stream, torrent, unique())?;
            stream.write_all(&half(torrent))?;
            stream.write_all(&numbers(17, &[0]))?;
            loop {
                let block = next_request(stream)?;
                let reject = numbers(16, &[block.piece, block.begin, block.len]);
                stream.write_all(&[reject, numbers(17, &[block.piece])].concat())?;
            }
        },
    );
}
