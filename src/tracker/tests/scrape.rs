//! Asking every tracker once how the swarm is.

use super::*;

const A: &str = "http://10.0.0.1/x/announce?k=1";
const SWARM: &str =
    "d5:filesd20:hhhhhhhhhhhhhhhhhhhhd8:completei5e10:downloadedi50e10:incompletei10eeee";

fn counts(seeders: u32, leechers: u32, completed: u32) -> Counts {
    Counts {
        seeders: Some(seeders),
        leechers: Some(leechers),
        completed: Some(completed),
    }
}

#[test]
fn every_tracker_is_asked_at_once() {
    let mut bench = Bench::scraper(&[
        &[A, "http://10.0.0.2/a"],
        &["udp://10.0.0.3:9"],
        &["wss://s/announce"],
    ]);
    let get = bench.get();
    assert!(
        get.text
            .starts_with("GET /x/scrape?k=1&info_hash=hhhhhhhhhhhhhhhhhhhh HTTP/1.1\r\n"),
        "{}",
        get.text
    );
    let (to, connect) = bench.datagram();
    bench.quiet();
    bench.answer(&get, SWARM);
    let answer = [&[0; 4], &connect[12..16], &[0, 0, 0, 0, 0, 0, 0, 7]].concat();
    assert!(bench.hear_datagram(to, &answer));
    let (to, request) = bench.datagram();
    assert_eq!((request.len(), &request[16..]), (36, &HASH.0[..]));
    let numbers = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let answer = [&[0, 0, 0, 2], &request[12..16], &numbers].concat();
    assert!(!bench.trackers.is_idle());
    bench.hear_datagram(to, &answer);
    bench.quiet();
    assert!(bench.trackers.is_idle());
    assert_eq!(bench.idle_for(), None, "once");
    let of = |url: &str| {
        bench
            .reports
            .iter()
            .find(|report| report.url == url)
            .unwrap()
    };
    assert_eq!(of(A).counts, counts(5, 10, 50));
    assert_eq!(of("udp://10.0.0.3:9").counts, counts(1, 3, 2));
    let why = "it cannot be scraped: its URL does not end in \"announce\"";
    assert_eq!(of("http://10.0.0.2/a").outcome, Err(String::from(why)));
    assert!(of("wss://s/announce").outcome.is_err());
    assert_eq!(bench.reports.len(), 4);
}

#[test]
fn the_first_family_that_answers_is_enough() {
    let mut bench = Bench::scraper(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1", "::1"]);
    let (v4, v6) = (bench.get(), bench.get());
    bench.refuse(&v4);
    assert!(bench.said().is_empty());
    bench.answer(&v6, SWARM);
    assert_eq!(bench.said(), ["http://t/announce 0"]);
    assert!(bench.trackers.is_idle());

    let mut bench = Bench::scraper(&[&["http://t/announce"]]);
    let (id, _) = bench.lookup();
    bench.found(id, &["10.0.0.1", "::1"]);
    let (v4, v6) = (bench.get(), bench.get());
    bench.answer(&v4, SWARM);
    assert_eq!(bench.next(), Some(Action::Abort { id: v6.id }));
    bench.quiet();
    assert!(bench.trackers.is_idle());
    assert_eq!(bench.said().len(), 1);
}

#[test]
fn an_unknown_torrent_is_said_to_be_unknown() {
    for (body, why) in [
        ("d5:filesdee", "it does not know the torrent"),
        ("d14:failure reason2:noe", "no"),
        (
            "nonsense",
            "the answer makes no sense: no value begins with this byte at byte 0",
        ),
    ] {
        let mut bench = Bench::scraper(&[&[A]]);
        let get = bench.get();
        bench.answer(&get, body);
        assert_eq!(bench.said(), [format!("{A}: {why}")]);
    }
}

#[test]
fn no_answer_is_waited_for_longer_than_half_a_minute() {
    let mut bench = Bench::scraper(&[&[A], &["udp://10.0.0.3:9"], &["udp://t:9"]]);
    bench.lookup();
    let get = bench.get();
    bench.hear_connected(get.id);
    bench.pass(30);
    bench.take_actions();
    assert_eq!(bench.reports.len(), 3);
    assert!(bench.reports.iter().all(|report| report.outcome.is_err()));
    bench.actions.clear();
    assert!(bench.trackers.is_idle());
}

#[test]
fn many_trackers_take_turns() {
    let urls: Vec<String> = (0..100)
        .map(|n| format!("http://10.0.1.{n}/announce"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut bench = Bench::scraper(&[&urls]);
    let mut asked = 0;
    loop {
        let gets: Vec<Get> = std::iter::from_fn(|| match bench.next()? {
            Action::Connect { id, addr, .. } => Some(Get {
                id,
                addr,
                text: String::new(),
            }),
            other => panic!("{other:?}"),
        })
        .collect();
        if gets.is_empty() {
            break;
        }
        assert!(gets.len() <= 32);
        asked += gets.len();
        gets.iter().for_each(|get| bench.answer(get, SWARM));
    }
    assert_eq!((asked, bench.reports.len()), (100, 100));
}
