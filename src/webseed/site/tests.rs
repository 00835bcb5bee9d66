//! One web seed: what its redirects, its failures and its wrong pieces come to.

use std::sync::Arc;

use super::*;
use crate::wire::Metainfo;
use crate::wire::bencode::{bytes, dict, int, list};

const NOW: Time = Time::from_micros(3_600_000_000);
const HERE: &str = "192.0.2.1";

/// So many files of ten bytes, in pieces of 16.
fn content(files: usize) -> Content {
    let entry = |number: usize| {
        let path = list([bytes(format!("f {number}"))]);
        dict([("length", int(10)), ("path", path)])
    };
    let info = dict([
        ("files", list((0..files).map(entry))),
        ("name", bytes("t")),
        ("piece length", int(16)),
        ("pieces", bytes(vec![0; 20 * (10 * files).div_ceil(16)])),
    ]);
    let metainfo = Metainfo::parse(&dict([("info", info)])).unwrap();
    Content::new(Arc::new(metainfo))
}

/// Where a site is to be connected at a moment, after its host was looked up.
fn dial(site: &mut Site, content: &Content, local: bool, now: Time) -> Result<String, String> {
    loop {
        match site.step((content, 0), local, now) {
            Ok(Step::Wait) => return Err(String::from("it waits")),
            Ok(Step::LookUp(host)) => {
                let found = Ok(vec![host.parse().unwrap_or(HERE.parse().unwrap())]);
                assert_eq!(site.handle_found(&host, &found, |_| true, now), None);
            }
            Ok(Step::Dial(ip, url)) => return Ok(format!("{ip} {url}")),
            Err(told) => return Err(told.unwrap_or_default()),
        }
    }
}

fn moved(to: &str) -> Fault {
    Fault::Moved(to.to_string())
}

#[test]
fn a_mirror_counts_for_all_files_and_another_place_for_one() {
    let content = content(3);
    let mut site = Site::new(" http://a.example/pub ");
    let url = |site: &Site, file| site.url_of(&content, file).unwrap().to_string();
    assert_eq!(url(&site, 1), "http://a.example/pub/t/f%201");
    site.on_fault(&moved("http://b.example/m/t/f%200"), (&content, 0), NOW);
    assert_eq!(url(&site, 2), "http://b.example/m/t/f%202");
    site.on_fault(&moved("/cdn?id=7"), (&content, 1), NOW);
    assert_eq!(url(&site, 1), "http://b.example/cdn?id=7");
    assert_eq!(url(&site, 0), "http://b.example/m/t/f%200");
    // What a redirect led to is forgotten where it fails, and asked for anew where it stood.
    assert_eq!(site.on_fault(&Fault::Gone(403), (&content, 1), NOW), None);
    assert_eq!(url(&site, 1), "http://a.example/pub/t/f%201");
    assert!(site.waits_until().is_some());
}

#[test]
fn so_many_redirects_are_followed_and_kept() {
    let many = limits::WEB_REDIRECTS_KEPT + 1;
    let content = content(many);
    let mut site = Site::new("http://a.example/");
    for _ in 0..limits::WEB_REDIRECTS {
        assert_eq!(site.on_fault(&moved("/x"), (&content, 0), NOW), None);
    }
    assert_eq!(site.waits_until(), None);
    let told = site.on_fault(&moved("/x"), (&content, 0), NOW).unwrap();
    assert!(told.contains("redirected more than 5 times"), "{told}");
    assert!(site.waits_until().is_some());
    let mut site = Site::new("http://a.example/");
    for file in 0..many {
        site.on_content();
        site.on_fault(&moved(&format!("/x{file}")), (&content, file), NOW);
        let kept = site.moved_files.len();
        assert_eq!(kept, if file + 1 == many { 1 } else { file + 1 });
    }
}

#[test]
fn a_redirect_leads_to_no_local_server() {
    let content = content(1);
    let mut site = Site::new("http://a.example/");
    assert!(dial(&mut site, &content, false, NOW).is_ok());
    site.on_fault(&moved("http://127.0.0.1/t/f%200"), (&content, 0), NOW);
    let why = dial(&mut site, &content, false, NOW).unwrap_err();
    assert!(
        why.contains("127.0.0.1 is a local address (--allow-local"),
        "{why}"
    );
    let later = NOW + limits::WEB_BACKOFF_MOST;
    assert!(dial(&mut site, &content, true, later).is_ok());
    let mut site = Site::new("http://10.0.0.1/");
    assert!(
        dial(&mut site, &content, false, NOW).is_ok(),
        "a server in our network"
    );
    let https = (!cfg!(feature = "https")).then_some("https://a.example/");
    for url in ["udp://a.example:1/", "nonsense"].into_iter().chain(https) {
        let mut site = Site::new(url);
        let why = dial(&mut site, &content, false, NOW).unwrap_err();
        assert!(why.contains("it is not asked any more"), "{why}");
        assert!(site.over().is_some());
    }
}

