//! What is shown of trackers.

use super::super::{Last, Next};
use super::*;

/// What a user sees of trackers: how each visit ended, and when the next one is.
#[test]
fn trackers_are_shown_with_their_last_visit_and_the_next() {
    let urls = [
        "http://10.0.0.1/announce",
        "http://10.0.0.2/announce",
        "http://10.0.0.3/announce",
    ];
    let mut bench = Bench::new(&[&urls[..1], &urls[1..2], &urls[2..]]);
    let next = |bench: &Bench| -> Vec<Next> {
        let views = bench.trackers.views(bench.now).into_iter();
        views.map(|view| view.next).collect()
    };
    assert_eq!(next(&bench), [Next::Never; 3], "nothing has begun");
    bench.trackers.start(&mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(next(&bench), [Next::Asking, Next::Spare, Next::Spare]);
    bench.refuse(&get);
    let failed = bench.now;
    let get = bench.get();
    bench.answer(
        &get,
        "d8:completei5e8:intervali1800e5:peers6:\x01\x02\x03\x04\x00\x09e",
    );
    bench.take_actions();
    let views = bench.trackers.views(bench.now);
    let shown: Vec<(&str, usize)> = views.iter().map(|it| (it.url.as_str(), it.tier)).collect();
    assert_eq!(shown, [(urls[0], 0), (urls[1], 1), (urls[2], 2)]);
    let why = String::from("it refused the connection");
    assert_eq!(views[0].last, Some(Last::Failed { at: failed, why }));
    let (peers, seeders) = (1, Some(5));
    let counts = Counts {
        seeders,
        ..Counts::default()
    };
    let at = bench.now;
    assert_eq!(views[1].last, Some(Last::Answered { at, peers, counts }));
    assert_eq!(views[2].last, None);
    let due = at + Duration::from_secs(1800);
    assert_eq!(next(&bench), [Next::Spare, Next::At(due), Next::Spare]);
    // With no peer at all each is asked as soon as that may be.
    bench
        .trackers
        .set_need(Need::Peers, &mut bench.shared, bench.now);
    let get = bench.get();
    assert_eq!(next(&bench), [Next::Spare, Next::Spare, Next::Asking]);
    bench.refuse(&get);
    let after = |seconds| Next::At(at + Duration::from_secs(seconds));
    assert_eq!(next(&bench), [15, 30, 15].map(after));
}
