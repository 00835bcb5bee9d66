//! The tracker machine: any URLs, and anything that may happen to what it asks for, in any order.

use super::super::outside::{Outside, URLS};
use super::super::script::Script;
use brooklet::base::{Duration, InfoHash, PeerId, Rng, Time, limits, sooner};
use brooklet::tracker::{Families, Identity, Input, Shared, Trackers};

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let script = &mut Script::new(data);
    let (mut now, mut outside, mut shared) =
        (Time::default(), Outside::default(), Shared::default());
    let mut trackers = machine(script, &mut shared, now);
    while let Some(step) = script.step() {
        match step % 8 {
            0 => trackers.start(&mut shared, now),
            1 => trackers.completed(&mut shared, now),
            2 => trackers.want_peers(&mut shared, now),
            3 => trackers.set_totals(
                script.number().into(),
                script.number().into(),
                script.number().into(),
            ),
            4 => now = now + Duration::from_millis(u64::from(script.short()) * 10),
            5 => now = due(&trackers, &shared).map_or(now, |due| due.max(now)),
            6 if step & 0x70 == 0x70 => trackers.stop(&mut shared, now),
            _ => outside.happen(script, &mut |input| {
                tell(&mut trackers, &mut shared, input, now);
            }),
        }
        settle(&mut trackers, &mut shared, &mut outside, now);
    }
    trackers.stop(&mut shared, now);
    settle(&mut trackers, &mut shared, &mut outside, now);
    let until = now + limits::FAREWELL;
    while let Some(due) = due(&trackers, &shared).filter(|&due| due <= until) {
        now = now.max(due);
        settle(&mut trackers, &mut shared, &mut outside, now);
    }
    assert!(trackers.is_idle(), "leaving takes no longer than it may");
    assert_eq!(outside.links(), 0, "no connection is left");
    assert_eq!(shared.next_deadline(), None, "nothing waits for its turn");
}

fn due(trackers: &Trackers, shared: &Shared) -> Option<Time> {
    sooner(trackers.next_deadline(), shared.next_deadline())
}

fn tell(trackers: &mut Trackers, shared: &mut Shared, input: Input<'_>, now: Time) {
    if !shared.recipients(&input).is_empty() {
        trackers.handle(input, shared, now);
    }
}

fn machine(script: &mut Script<'_>, shared: &mut Shared, now: Time) -> Trackers {
    let families = script.byte();
    let families = Families {
        v4: families & 1 == 0,
        v6: families & 2 == 0,
    };
    let tiers: Vec<Vec<String>> = (0..1 + script.below(3))
        .map(|_| (0..1 + script.below(3)).map(|_| url(script)).collect())
        .collect();
    let (info_hash, peer_id) = (InfoHash([b'i'; 20]), PeerId([b'p'; 20]));
    let rng = Rng::from_seed(script.byte().into());
    if script.byte() & 7 == 7 {
        return Trackers::scraper(&tiers, info_hash, families, false, shared, now, rng);
    }
    let identity = Identity {
        info_hash,
        peer_id,
        key: 1,
        port: 6881,
    };
    Trackers::new(0, &tiers, identity, families, shared, rng)
}

fn url(script: &mut Script<'_>) -> String {
    match URLS.get(script.below(URLS.len() + 2)) {
        Some(url) => url.to_string(),
        // What a torrent names has no control characters (wire::sources).
        None => String::from_utf8_lossy(script.bytes()).replace(char::is_control, "."),
    }
}

/// What is due is done, and what the machine wants is noted.
fn settle(trackers: &mut Trackers, shared: &mut Shared, outside: &mut Outside, now: Time) {
    for _ in 0..4 {
        if trackers.next_deadline().is_some_and(|due| due <= now) {
            trackers.handle_timeout(shared, now);
        }
        while let Some(input) = shared.next_admitted(now) {
            assert!(
                trackers.handle(input, shared, now),
                "somebody waited for it"
            );
        }
        while let Some(action) = trackers.next_action() {
            outside.perform(action);
        }
        while let Some(response) = trackers.next_response() {
            if let Err(why) = response.outcome {
                assert!(!why.trim().is_empty(), "a reason is given");
            }
        }
    }
    let due = due(trackers, shared);
    assert!(
        due.is_none_or(|due| due > now),
        "a deadline that is past does not go away"
    );
}
