//! The stories of `testdata/transcripts`, replayed: each says what happens on a connection and,
//! exactly, what the peer machine does about it. `make golden` writes what it does now; the
//! difference is for reading, not for committing unread.

#[path = "support/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use std::fs;

use transcript::{Setting, path_of, replay, stories, whole};

#[test]
fn every_story_ends_as_it_is_told() {
    let setting = Setting::load();
    let write = std::env::var_os("GOLDEN").is_some_and(|value| value == "write");
    let stories = stories();
    assert!(stories.len() >= 12, "{} stories", stories.len());
    for (name, told) in stories {
        let played = replay(&told, &setting, &mut whole);
        if write {
            fs::write(path_of(&name), played).unwrap();
            continue;
        }
        let differs = told
            .lines()
            .zip(played.lines())
            .find(|(told, played)| told != played);
        if let Some((told, played)) = differs {
            panic!(
                "{name}: the story says\n{told}\nbut this happens:\n{played}\n(see `make golden`)"
            );
        }
        assert_eq!(told, played, "{name}");
    }
}

/// A story that differs in a byte is not taken for the same.
#[test]
fn a_story_that_is_told_wrong_is_noticed() {
    let story = "dial 192.0.2.7:6881\nconnected\n> handshake plain -bk0100-ABCDEFGHIJKL\n";
    let played = replay(story, &Setting::load(), &mut whole);
    assert!(
        played.contains("> handshake fast -bk0100-ABCDEFGHIJKL"),
        "{played}"
    );
    assert!(!played.contains("plain"), "{played}");
}
