//! Who goes when, on a clock of the test's own.

use super::*;

const HOST: [u8; 4] = [192, 0, 2, 1];

fn at(millis: u64) -> Time {
    Time::default() + Duration::from_millis(3_600_000 + millis)
}

fn addr(port: u16) -> SocketAddr {
    (HOST, port).into()
}

fn ticket(torrent: TorrentKey, number: u32, addr: SocketAddr, connects: bool) -> Ticket {
    let id = Id { torrent, number };
    Ticket {
        id,
        addr,
        connects,
        leaving: false,
    }
}

/// When each of this many went, in milliseconds, of those that all wait from 0 on and are over at
/// once; and whose they were.
fn gone(visits: &mut Visits, count: usize) -> Vec<(u64, TorrentKey)> {
    let mut gone = Vec::new();
    let mut now = at(0);
    while gone.len() < count {
        while let Some(ticket) = visits.next(now) {
            gone.push((now.since(at(0)).as_millis() as u64, ticket.id.torrent));
            visits.leave(ticket.id, now);
        }
        match visits.next_deadline() {
            Some(due) => now = now.max(due),
            None => break,
        }
    }
    gone
}

/// A host that has not answered as a tracker, asked by one torrent or by many, by any port and way.
#[test]
fn an_unknown_host_is_asked_by_and_by_and_nobody_is_refused() {
    for torrents in [1, 7, 1000] {
        let mut visits = Visits::default();
        for number in 0..1000 {
            let to = addr(1 + (number % 5) as u16);
            let ticket = ticket(number % torrents, number as u32, to, number % 2 == 0);
            visits.enter(ticket, at(0));
        }
        let most = limits::TRACKER_VISITS as usize;
        let gap = limits::VISIT_GAP.as_millis() as u64;
        let expected = (0..1000).map(|place: usize| place.saturating_sub(most - 1) as u64 * gap);
        let gone = gone(&mut visits, 1000);
        assert!(gone.iter().map(|(at, _)| *at).eq(expected));
        assert!(visits.at.is_empty() && visits.next_deadline().is_none());
        let other = SocketAddr::from(([192, 0, 2, 2], 1));
        visits.enter(ticket(0, 5000, other, false), at(0));
        assert!(visits.next(at(0)).is_some(), "others do not wait");
    }
}

/// Once it has answered as a tracker, none of those that wait for it waits for the rest of the
/// host, no second sees more than fifty, and they come at a few moments a second.
#[test]
fn a_tracker_is_asked_often_and_its_host_is_not() {
    let mut visits = Visits::default();
    for torrent in 0..1000 {
        visits.enter(ticket(torrent, 1, addr(80), true), at(0));
        visits.enter(ticket(torrent, 2, addr(22), true), at(0));
    }
    let first = visits.next(at(0)).unwrap();
    visits.leave(first.id, at(0));
    visits.prove(addr(80), at(0));
    let mut now = at(0);
    let mut went: BTreeMap<u16, Vec<u64>> = BTreeMap::from([(80, vec![0])]);
    while let Some(due) = visits.next_deadline().filter(|&due| due <= at(60_000)) {
        now = now.max(due);
        while let Some(ticket) = visits.next(now) {
            let times = went.entry(ticket.addr.port()).or_default();
            times.push(now.since(at(0)).as_millis() as u64);
            visits.leave(ticket.id, now);
        }
    }
    let trackers = &went[&80];
    assert_eq!(trackers.len(), 1000);
    let steady = limits::PROVEN_GAP * (1000 - limits::PROVEN_AT_ONCE);
    assert_eq!(trackers.last().copied(), Some(steady.as_millis() as u64));
    let moments: BTreeSet<u64> = trackers.iter().copied().collect();
    assert_eq!(moments.len(), 1000 / limits::PROVEN_AT_ONCE as usize);
    let densest = trackers.iter().map(|from| {
        let second = from + 1000;
        trackers
            .iter()
            .filter(|at| (*from..=second).contains(at))
            .count()
    });
    assert!(densest.max().is_some_and(|most| most < 50));
    // The host itself got one question to the tracker; the rest is as for any host.
    let gap = limits::VISIT_GAP.as_millis() as u64;
    assert_eq!(
        went[&22].len() as u64,
        u64::from(limits::TRACKER_VISITS) - 1 + 60_000 / gap
    );
}

