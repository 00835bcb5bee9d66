//! How many files are open, however many torrents there are.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use brooklet::io::disk::{ContentFiles, Pool};

use crate::store::{Bench, request};
use crate::support::content::noise;
use crate::support::dir::Dir;
use crate::{PIECE, torrent};

/// Files and folders below this one that the process has open.
fn open_below(dir: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap();
    let targets = links
        .flatten()
        .filter_map(|link| fs::read_link(link.path()).ok());
    targets.filter(|path| path.starts_with(dir)).count()
}

#[test]
fn fifty_torrents_share_one_pool_of_handles() {
    const MOST: usize = 24;
    let dir = Dir::new();
    let below = fs::canonicalize(&*dir).unwrap();
    let pool = Pool::new(MOST);
    let names: Vec<String> = (0..100).map(|n| format!("t/{}/{n}", n / 10)).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (&**name, 200)).collect();
    let torrent = torrent(&files);
    let mut contents: Vec<_> = (0..50)
        .map(|n: u64| {
            let content = ContentFiles::new(&dir.join(n.to_string()), Arc::clone(&torrent), &pool);
            (noise(n, 20_000), content.writer(true), content)
        })
        .collect();
    // Piece by piece, each torrent in turn, so that all of them use files at the same time.
    for piece in 0..2 {
        let block = torrent.geometry.block(piece, 0);
        let start = piece as usize * PIECE as usize;
        for (data, writer, content) in &mut contents {
            let data = &data[start..start + block.len as usize];
            writer.write(data, &[(block, 0)]).unwrap();
            content.note(writer.take_changes());
            let mut back = vec![0; data.len()];
            content.read(start as u64, &mut back).unwrap();
            assert!(back == data);
            let open = open_below(&below);
            assert!(pool.len() <= MOST && open <= MOST, "{open}");
        }
    }
    assert!(
        open_below(&below) > MOST / 2,
        "handles are kept while there is room"
    );
    // The one that was used last lets go of its own; then those that are left do.
    let (_, _, last) = &contents[49];
    last.rest();
    assert_eq!(open_below(&below.join("49")), 0);
    drop(contents);
    assert!(pool.is_empty() && open_below(&below) == 0);
}

/// Nearly all torrents of a process lie in one folder.
#[test]
fn torrents_that_are_opened_have_their_folder_open_once() {
    let dir = Dir::new();
    let below = fs::canonicalize(&*dir).unwrap();
    let content = dir.folder("content");
    let torrent = torrent(&[("t/a", 200), ("t/b", 200)]);
    let mut bench = Bench::new();
    let opened: Vec<_> = (0..10)
        .map(|number| {
            bench.store.open(number, request(&content, &torrent));
            bench.store.wait_opened().1.result.unwrap()
        })
        .collect();
    assert_eq!((bench.store.pool().len(), open_below(&below)), (10, 1));
    drop(opened);
    assert_eq!((bench.store.pool().len(), open_below(&below)), (0, 0));
}
