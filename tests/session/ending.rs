//! How a session ends: what it says at last is true, and so is what it leaves for the next one.

use brooklet::base::limits;
use brooklet::session::{Command, Refused, command};
use brooklet::torrent::Report;

use crate::requests;
use crate::session::Bench;
use crate::transcript::words::encode;

/// A download of which this many pieces have come, and the last block of one more is about to.
fn almost(pieces: u32) -> (Bench, usize, u32, Vec<u8>) {
    let mut bench = Bench::getter(pieces + 1, &[]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let mut asked = requests(&mut bench, peer);
    while bench.verified().len() < pieces as usize || asked.len() > 1 {
        let next = asked.remove(0);
        bench.sends_blocks(peer, &[next]);
        asked.extend(requests(&mut bench, peer));
    }
    let last = asked[0].replace("request ", "piece ");
    let bytes = encode(&last, &bench.setting);
    let piece = crate::transcript::words::block(&last).piece;
    (bench, peer, piece, bytes)
}

#[test]
fn a_block_that_could_not_be_written_makes_no_piece() {
    for pieces in [0, 3] {
        let (mut bench, peer, piece, mut bytes) = almost(pieces);
        let mut input = bench.session.open(peer, &mut bytes);
        let write = bench.session.receive(peer, &mut input, bench.now);
        let block = write.expect("it is to be written").block;
        let why = "content: no space left on device".to_string();
        bench
            .session
            .handle_unwritten(bench.torrent, block, why.clone(), bench.now);
        // What else was read is handed in before the turn is over.
        while bench.session.receive(peer, &mut input, bench.now).is_some() {}
        bench.turn();
        let said = |report: &Report| bench.reports.iter().position(|other| other == report);
        let error = said(&Report::Error(why)).expect("the error is told");
        let reason = "error".to_string();
        assert!(said(&Report::Stopped { reason }) > Some(error));
        assert_eq!(bench.verified().len(), pieces as usize);
        let complete = |report: &Report| matches!(report, Report::Complete { .. });
        assert!(!bench.reports.iter().any(complete));
        let saved = bench.saves.last().expect("something is saved");
        assert_eq!(saved.verified.count(), pieces);
        assert!(!saved.verified.get(piece));
    }
}

#[test]
fn a_stop_says_that_nothing_more_is_written() {
    let mut bench = Bench::getter(4, &[0]);
    let clean = |bench: &Bench| {
        bench
            .saves
            .iter()
            .map(|save| save.clean)
            .collect::<Vec<_>>()
    };
    assert_eq!(clean(&bench), [false], "content is about to come");
    bench.session.stop_all("SIGINT", bench.now);
    bench.turn();
    assert_eq!(clean(&bench), [false, true]);
    assert_eq!(bench.saves[1].verified.ones().collect::<Vec<_>>(), [0]);
    // The next signal changes nothing.
    bench.session.stop_all("SIGTERM", bench.now);
    bench.turn();
    assert_eq!(bench.saves.len(), 2);
}

#[test]
fn a_stop_leaves_nothing_to_turn_for() {
    let mut bench = Bench::getter(4, &[]);
    let peer = bench.join(1, true);
    // What comes in the turn of the stop is not planned for any more.
    bench.hands(peer, &encode("have all", &bench.setting));
    bench.session.stop_all("SIGINT", bench.now);
    bench.turn();
    assert!(!bench.session.is_pending());
}

/// Else the process would go on.
#[test]
fn nothing_is_resumed_paused_or_added_to_stay_once_all_torrents_end() {
    let mut bench = Bench::seeder(2);
    let (failed, paused) = (bench.torrent, bench.adds("paused", |_| ()));
    bench
        .session
        .fail(failed, "content: gone".into(), bench.now);
    let pause = Command::Pause(paused);
    command::perform(&mut bench.session, pause, bench.now).unwrap();
    bench.turn();
    bench.session.stop_all("SIGTERM", bench.now);
    bench.turn();
    for torrent in [failed, paused] {
        for command in [Command::Pause(torrent), Command::Resume(torrent)] {
            let done = command::perform(&mut bench.session, command, bench.now);
            assert_eq!(done, Err(Refused::AllEnding), "{command:?}");
        }
    }
    // Its files were being opened when the signal came.
    bench.adds("late", |_| ());
    bench.wait(limits::FAREWELL);
    assert!(bench.session.is_over());
    assert_eq!(bench.reopened, [0; 0]);
    // To be forgotten holds for the next start.
    let (torrent, data) = (failed, false);
    let remove = Command::Remove { torrent, data };
    assert_eq!(
        command::perform(&mut bench.session, remove, bench.now),
        Ok(())
    );
    bench.turn();
    assert!(bench.session.is_over());
    assert_eq!(bench.closed, [(failed, false)]);
}