/// On the way out a tracker hears from everybody as fast as it answers, and a host that is none is
/// asked no more often than usual.
#[test]
fn a_farewell_is_not_spaced_as_announces_are() {
    let steady = limits::FAREWELL.as_micros() / limits::FAREWELL_GAP.as_micros();
    let host = u128::from(limits::TRACKER_VISITS);
    for (is_proven, least, most) in [(true, steady, steady + 10), (false, host, host)] {
        let mut visits = Visits::default();
        if is_proven {
            visits.prove(addr(80), at(0));
        }
        for torrent in 0..10_000 {
            let farewell = Ticket {
                leaving: true,
                ..ticket(torrent, 1, addr(80), false)
            };
            visits.enter(farewell, at(0));
        }
        let (mut now, mut gone) = (at(0), 0_u128);
        let end = at(0) + limits::FAREWELL;
        while let Some(due) = visits.next_deadline().filter(|&due| due < end) {
            now = now.max(due);
            while let Some(ticket) = visits.next(now) {
                gone += 1;
                visits.leave(ticket.id, now);
            }
        }
        assert!((least..=most).contains(&gone), "{gone}");
    }
}

#[test]
fn a_proof_does_not_last_for_ever() {
    let mut visits = Visits::default();
    visits.prove(addr(80), at(0));
    let span = limits::PROVEN_FOR.as_millis() as u64;
    for number in 0..200 {
        visits.enter(ticket(0, number, addr(80), false), at(span - 1));
    }
    assert!(visits.lines.contains_key(&Target::Tracker(addr(80))));
    assert!(!visits.lines.contains_key(&Target::of_host(addr(80))));
    visits.enter(ticket(0, 1000, addr(80), false), at(span));
    assert!(visits.lines.contains_key(&Target::of_host(addr(80))));
}

/// One torrent with thirty questions does not keep others waiting with theirs.
#[test]
fn torrents_take_turns() {
    let mut visits = Visits::default();
    for number in 0..30 {
        visits.enter(ticket(5, number, addr(80), false), at(0));
    }
    for torrent in [1, 9, 7] {
        visits.enter(ticket(torrent, 1, addr(80), false), at(0));
    }
    let order: Vec<TorrentKey> = gone(&mut visits, 8)
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    let mut first = order[..4].to_vec();
    first.sort_unstable();
    assert_eq!(first, [1, 5, 7, 9]);
    assert!(order[4..].iter().all(|&key| key == 5));
}

/// Connections are bounded, at one address and in all; who has fewest gets the next.
#[test]
fn connections_are_shared_out() {
    let mut visits = Visits::default();
    let silent = |number: u8| SocketAddr::from(([198, 51, 100, number], 80));
    for number in 0..200 {
        visits.enter(ticket(1, number, silent(number as u8), true), at(0));
    }
    let mut connected: Vec<Ticket> = std::iter::from_fn(|| visits.next(at(0))).collect();
    assert_eq!(connected.len(), limits::TRACKER_CONNECTIONS);
    assert_eq!(visits.next_deadline(), None, "it does not wake for nothing");
    visits.enter(ticket(2, 1, silent(0), true), at(0));
    visits.enter(ticket(2, 2, silent(1), false), at(0));
    let datagram = visits.next(at(0)).map(|ticket| ticket.id.number);
    assert_eq!(datagram, Some(2), "over UDP no connection is needed");
    assert_eq!(visits.next(at(0)), None);
    let over = connected.pop().unwrap();
    visits.leave(over.id, at(1));
    let next = visits.next(at(1)).map(|ticket| ticket.id.torrent);
    assert_eq!(next, Some(2), "the torrent that has none goes first");
    assert_eq!(visits.next(at(1)), None);
    let gone: Vec<Id> = visits.at.keys().copied().collect();
    for id in gone {
        visits.leave(id, at(2));
    }
    assert_eq!((visits.connected, visits.next(at(2))), (0, None));

    let mut visits = Visits::default();
    visits.prove(addr(80), at(0));
    for torrent in 0..100 {
        visits.enter(ticket(torrent, 1, addr(80), true), at(0));
    }
    let mut now = at(0);
    let mut count = 0;
    while let Some(due) = visits.next_deadline() {
        now = now.max(due);
        count += std::iter::from_fn(|| visits.next(now)).count();
    }
    assert_eq!(count, limits::TRACKER_CONNECTIONS_EACH);
}

#[test]
fn idle_lines_are_forgotten() {
    let mut visits = Visits::default();
    for number in 0..10_000_u32 {
        let now = at(u64::from(number) * 100_000);
        let [_, a, b, c] = number.to_be_bytes();
        let to = SocketAddr::from(([20, a, b, c], 80));
        visits.enter(ticket(0, number, to, true), now);
        let ticket = visits.next(now).unwrap();
        visits.leave(ticket.id, now);
    }
    assert!(visits.lines.len() <= 64, "{}", visits.lines.len());
    assert!(visits.due.is_empty() && visits.blocked.is_empty() && visits.at.is_empty());
}
