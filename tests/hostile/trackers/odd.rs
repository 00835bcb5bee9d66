//! Answers that are bencode of a kind: bombs, absurd numbers, words without end.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use super::{AT_ONCE, MIB, Swarm, Tracker, answer, each, param};
use crate::support::bench::SOON;

/// A key and its value, a byte string.
fn bytes(key: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("{}:{key}{}:", key.len(), value.len());
    [head.as_bytes(), value].concat()
}

fn refusal(words: &[u8]) -> Vec<u8> {
    [b"d", &bytes("failure reason", words)[..], b"e"].concat()
}

#[test]
fn bombs_are_no_answers() {
    let swarm = Swarm::new(21);
    let most = 2 * MIB - 4096;
    let bombs: Vec<(Vec<u8>, &str)> = vec![
        (vec![b'l'; most], "the answer makes no sense"),
        (b"d1:a".repeat(most / 4), "the answer makes no sense"),
        (
            [b"l".as_slice(), &b"0:".repeat(most / 2 - 1), b"e"].concat(),
            "the answer makes no sense: the answer is no dictionary",
        ),
        (
            [b"l".as_slice(), &b"le".repeat(most / 2 - 1), b"e"].concat(),
            "the answer makes no sense: the answer is no dictionary",
        ),
        (b"d8:interval".to_vec(), "the answer makes no sense"),
        (b"d8:intervali-0ee".to_vec(), "the answer makes no sense"),
        (
            b"99999999999999999999:x".to_vec(),
            "the answer makes no sense",
        ),
        (
            b"d5:peers4294967295:x".to_vec(),
            "the answer makes no sense",
        ),
        (b"<html>404</html>".to_vec(), "the answer makes no sense"),
        (Vec::new(), "the answer makes no sense"),
        (refusal(b""), ""),
    ];
    each(&bombs, AT_ONCE, |(body, told)| {
        let tracker = Tracker::saying(answer(body));
        let mut download = swarm.get(&[&tracker.url(), &swarm.tracker.url()], &[]);
        let event = download.event(&tracker.url(), SOON);
        let error = event.get("error").text();
        assert!(error.starts_with(told), "{error:?} instead of {told:?}");
        download.complete();
        download.end();
    });
}

/// Whatever times a tracker names, it is asked once in the time that this takes, and told that we
/// leave.
#[test]
fn absurd_times_change_nothing() {
    let swarm = Swarm::new(22);
    let times: Vec<String> = [
        "8:intervali0e",
        "8:intervali-1e",
        "8:intervali9223372036854775807e",
        "8:intervali9223372036854775808e",
        "8:intervali-99999999999999999999e12:min intervali18446744073709551616e",
        "8:intervali1e12:min intervali0e",
        "8:intervali0e12:min intervali9223372036854775807e",
        "8:intervali0e12:min intervali-9223372036854775808e",
        "8:interval4:soon",
        "8:intervalle12:min intervalde",
        "",
    ]
    .iter()
    .map(|times| format!("d{times}5:peers0:e"))
    .collect();
    each(&times, AT_ONCE, |body| {
        let tracker = Tracker::saying(answer(body.as_bytes()));
        let mut download = swarm.meanwhile(&tracker.url());
        assert_eq!(download.peers(&tracker.url(), SOON), 0);
        // `started`, and `completed` at once if that came in the meantime.
        thread::sleep(Duration::from_secs(1));
        assert!(
            tracker.asked() <= 2,
            "asked {} times for {body}",
            tracker.asked()
        );
        download.end();
        assert_eq!(
            param(&tracker.last(), "event").as_deref(),
            Some("stopped"),
            "{body}"
        );
        assert!(tracker.asked() <= 3);
    });
}

/// A million letters become a line; so they do when they could move the cursor, break the line or
/// turn it round.
#[test]
fn long_words_are_cut_and_plain() {
    let swarm = Swarm::new(23);
    let evil = "\x1b[2J\x1b]0;owned\x07\r\nbrooklet: forged\u{9b}31m\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}";
    let words: Vec<Vec<u8>> = vec![
        evil.repeat(MIB / evil.len()).into_bytes(),
        "é".repeat(MIB / 2).into_bytes(),
        vec![0xff; MIB],
        vec![b'\n'; MIB],
    ];
    each(&words, AT_ONCE, |words| {
        let tracker = Tracker::saying(answer(&refusal(words)));
        let error = swarm.failure(&tracker.url(), SOON);
        // The first letter may be a control character, a blank by now, and blanks at the ends are
        // left out.
        match words[0] {
            b'\n' => assert_eq!(error, "it refused without a reason"),
            0x1b => assert_eq!(error.chars().count(), 199),
            _ => assert_eq!(error.chars().count(), 200),
        }
        let warning = [
            b"d8:intervali1800e5:peers0:",
            &bytes("warning message", words)[..],
            b"e",
        ];
        let tracker = Tracker::saying(answer(&warning.concat()));
        let mut download = swarm.meanwhile(&tracker.url());
        download.assert_one_line(&tracker.url());
        download.end();
    });
}

#[test]
fn a_warning_with_each_announce_and_a_huge_id_do_no_harm() {
    let swarm = Swarm::new(24);
    let mut body = b"d8:intervali0e5:peers0:".to_vec();
    body.extend(bytes("tracker id", &vec![b'%'; MIB]));
    for _ in 0..1000 {
        body.extend(bytes("warning message", b"beware"));
    }
    body.push(b'e');
    let tracker = Tracker::start(move |stream, _| stream.write_all(&answer(&body)));
    let mut download = swarm.meanwhile(&tracker.url());
    download.assert_one_line(&tracker.url());
    download.end();
    let last = tracker.last();
    assert_eq!(param(&last, "event").as_deref(), Some("stopped"), "{last}");
    assert_eq!(param(&last, "trackerid"), None, "it would not fit a URL");
    let id = b"d8:intervali0e5:peers0:10:tracker id3:a&be".to_vec();
    let tracker = Tracker::saying(answer(&id));
    swarm.meanwhile(&tracker.url()).end();
    assert_eq!(
        param(&tracker.last(), "trackerid").as_deref(),
        Some("a%26b")
    );
}
