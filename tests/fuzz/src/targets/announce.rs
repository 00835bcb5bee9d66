//! Bodies of HTTP trackers' answers, announce and scrape, and lists of compact addresses.

use brooklet::base::{InfoHash, limits};
use brooklet::wire::announce::Answer;
use brooklet::wire::{Family, ScrapeAnswer, compact};

/// Fails where a promise is broken.
pub fn run(body: &[u8]) {
    match Answer::parse(body) {
        Ok(Answer::Reply(reply)) => {
            assert!(reply.peers.len() <= limits::REPLY_PEERS);
            reply.warning.as_deref().map(fit_to_show);
        }
        Ok(Answer::Failure { reason, .. }) => fit_to_show(&reason),
        Err(malformed) => assert!(malformed.at <= body.len()),
    }
    if let Ok(ScrapeAnswer::Failure(words)) =
        ScrapeAnswer::parse(body, InfoHash(*b"abcdefghijklmnopqrst"))
    {
        fit_to_show(&words);
    }
    for (family, bytes) in [(Family::V4, 6), (Family::V6, 18)] {
        let peers = compact::parse(body, family);
        assert_eq!(peers.len(), (body.len() / bytes).min(limits::REPLY_PEERS));
        let mut written = Vec::new();
        peers
            .iter()
            .for_each(|&peer| compact::encode(peer, &mut written));
        assert_eq!(written, body[..written.len()]);
    }
}

/// A stranger's words are one line without anything that a terminal would obey.
fn fit_to_show(words: &str) {
    assert!(!words.contains(char::is_control) && words.chars().count() <= limits::WORDS);
}
