//! What a user changes while the process runs: pausing, removing, limits, and which torrents
//! download at the same time.

use std::net::SocketAddr;

use brooklet::base::{Bits, Duration, TorrentKey};
use brooklet::session::{Change, Command, Refused, State, command, reopening, view};
use brooklet::torrent::Report;

use crate::requests;
use crate::session::Bench;

fn does(bench: &mut Bench, command: Command) -> Result<(), Refused> {
    let done = command::perform(&mut bench.session, command, bench.now);
    bench.turn();
    done
}

fn states(bench: &Bench) -> Vec<(u32, State)> {
    let view = view::snapshot(&bench.session, bench.now);
    let torrents = view.torrents.iter();
    torrents
        .map(|torrent| (torrent.number, torrent.state))
        .collect()
}

fn state(bench: &Bench) -> State {
    states(bench)[0].1
}

#[test]
fn a_torrent_that_is_paused_leaves_its_peers_and_meets_them_again() {
    let mut bench = Bench::getter(4, &[0]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    assert!(!requests(&mut bench, peer).is_empty());
    assert_eq!(state(&bench), State::Downloading);
    assert_eq!(does(&mut bench, Command::Pause(0)), Ok(()));
    assert!(bench.is_gone(peer));
    assert_eq!(state(&bench), State::Paused);
    assert!(
        bench.saves.last().is_some_and(|saved| saved.clean),
        "nothing is being written"
    );
    let stranger = "192.0.2.2:50001".parse().unwrap();
    assert_eq!(bench.session.handle_accepted(stranger, bench.now), None);
    // However long: it asks for nothing, and there is nothing to wake up for.
    bench.wait(Duration::from_secs(3600));
    assert_eq!(bench.session.next_deadline(), None);
    assert_eq!(
        does(&mut bench, Command::Pause(0)),
        Ok(()),
        "it is paused already"
    );
    assert_eq!(does(&mut bench, Command::Resume(0)), Ok(()));
    assert_eq!(state(&bench), State::Downloading);
    let peer = bench.join(3, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let asked = requests(&mut bench, peer);
    bench.sends_blocks(peer, &asked);
    bench.everything_comes();
    assert_eq!(bench.verified().len(), 3);
    assert_eq!(state(&bench), State::Seeding);
}

#[test]
fn a_resumed_torrent_dials_at_once_the_peers_that_it_left() {
    let mut bench = Bench::getter(4, &[0]);
    // Dials a second are bounded.
    bench.wait(Duration::from_secs(1));
    let useful = bench.call(1, true);
    bench.says(useful, "have all");
    bench.says(useful, "unchoke");
    let asked = requests(&mut bench, useful);
    bench.sends_blocks(useful, &asked);
    bench.call(2, true);
    let being_dialed = "192.0.2.3:6881".parse().unwrap();
    bench.dials(being_dialed);
    for after in [0, 1, 3600] {
        assert_eq!(does(&mut bench, Command::Pause(0)), Ok(()));
        bench.wait(Duration::from_secs(after));
        assert_eq!(does(&mut bench, Command::Resume(0)), Ok(()));
        bench.wait(Duration::from_secs(1));
        for number in 1..=3 {
            let addr = SocketAddr::from(([192, 0, 2, number], 6881));
            assert!(bench.dialled(addr).is_some(), "{addr} after {after} s");
        }
    }
}

#[test]
fn what_is_paused_has_no_rates() {
    let mut bench = Bench::getter(4, &[0]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    bench.wait(Duration::from_secs(1));
    let asked = requests(&mut bench, peer);
    bench.sends_blocks(peer, &asked);
    bench.wait(Duration::from_secs(1));
    let down = |bench: &Bench| {
        view::snapshot(&bench.session, bench.now).torrents[0]
            .rates
            .down
    };
    assert!(down(&bench) > 0);
    assert_eq!(does(&mut bench, Command::Pause(0)), Ok(()));
    assert_eq!(down(&bench), 0);
}

#[test]
fn what_is_complete_shows_no_rate_that_was() {
    let mut bench = Bench::getter(4, &[0]);
    let peer = bench.join(1, true);
    bench.says(peer, "have all");
    bench.says(peer, "unchoke");
    let rates = |bench: &Bench| {
        let view = view::snapshot(&bench.session, bench.now);
        (view.torrents[0].rates.down, view.rates.down)
    };
    bench.wait(Duration::from_secs(1));
    bench.everything_comes();
    assert_eq!(state(&bench), State::Seeding);
    let (own, all) = rates(&bench);
    assert!(own == 0 && all > 0, "nothing can come for it: {own}, {all}");
    bench.says(peer, "interested");
    bench.wait(Duration::from_secs(5));
    assert_eq!(rates(&bench), (0, 0), "of the last seconds");
}

#[test]
fn a_check_that_is_paused_goes_on_where_it_was() {
    let mut bench = Bench::getter(4, &[1]);
    bench.begins(|_, order| order.to_hash = Bits::full(4));
    bench.session.plan(bench.now);
    assert_eq!(state(&bench), State::Checking);
    let pause = Command::Pause(bench.torrent);
    command::perform(&mut bench.session, pause, bench.now).unwrap();
    assert_eq!(bench.session.next_read(), None);
    bench.turn();
    assert_eq!(state(&bench), State::Paused);
    assert_eq!(does(&mut bench, Command::Resume(0)), Ok(()));
    let checked = bench
        .reports
        .iter()
        .any(|report| matches!(report, Report::Checked { have: 1, .. }));
    assert!(checked, "{:?}", bench.reports);
    assert_eq!(state(&bench), State::Downloading);
}

#[test]
fn a_torrent_is_removed_with_its_content_or_without() {
    for data in [false, true] {
        let mut bench = Bench::seeder(2);
        let peer = bench.join(1, true);
        let torrent = bench.torrent;
        let remove = Command::Remove { torrent, data };
        assert_eq!(does(&mut bench, remove), Ok(()));
        assert!(bench.is_gone(peer));
        assert_eq!(bench.closed, [(torrent, data)]);
        assert_eq!(states(&bench), []);
        assert_eq!(does(&mut bench, remove), Err(Refused::Unknown));
        assert_eq!(
            does(&mut bench, Command::Pause(torrent)),
            Err(Refused::Unknown)
        );
        // Its key may be another's, its number is not.
        bench.adds("another", |_| ());
        bench.turn();
        assert_eq!(states(&bench), [(2, State::Seeding)]);
    }
}

fn failed() -> Bench {
    let mut bench = Bench::seeder(2);
    bench
        .session
        .fail(bench.torrent, "content: gone".into(), bench.now);
    bench.turn();
    assert_eq!(state(&bench), State::Failed);
    bench
}

#[test]
fn what_has_failed_is_removed() {
    let mut bench = failed();
    let (torrent, data) = (bench.torrent, false);
    assert_eq!(does(&mut bench, Command::Remove { torrent, data }), Ok(()));
    assert_eq!(bench.closed, [(torrent, false)]);
    assert_eq!(bench.reopened, [0; 0]);
}

#[test]
fn what_has_failed_is_opened_anew_when_it_is_resumed() {
    let mut bench = failed();
    let before = bench.torrent;
    // It is as if it were paused, and remembers why it failed.
    assert_eq!(does(&mut bench, Command::Pause(before)), Ok(()));
    assert_eq!(state(&bench), State::Failed);
    assert_eq!(bench.session.failure(before), Some("content: gone"));
    assert_eq!(does(&mut bench, Command::Resume(before)), Ok(()));
    assert_eq!(bench.reopened, [before]);
    assert_eq!(states(&bench), [(1, State::Checking)], "it is shown");
    // More of the same changes nothing but what it does then.
    assert_eq!(does(&mut bench, Command::Pause(before)), Ok(()));
    assert_eq!(states(&bench), [(1, State::Paused)]);
    assert_eq!(does(&mut bench, Command::Resume(before)), Ok(()));
    assert_eq!(states(&bench), [(1, State::Checking)]);
    assert_eq!(bench.reopened, [before], "once");
    bench.wait(Duration::from_secs(3600));
    assert_eq!(bench.session.next_deadline(), None);
    let order = bench.order();
    let info_hash = order.info_hash;
    assert_eq!(reopening::find(&bench.session, &info_hash), Some(before));
    bench.session.forget(before);
    command::number_next(&mut bench.session, 1);
    bench.session.add(order, bench.now).unwrap();
    bench.turn();
    assert_eq!(states(&bench), [(1, State::Seeding)]);
}

#[test]
fn what_fails_again_while_it_is_opened_anew_may_be_resumed_or_removed() {
    let mut bench = failed();
    let torrent = bench.torrent;
    for times in 1..=2 {
        assert_eq!(does(&mut bench, Command::Resume(torrent)), Ok(()));
        assert_eq!(bench.reopened.len(), times);
        bench.session.fail(torrent, "again".into(), bench.now);
        bench.turn();
        assert_eq!(state(&bench), State::Failed);
    }
    assert_eq!(bench.session.failure(torrent), Some("again"));
    assert_eq!(does(&mut bench, Command::Resume(torrent)), Ok(()));
    let data = true;
    assert_eq!(does(&mut bench, Command::Remove { torrent, data }), Ok(()));
    assert_eq!(bench.closed, [(torrent, true)]);
}

#[test]
fn a_paused_torrent_is_removed_at_once() {
    let mut bench = Bench::seeder(2);
    let torrent = bench.torrent;
    assert_eq!(does(&mut bench, Command::Pause(torrent)), Ok(()));
    let remove = Command::Remove {
        torrent,
        data: true,
    };
    assert_eq!(does(&mut bench, remove), Ok(()));
    assert_eq!(bench.closed, [(torrent, true)]);
}

#[test]
fn the_first_that_were_added_download_first() {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|config, _| config.active = Some(2));
    let others: Vec<TorrentKey> = (2..=4)
        .map(|n| bench.adds(&n.to_string(), |_| ()))
        .collect();
    bench.turn();
    let [down, wait] = [State::Downloading, State::Queued];
    assert_eq!(states(&bench), [(1, down), (2, down), (3, wait), (4, wait)]);
    assert_eq!(does(&mut bench, Command::Pause(others[0])), Ok(()));
    assert_eq!(
        states(&bench),
        [(1, down), (2, State::Paused), (3, down), (4, wait)]
    );
    assert_eq!(does(&mut bench, Command::Resume(others[0])), Ok(()));
    assert_eq!(states(&bench), [(1, down), (2, wait), (3, down), (4, wait)]);
    bench.session.fail(others[1], "no room".into(), bench.now);
    bench.turn();
    assert_eq!(
        states(&bench),
        [(1, down), (2, down), (3, State::Failed), (4, wait)]
    );
    let torrent = others[0];
    assert_eq!(
        does(
            &mut bench,
            Command::Remove {
                torrent,
                data: false
            }
        ),
        Ok(())
    );
    assert_eq!(states(&bench), [(1, down), (3, State::Failed), (4, down)]);
}

#[test]
fn a_download_that_was_begun_keeps_its_place_while_it_is_checked() {
    let mut bench = Bench::getter(4, &[]);
    bench.begins(|config, order| {
        config.active = Some(1);
        order.trusted = Bits::new(4);
        order.trusted.set(0);
        order.to_hash = Bits::new(4);
        order.to_hash.set(1);
    });
    bench.adds("new", |_| ());
    bench.turn();
    bench.turn();
    assert_eq!(
        states(&bench),
        [(1, State::Downloading), (2, State::Queued)]
    );
}

#[test]
fn a_seed_needs_no_turn_among_downloads() {
    let mut bench = Bench::getter(2, &[]);
    bench.begins(|config, _| config.active = Some(1));
    bench.adds("seed", |order| {
        (order.trusted, order.download) = (Bits::full(2), false)
    });
    bench.turn();
    assert_eq!(
        states(&bench),
        [(1, State::Downloading), (2, State::Seeding)]
    );
}

#[test]
fn limits_come_and_go() {
    let mut bench = Bench::seeder(2);
    let peer = bench.join(1, true);
    bench.says(peer, "interested");
    bench.wait(Duration::from_secs(11));
    assert_eq!(bench.session.upload_allowance(peer), u64::MAX);
    for torrent in [None, Some(bench.torrent)] {
        let limit = |up| Command::Limit {
            torrent,
            limits: Change {
                down: None,
                up: Some(up),
            },
        };
        assert_eq!(does(&mut bench, limit(Some(32 << 10))), Ok(()));
        assert_eq!(bench.session.upload_allowance(peer), 0);
        let view = view::snapshot(&bench.session, bench.now);
        let limits = (view.rates.up_limit, view.torrents[0].rates.up_limit);
        let limited = Some(32 << 10);
        let right = if torrent.is_none() {
            (limited, None)
        } else {
            (None, limited)
        };
        assert_eq!(limits, right);
        assert_eq!(does(&mut bench, limit(None)), Ok(()));
        assert_eq!(bench.session.upload_allowance(peer), u64::MAX);
    }
    let unknown = Command::Limit {
        torrent: Some(7),
        limits: Change::default(),
    };
    assert_eq!(does(&mut bench, unknown), Err(Refused::Unknown));
}
