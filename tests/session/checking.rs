//! What a session does before it has peers: it finds out what is on disk, and counts on nothing
//! else.

use std::net::SocketAddr;

use brooklet::base::{Bits, Block, limits};
use brooklet::peer::incoming::Failed;
use brooklet::session::datagrams;
use brooklet::torrent::{Report, Stay};
use brooklet::wire::utp_packet::{Kind, Packet};

use crate::session::{Bench, PIECE};
use crate::transcript::words::encode;

const PIECES: u32 = 4;
/// What a peer says that dials us.
const HELLO: &str = "handshake fast -TR3000-abcdefghi001";

/// A download whose content is still to be looked at, with these pieces on its disk.
fn unchecked(present: &[u32]) -> Bench {
    let mut bench = Bench::getter(PIECES, &[]);
    for &piece in present {
        let range = (piece * PIECE) as usize..((piece + 1) * PIECE) as usize;
        bench.disk[range.clone()].copy_from_slice(&bench.setting.content[range]);
    }
    bench.begins(|_, order| order.to_hash = Bits::full(PIECES));
    bench
}

fn read(bench: &mut Bench, block: Block) {
    let start = bench.setting.local.geometry.offset(block) as usize;
    let data = bench.disk[start..start + block.len as usize].to_vec();
    bench.session.handle_read(bench.torrent, block, &data);
}

fn checked(bench: &Bench) -> Option<(u32, u64)> {
    bench.reports.iter().find_map(|report| match report {
        Report::Checked { have, missing, .. } => Some((*have, *missing)),
        _ => None,
    })
}

/// A peer that calls over uTP meanwhile hears of it, as one over TCP does.
#[test]
fn a_call_over_utp_is_answered_meanwhile() {
    let mut bench = unchecked(&[0]);
    let caller = SocketAddr::from(([192, 0, 2, 1], 50_001));
    let call = Packet {
        kind: Kind::Syn,
        connection: 7,
        timestamp: 1,
        difference: 0,
        window: 0,
        seq: 9,
        ack: 0,
    };
    let mut bytes = Vec::new();
    call.encode(&mut bytes);
    datagrams::handle(&mut bench.session, caller, &bytes, bench.now);
    assert!(bench.progress().checking.is_some());
    bench.turn();
    assert_eq!(bench.datagrams.len(), 1, "uTP is off, so it is refused");
}

#[test]
fn pieces_that_are_right_are_held_and_no_others() {
    // Piece 1 has a wrong byte, piece 3 cannot be read.
    let mut bench = unchecked(&[0, 1, 2, 3]);
    bench.disk[PIECE as usize + 7] ^= 1;
    let caller = SocketAddr::from(([192, 0, 2, 1], 50_001));
    let (all, now) = (u64::from(PIECES * PIECE), bench.now);
    assert_eq!(bench.progress().checking, Some((0, all)));
    let mut came = 0;
    while let Some((_, block)) = bench.session.next_read() {
        // Whoever dials us meanwhile is refused once its handshake names the torrent.
        let early = bench.session.handle_accepted(caller, now);
        let early = early.expect("it may want another torrent");
        bench.hands(early, &encode(HELLO, &bench.setting));
        let torrent = bench.session.torrent(bench.torrent);
        assert!(torrent.expect("it is there").connections.is_empty());
        came += 1;
        match block.piece {
            3 => bench
                .session
                .handle_unreadable(bench.torrent, "content: gone".into(), now),
            _ => read(&mut bench, block),
        }
        assert_eq!(checked(&bench), None);
    }
    bench.turn();
    assert_eq!(checked(&bench), Some((2, 2 * u64::from(PIECE))));
    assert_eq!(bench.progress().checking, None);
    assert_eq!(
        bench.session.failure(bench.torrent),
        None,
        "it can be fetched again"
    );
    let saved = bench.saves.last().expect("what was found out is saved");
    assert_eq!(saved.verified.ones().collect::<Vec<_>>(), [0, 2]);
    assert!(!saved.clean, "content is about to come");
    let key = bench.accepts(caller);
    bench.says(key, HELLO);
    assert!(bench.session.peer(key).is_some());
    bench.wait(limits::INCOMING_EVERY);
    let early = Report::FailedIncoming(vec![(Failed::TooEarly, came)]);
    assert!(came > 3 && bench.reports.contains(&early), "{came}");
}

#[test]
fn of_pieces_in_a_hole_one_is_read() {
    let mut bench = unchecked(&[2]);
    let mut read_pieces = Vec::new();
    loop {
        let hole = bench.session.next_hole().filter(|&(_, piece)| piece != 2);
        if hole.is_some() && bench.session.handle_hole(bench.torrent) {
            continue;
        }
        let Some((_, block)) = bench.session.next_read() else {
            break;
        };
        read_pieces.push(block.piece);
        read(&mut bench, block);
    }
    read_pieces.dedup();
    assert_eq!(read_pieces, [0, 2]);
    bench.turn();
    assert_eq!(checked(&bench), Some((1, 3 * u64::from(PIECE))));
    // Later there is nothing to be found out that way.
    assert_eq!(bench.session.next_hole(), None);
    assert!(!bench.session.handle_hole(bench.torrent));
}

#[test]
fn progress_is_told_while_it_lasts() {
    let mut bench = unchecked(&[]);
    let due = bench.session.next_deadline().expect("somebody waits");
    bench.now = due;
    bench.session.plan(bench.now);
    let told = std::iter::from_fn(|| bench.session.next_effect())
        .filter(|effect| format!("{effect:?}").contains("checking: Some"))
        .count();
    assert_eq!(told, 1);
}

#[test]
fn what_is_complete_already_is_said_to_be_and_left_if_one_does_not_stay() {
    for stays in [true, false] {
        let mut bench = unchecked(&[0, 1, 2, 3]);
        bench.begins(|_, order| {
            order.to_hash = Bits::full(PIECES);
            if !stays {
                order.stay = Stay::No;
            }
        });
        bench.turn();
        assert_eq!(checked(&bench), Some((4, 0)));
        let complete = |report: &Report| matches!(report, Report::Complete { downloaded: 0, .. });
        assert!(bench.reports.iter().any(complete));
        let reason = "complete".to_string();
        let stopped = bench.reports.contains(&Report::Stopped { reason });
        assert_eq!((stopped, bench.session.is_over()), (!stays, !stays));
        let saved = bench.saves.last().expect("it is known to be whole now");
        assert!(saved.clean && saved.verified.count() == PIECES);
    }
}

#[test]
fn a_stop_comes_before_the_end_of_it() {
    let mut bench = unchecked(&[0]);
    bench.session.stop_all("SIGINT", bench.now);
    bench.session.plan(bench.now);
    assert!(bench.session.is_over());
    assert_eq!(bench.session.next_deadline(), None);
    let saved = std::iter::from_fn(|| bench.session.next_effect());
    let saves = saved.filter(|effect| format!("{effect:?}").starts_with("Save"));
    assert_eq!(saves.count(), 0, "what was known before is still true");
}
