//! A .torrent: whoever passes has safe paths, a hash a piece, files that fill the content; its
//! magnet link.

use brooklet::base::limits;
use brooklet::storage::Layout;
use brooklet::wire::{FileKind, Metainfo, magnet, paths};

/// Fails where a promise is broken.
pub fn run(text: &[u8]) {
    let meta = match Metainfo::parse(text) {
        Ok(meta) => meta,
        Err(why) => {
            let why = why.to_string();
            assert!(
                !why.is_empty() && !why.contains(char::is_control),
                "{why:?}"
            );
            return;
        }
    };
    the_content_is_whole(&meta);
    the_paths_are_safe(&meta);
    the_other_paths_are_safe(&meta);
    the_link_is_a_link(&meta);
}

fn the_content_is_whole(meta: &Metainfo) {
    let geometry = meta.geometry;
    assert_eq!(meta.hashes.len(), geometry.pieces() as usize);
    let lengths: u64 = meta.files.iter().map(|file| file.length).sum();
    assert_eq!(lengths, geometry.size());
    assert!((1..=lengths).contains(&meta.size()) && lengths <= limits::CONTENT_BYTES);
    let last = geometry.pieces() - 1;
    assert_eq!(
        geometry.piece_start(last) + u64::from(geometry.piece_size(last)),
        geometry.size()
    );
    let layout = Layout::new(&meta.files, geometry);
    for piece in [0, last / 2, last] {
        let (start, len) = (geometry.piece_start(piece), geometry.piece_size(piece));
        let spans = layout.spans(start, len as usize);
        let filled = spans.fold(0, |at, span| {
            assert_eq!(span.at, at, "spans follow one another");
            assert!(span.offset + span.len as u64 <= meta.files[span.file].length);
            at + span.len
        });
        assert_eq!(filled, len as usize);
    }
}

fn the_paths_are_safe(meta: &Metainfo) {
    assert!(paths::is_plain(&meta.name));
    let mut places = std::collections::BTreeSet::new();
    for file in &meta.files {
        let path = &file.path;
        match file.kind {
            FileKind::Padding => assert!(path.is_empty()),
            FileKind::Symlink => assert_eq!(file.length, 0),
            FileKind::File => assert!(places.insert(path), "{path} twice"),
        }
        if file.kind != FileKind::Padding {
            let names: Vec<&str> = path.split('/').collect();
            assert!(names.iter().all(|name| paths::is_plain(name)), "{path}");
            assert!(names[0] == meta.name && meta.single == (names.len() == 1));
        }
    }
}

/// Nor where letters are folded, nor where other clients put the content.
fn the_other_paths_are_safe(meta: &Metainfo) {
    if let Some(folded) = meta.folded() {
        the_paths_are_safe(&folded);
    }
    for (_, path) in meta.elsewhere().values().flatten() {
        assert!(path.split('/').all(paths::is_plain), "{path}");
    }
}

fn the_link_is_a_link(meta: &Metainfo) {
    assert!(meta.trackers.iter().flatten().count() <= limits::TRACKERS);
    assert!(meta.web_seeds.len() <= limits::WEB_SEEDS && meta.nodes.len() <= limits::NODES);
    let link = magnet::link(
        meta.info_hash,
        Some(&meta.name),
        &meta.trackers,
        &meta.web_seeds,
    );
    assert!(magnet::is_magnet(&link));
    assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
}
