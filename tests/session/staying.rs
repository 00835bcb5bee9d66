//! How long a session stays when there is nothing left to download, and what it leaves behind when
//! it goes.

use brooklet::base::{Duration, Totals};
use brooklet::peer::EndReason;
use brooklet::torrent::{Report, Stay};

use crate::session::{BLOCKS, Bench, PIECE};
use crate::transcript::words::encode;
use crate::{requests, seconds_pass};

fn stopped(bench: &Bench) -> Option<&str> {
    bench.reports.iter().find_map(|report| match report {
        Report::Stopped { reason } => Some(reason.as_str()),
        _ => None,
    })
}

#[test]
fn a_seed_stays_for_its_time() {
    let mut bench = Bench::seeder(4);
    let time = Some(Duration::from_secs(600));
    bench.begins(|_, order| order.stay = Stay::Until { ratio: None, time });
    bench.turn();
    seconds_pass(&mut bench, &[], 599);
    assert_eq!(stopped(&bench), None);
    let due = bench.session.next_deadline();
    assert_eq!(due, Some(bench.now + Duration::from_secs(1)));
    seconds_pass(&mut bench, &[], 1);
    assert_eq!(stopped(&bench), Some("seed-time"));
    assert!(bench.session.is_over());
}

#[test]
fn a_seed_stays_for_its_ratio_and_earlier_runs_count() {
    let mut bench = Bench::seeder(4);
    let size = u64::from(4 * PIECE);
    bench.begins(|_, order| {
        order.earlier = Totals {
            down: size,
            up: size,
        };
        order.stay = Stay::Until {
            ratio: Some(1.25),
            time: None,
        };
    });
    bench.turn();
    let taker = bench.join(1, true);
    bench.says(taker, "interested");
    // A quarter of the content is one piece.
    for number in 0..BLOCKS {
        assert_eq!(stopped(&bench), None);
        let begin = number * PIECE / BLOCKS;
        bench.says(taker, &format!("request 0 at {begin}, 16384 bytes"));
    }
    // What is sent at the end of a turn counts in the next.
    bench.turn();
    assert_eq!(stopped(&bench), Some("ratio"));
    assert!(bench.is_gone(taker));
    let saved = bench.saves.last().expect("what was sent is saved");
    assert_eq!(saved.totals.up, size + u64::from(PIECE));
}

#[test]
fn a_download_that_does_not_stay_ends_with_its_last_piece() {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|_, order| order.stay = Stay::No);
    bench.turn();
    let giver = bench.join(1, true);
    bench.says(giver, "have all");
    bench.says(giver, "unchoke");
    assert_eq!(stopped(&bench), None);
    bench.everything_comes();
    assert_eq!(stopped(&bench), Some("complete"));
    assert!(bench.is_gone(giver) && bench.session.is_over());
    let size = u64::from(2 * PIECE);
    let complete = |report: &Report| matches!(report, Report::Complete { downloaded, uploaded: 0, .. } if *downloaded == size);
    assert!(bench.reports.iter().any(complete));
    let saved = bench.saves.last().expect("it is saved");
    assert!(saved.clean && saved.verified.count() == 2 && saved.totals.down == size);
}

#[test]
fn what_reaches_the_disk_after_a_stop_is_saved_too() {
    let mut bench = Bench::getter(2, &[0]);
    let giver = bench.join(1, true);
    bench.says(giver, "have all");
    bench.says(giver, "unchoke");
    let asked = requests(&mut bench, giver);
    bench.sends_blocks(giver, &asked[..1]);
    let mut last = encode(&asked[1].replace("request ", "piece "), &bench.setting);
    let mut input = bench.session.open(giver, &mut last);
    let write = bench.session.receive(giver, &mut input, bench.now);
    let write = write.expect("it is to be written");
    bench.session.stop_all("SIGINT", bench.now);
    bench.turn();
    assert_eq!(
        bench.saves.last().map(|saved| saved.verified.count()),
        Some(1)
    );
    let start = bench.setting.local.geometry.offset(write.block) as usize;
    bench.disk[start..start + write.data.len()].copy_from_slice(write.data);
    bench
        .session
        .handle_written(bench.torrent, &[(write.block, write.data)]);
    bench.turn();
    let saved = bench.saves.last().expect("it is saved again");
    assert!(saved.clean && saved.verified.count() == 2);
}

#[test]
fn a_file_of_ours_that_is_gone_ends_a_download() {
    let mut bench = Bench::getter(1, &[]);
    let giver = bench.join(1, true);
    bench.says(giver, "have all");
    bench.says(giver, "unchoke");
    // The second block comes first: the piece can be verified only by reading it back.
    let mut asked = requests(&mut bench, giver);
    asked.reverse();
    for request in &asked {
        let bytes = encode(&request.replace("request ", "piece "), &bench.setting);
        bench.hands(giver, &bytes);
    }
    let (why, now) = ("content: it is gone".to_string(), bench.now);
    bench.session.plan(now);
    assert!(bench.session.next_read().is_some());
    bench
        .session
        .handle_unreadable(bench.torrent, why.clone(), now);
    bench.turn();
    assert_eq!(bench.session.failure(bench.torrent), Some(why.as_str()));
    assert!(bench.reports.contains(&Report::Error(why)));
    assert_eq!(stopped(&bench), Some("error"));
    assert!(bench.is_gone(giver) && bench.verified().is_empty());
}

#[test]
fn a_warning_is_passed_on_and_ends_nothing() {
    let mut bench = Bench::getter(1, &[]);
    let words = "resume data not saved: the disk is full".to_string();
    bench.session.warn(Some(bench.torrent), words.clone());
    bench.turn();
    assert!(bench.reports.contains(&Report::Warning(words)));
    assert_eq!(
        (stopped(&bench), bench.session.failure(bench.torrent)),
        (None, None)
    );
}

#[test]
fn files_are_let_go_when_the_last_peer_has_left_what_is_whole() {
    let mut bench = Bench::seeder(4);
    assert_eq!(bench.rests, 1, "nobody is there yet");
    let peers = [bench.join(1, true), bench.join(2, true)];
    bench
        .session
        .handle_closed(peers[0], EndReason::Closed, bench.now);
    bench.turn();
    assert_eq!(bench.rests, 1, "one is still there");
    bench
        .session
        .handle_closed(peers[1], EndReason::Closed, bench.now);
    bench.turn();
    bench.wait(Duration::from_secs(3600));
    assert_eq!(bench.rests, 2, "said once");
    let mut getter = Bench::getter(4, &[0]);
    let peer = getter.join(1, true);
    getter
        .session
        .handle_closed(peer, EndReason::Closed, getter.now);
    getter.turn();
    assert_eq!(getter.rests, 0, "it waits for more");
}
