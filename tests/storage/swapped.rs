//! Somebody else of the machine, who may write in the download folder, puts links in the place of
//! what lies there while we are at it.

use std::fs;
use std::os::unix::fs::symlink;

use super::support::content::noise;
use super::support::dir::Dir;
use super::{Content, PIECE, torrent, whole};

/// Before each write another place on the way is replaced by a link that leads out: nothing is ever
/// written or read there.
#[test]
fn links_put_there_meanwhile_lead_nowhere() {
    let places = ["in/t", "in/t/a", "in/t/a/b", "in/t/a/b/f", "in/t/g"];
    for place in places {
        for written_before in [false, true] {
            let dir = Dir::new();
            let outside = dir.folder("outside");
            for path in ["f", "g", "a/b/f", "b/f"] {
                dir.file(format!("outside/{path}"), "precious");
            }
            let size = u64::from(PIECE);
            let torrent = torrent(&[("t/a/b/f", 2 * size), ("t/g", 2 * size)]);
            let mut disk = Content::new(&dir.folder("in"), &torrent);
            let write = |disk: &mut Content, piece| {
                disk.write(whole(&torrent, piece), &noise(1, PIECE as usize))
            };
            if written_before {
                write(&mut disk, 0).unwrap();
                write(&mut disk, 2).unwrap();
            }
            let at = dir.join(place);
            if written_before {
                fs::rename(&at, dir.join("aside")).unwrap();
            } else {
                fs::create_dir_all(at.parent().unwrap()).unwrap();
            }
            let target = if at.ends_with("f") || at.ends_with("g") {
                outside.join("f")
            } else {
                outside.clone()
            };
            symlink(target, &at).unwrap();
            for piece in 0..4 {
                // What is open already may be used on; it lies aside now. Nothing else is.
                let done = write(&mut disk, piece);
                let mut read = [0; 8];
                let block = whole(&torrent, piece);
                let read = disk
                    .read(torrent.geometry.offset(block), &mut read)
                    .map(|()| read);
                assert!(
                    done.is_err() || written_before || !leads(place, piece),
                    "{place} {piece}"
                );
                assert!(
                    read.is_err() || !leads(place, piece),
                    "{place} {piece}: {read:?}"
                );
            }
            let mut afresh = Content::new(&dir.join("in"), &torrent);
            assert!(
                !afresh.look().is_empty(),
                "{place}: it is noticed at the next start"
            );
            for path in ["f", "g", "a/b/f", "b/f"] {
                assert_eq!(
                    fs::read(outside.join(path)).unwrap(),
                    b"precious",
                    "{place} {path}"
                );
            }
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 4);
        }
    }
}

/// Whether the file of this piece lies at this place, or below.
fn leads(place: &str, piece: u32) -> bool {
    let file = if piece < 2 { "in/t/a/b/f" } else { "in/t/g" };
    file.starts_with(place)
}
