//! Handshake and frames: cut anywhere they give the same, and are written again as they came.

use super::super::script::Script;
use brooklet::peer::FrameLimits;
use brooklet::wire::message::{Kind, frame_len};
use brooklet::wire::{Handshake, Message, handshake};

/// Fails where a promise is broken.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let limits = FrameLimits::of(8 * script.below(200) as u32);
    let cuts = script.bytes();
    let bytes = script.rest();
    handshake(bytes);
    let (frames, fault) = super::super::frames(bytes, &[], limits);
    let (others, other) = super::super::frames(bytes, cuts, limits);
    assert_eq!(frames, others, "cut by {cuts:?}");
    assert_eq!(fault, other, "cut by {cuts:?}");
    frames.iter().for_each(|frame| message(frame));
    message(bytes);
}

/// Written again it is what it was, and too few of its bytes are neither right nor wrong.
fn handshake(bytes: &[u8]) {
    let Ok(Some(read)) = Handshake::parse(bytes) else {
        return;
    };
    let mut written = Vec::new();
    read.encode(&mut written);
    assert_eq!(written, bytes[..handshake::LEN]);
    let cut = &bytes[..bytes.len() % handshake::LEN];
    assert_eq!(Handshake::parse(cut), Ok(None));
}

/// Written again it is what it was.
fn message(frame: &[u8]) {
    let Ok(message) = Message::parse(frame) else {
        return;
    };
    let mut written = Vec::new();
    message.encode(&mut written);
    assert_eq!(frame_len(&written), Some(written.len() as u32 - 4));
    // What we do not know has fields that we do not keep.
    if message.kind() != Kind::Unknown {
        assert_eq!(written[4..], *frame, "{message}");
    }
    assert_eq!(Message::parse(&written[4..]), Ok(message));
    assert!(!message.to_string().contains(char::is_control));
}
