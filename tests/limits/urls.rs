//! A `.torrent` by its URL.

use brooklet::base::limits;

use super::support::bench::SOON;
use super::support::child::{Child, Stream, brooklet};
use super::support::content::Content;
use super::support::torrent::{Torrent, metainfo};
use super::support::web::{Web, answer, redirect};

#[test]
fn so_many_redirects_are_followed() {
    let torrent = Torrent::new(Content::file(1, "a", 1_000), 1 << 14);
    let whole = metainfo(&torrent.info, &[]);
    let web = Web::start(move |path, _| match path[1..].parse::<u32>() {
        Ok(0) => answer("200 OK", "", &whole),
        Ok(left) => redirect(&format!("/{}", left - 1)),
        Err(_) => answer("404 Not Found", "", b""),
    });
    let show = |redirects: u32| {
        let url = web.url(&format!("/{redirects}"));
        let mut show = Child::spawn("show", brooklet(None).args(["show", &url]));
        (show.code(SOON), show.text(Stream::Err))
    };
    assert_eq!(show(limits::URL_REDIRECTS).0, 0);
    let (code, said) = show(limits::URL_REDIRECTS + 1);
    let words = format!("redirected more than {} times\n", limits::URL_REDIRECTS);
    assert!(code == 1 && said.ends_with(&words), "{said}");
}
