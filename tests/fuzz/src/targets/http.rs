//! A whole HTTP answer, head and body, given to the tracker machine in pieces of any size.

use super::super::cut;
use super::super::script::Script;
use brooklet::base::{InfoHash, PeerId, Rng, Time, limits};
use brooklet::tracker::{Action, Families, Identity, Input, Response, Shared, Trackers};

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let (scrape, cuts) = (script.flag(), script.bytes());
    let bytes = script.rest();
    let whole = what_follows(scrape, bytes, &[]);
    assert_eq!(what_follows(scrape, bytes, cuts), whole, "cut by {cuts:?}");
    for response in &whole.1 {
        let (outcome, warning) = (&response.outcome, &response.warning);
        let peers = outcome.as_ref().map_or(0, Vec::len);
        assert!(peers <= limits::REPLY_PEERS);
        assert!(
            !warning.iter().any(|words| words.contains(char::is_control)),
            "{warning:?}"
        );
    }
}

/// What the tracker machine does about an answer, after which the connection is closed.
fn what_follows(scrape: bool, answer: &[u8], cuts: &[u8]) -> (Vec<Action>, Vec<Response>) {
    let url = String::from("http://192.0.2.1:6969/announce");
    let (info_hash, now) = (InfoHash(*b"abcdefghijklmnopqrst"), Time::default());
    let (families, rng) = (Families { v4: true, v6: true }, Rng::from_seed(1));
    let mut shared = Shared::default();
    let mut trackers = if scrape {
        let tiers = &[vec![url]];
        Trackers::scraper(tiers, info_hash, families, false, &mut shared, now, rng)
    } else {
        let identity = Identity {
            info_hash,
            peer_id: PeerId([b'p'; 20]),
            key: 1,
            port: 6881,
        };
        let mut trackers = Trackers::new(0, &[vec![url]], identity, families, &mut shared, rng);
        trackers.start(&mut shared, now);
        trackers
    };
    let turn = shared.next_admitted(now).expect("nobody else waits");
    trackers.handle(turn, &mut shared, now);
    let Some(Action::Connect { id, .. }) = trackers.next_action() else {
        panic!("a tracker whose address is known is connected to");
    };
    trackers.handle(Input::Connected { id }, &mut shared, now);
    for bytes in cut(answer, cuts) {
        trackers.handle(Input::Bytes { id, bytes }, &mut shared, now);
    }
    trackers.handle(Input::Closed { id, how: &Ok(()) }, &mut shared, now);
    let actions = std::iter::from_fn(|| trackers.next_action()).collect();
    let responses = std::iter::from_fn(|| trackers.next_response()).collect();
    (actions, responses)
}