#[test]
fn waits_grow_and_are_told_once() {
    let content = content(1);
    let mut site = Site::new("http://user:secret@a.example/");
    let busy = |wait| Fault::Busy(503, wait);
    let told = site.on_fault(&busy(None), (&content, 0), NOW).unwrap();
    assert_eq!(
        told,
        "web seed http://a.example/: HTTP 503: it cannot answer now: it is asked again in 5 s"
    );
    let mut wait = limits::WEB_BACKOFF;
    let mut now = NOW;
    for _ in 0..12 {
        let until = site.waits_until().unwrap();
        assert_eq!(until, now + wait);
        now = until;
        assert!(dial(&mut site, &content, false, now).is_ok());
        assert_eq!(site.on_fault(&busy(None), (&content, 0), now), None);
        wait = (wait * 2).min(limits::WEB_BACKOFF_MOST);
    }
    site.on_content();
    let asked = Some(limits::WEB_BACKOFF * 3);
    site.on_fault(&busy(asked), (&content, 0), now);
    assert_eq!(site.waits_until(), Some(now + limits::WEB_BACKOFF * 3));
    let asked = Some(limits::WEB_BACKOFF_MOST * 3);
    site.on_fault(&busy(asked), (&content, 0), now);
    assert_eq!(site.waits_until(), Some(now + limits::WEB_BACKOFF_MOST));
    let told = site.on_fault(&Fault::CutShort, (&content, 0), now);
    assert!(told.is_some(), "that is news");
}

#[test]
fn files_that_are_gone_or_wrong_are_not_asked_for() {
    let content = content(4);
    let geometry = Geometry::new(40, 16).unwrap();
    let mut site = Site::new("http://a.example/");
    assert!(site.holdings(&content, geometry).is_seed());
    let told = site
        .on_fault(&Fault::Gone(404), (&content, 0), NOW)
        .unwrap();
    assert!(
        told.contains("\"t/f 0\": HTTP 404: there is no such file"),
        "{told}"
    );
    let have = site.holdings(&content, geometry);
    assert!(!have.has(0) && have.has(1) && have.has(2));
    assert!(site.on_wrong([3].into_iter(), 2).is_some());
    let have = site.holdings(&content, geometry);
    assert!(!have.has(0) && !have.has(1) && !have.has(2));
    for _ in 1..limits::WEB_WRONG {
        assert_eq!(site.over(), None);
        site.on_wrong([1].into_iter(), 0);
    }
    assert_eq!(site.over(), Some("3 of its pieces were wrong"));
}

#[test]
fn each_address_is_tried_and_each_reason_told() {
    let content = content(1);
    let mut site = Site::new("http://a.example/");
    assert_eq!(
        site.step((&content, 0), false, NOW),
        Ok(Step::LookUp(String::from("a.example")))
    );
    let ips = ["192.0.2.1", "192.0.2.2", "224.0.0.1"].map(|ip| ip.parse().unwrap());
    assert_eq!(
        site.handle_found("b.example", &Ok(ips.to_vec()), |_| true, NOW),
        None
    );
    assert_eq!(site.step((&content, 0), false, NOW), Ok(Step::Wait));
    site.handle_found("a.example", &Ok(ips.to_vec()), |_| true, NOW);
    for ip in &ips[..2] {
        let Ok(Step::Dial(dialed, _)) = site.step((&content, 0), false, NOW) else {
            panic!("{ip} is tried");
        };
        assert_eq!(dialed, *ip);
        site.on_unreached(format!("{ip} is down"));
    }
    let told = site.step((&content, 0), false, NOW).unwrap_err().unwrap();
    assert!(
        told.contains("192.0.2.2 is down: it is asked again"),
        "{told}"
    );
    let later = NOW + limits::WEB_BACKOFF;
    assert!(dial(&mut site, &content, false, later).is_ok());
}

#[test]
fn connections_without_content_do_not_follow_each_other_for_ever() {
    let mut site = Site::new("http://a.example/");
    for _ in 0..limits::WEB_REDIRECTS {
        site.on_fruitless(NOW);
        assert_eq!(site.waits_until(), None);
    }
    site.on_fruitless(NOW);
    assert_eq!(site.waits_until(), Some(NOW + limits::WEB_BACKOFF));
    for place in 0..=limits::WEB_CONNECTIONS as u64 {
        site.keep_rest(place, vec![1]);
    }
    assert_eq!(site.rests.len(), 1, "so many starts of blocks are kept");
    assert_eq!(
        site.take_rest(limits::WEB_CONNECTIONS as u64),
        Some(vec![1])
    );
}

/// A redirect from http to https is followed, and so is one back: pieces are verified in any case.
#[cfg(feature = "https")]
#[test]
fn a_redirect_keeps_its_scheme() {
    let content = content(3);
    let mut site = Site::new("http://a.example/");
    let url = |site: &Site, file| site.url_of(&content, file).unwrap().to_string();
    site.on_fault(&moved("https://b.example/m/t/f%200"), (&content, 0), NOW);
    assert_eq!(url(&site, 2), "https://b.example/m/t/f%202");
    let dialed = dial(&mut site, &content, false, NOW);
    assert_eq!(dialed, Ok(format!("{HERE} https://b.example/m/t/f%200")));
    site.on_fault(&moved("http://c.example/x"), (&content, 1), NOW);
    assert_eq!(url(&site, 1), "http://c.example/x");
}
