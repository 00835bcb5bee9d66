//! What the resume file says.

use std::fs;

use brooklet::base::id::InfoHash;
use brooklet::storage::layout::Layout;
use brooklet::storage::resume::Resume;
use brooklet::wire::metainfo::Metainfo;

use crate::resume;
use crate::support::bench::Bench;

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
pub fn held(bench: &Bench) -> u32 {
    let bytes = fs::read(resume(bench)).ok();
    let resume = bytes.and_then(|bytes| decode(bench, &bytes));
    resume.map_or(0, |resume| resume.held.count())
}
