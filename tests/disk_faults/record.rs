//! What the resume file says.

use std::fs;

use brooklet::base::InfoHash;
use brooklet::storage::{Layout, Resume};
use brooklet::wire::Metainfo;

use crate::resume;
use crate::support::bench::{Bench, SOON, checked};
use crate::support::peer::{Manners, Peer};
use crate::support::room::Room;

/// Where the content of a bench lies.
pub fn layout(bench: &Bench) -> Layout {
    let torrent = fs::read(bench.dir.join("torrent")).unwrap();
    let metainfo = Metainfo::parse(&torrent).unwrap();
    Layout::new(&metainfo.files, metainfo.geometry)
}

/// These bytes as resume data of a bench.
pub fn decode(bench: &Bench, bytes: &[u8]) -> Option<Resume> {
    Resume::decode(bytes, InfoHash(bench.torrent.info_hash), &layout(bench))
}

/// How many pieces the resume file vouches for; none if there is none.
pub fn verified(bench: &Bench) -> u32 {
    let bytes = fs::read(resume(bench)).ok();
    let resume = bytes.and_then(|bytes| decode(bench, &bytes));
    resume.map_or(0, |resume| resume.verified.count())
}

/// Nobody is at the other end of these pipes: whoever waits for that waits for ever.
#[test]
fn a_pipe_in_the_place_of_resume_data_holds_nothing_up() {
    for (number, ending) in [(71, "resume"), (72, "resume.new")] {
        let bench = Bench::new(number, 300_000);
        let seed = Peer::start(&bench.torrent, Manners::default());
        bench.dir.folder("state");
        let pipe = resume(&bench).with_extension(ending);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        bench.get(&[seed.addr()], &[]).success(SOON);
        bench.assert_whole();
        let mut again = bench.get(&[], &[]);
        assert_eq!(checked(&mut again), 5);
        again.success(SOON);
    }
}

/// The server of a mount is gone: calls to it last as long as it likes.
#[test]
fn a_state_folder_that_does_not_answer_is_named_and_a_signal_ends_the_wait() {
    if !Room::can_bind() {
        return;
    }
    let bench = Bench::new(73, 300_000);
    let seed = Peer::start(&bench.torrent, Manners::default());
    let room = Room::bind(&bench.dir.folder("state"), &bench.dir.folder("real"));
    room.stall();
    let mut child = room.get(&bench, &seed.addr(), &[]);
    child.line("does not answer", SOON);
    child.signal("TERM");
    assert_eq!(child.code(SOON), 143);
    room.go_on();
    room.get(&bench, &seed.addr(), &[]).success(SOON);
    bench.assert_whole();
}
