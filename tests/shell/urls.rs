//! A torrent by its URL: each way to it, and what is said where there is none.

use std::path::Path;

use brooklet::base::limits;

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::dir::Dir;
use crate::support::torrent::metainfo;
use crate::support::web::{Web, answer, redirect};

/// How a command ends: its exit code, what it prints, and its line.
fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = brooklet(None);
    command.args(args).current_dir(dir);
    command.env("XDG_STATE_HOME", dir.join("xdg"));
    let mut child = Child::spawn(args[0], &mut command);
    let code = child.code(SOON);
    (code, child.text(Stream::Out), child.text(Stream::Err))
}

/// A server that has this torrent in many ways.
fn server(bench: &Bench, trackers: &[&str]) -> Web {
    let whole = metainfo(&bench.torrent.info, trackers);
    let hex = bench.torrent.hex();
    Web::start(move |path, addr| match path {
        "/t.torrent" => answer(
            "200 OK",
            "Content-Type: application/x-bittorrent\r\n",
            &whole,
        ),
        "/login.torrent" => answer("401 Unauthorized", "", b"<html>"),
        "/moved" => redirect("/dir/../t.torrent"),
        "/absolute" => redirect(&format!("http://{addr}/moved")),
        "/magnet" => redirect(&format!("magnet:?xt=urn:btih:{hex}&dn=n")),
        "/text" => answer(
            "200 OK",
            "",
            format!("magnet:?xt=urn:btih:{hex}&dn=n\n").as_bytes(),
        ),
        "/bad-magnet" => redirect("magnet:?xt=urn:btih:00"),
        "/secure" => redirect("https://a:secret@example.org/t.torrent"),
        "/loop" => redirect("/loop"),
        "/nowhere" => answer("302 Found", "", b""),
        "/page" => answer("200 OK", "", b"<!DOCTYPE html><html>log in</html>"),
        "/empty" => answer("200 OK", "", b""),
        "/json" => answer("200 OK", "", b"{\"error\": 1}"),
        "/brotli" => answer("200 OK", "Content-Encoding: br\r\n", b"\x0b"),
        "/broken" => answer("503 Service Unavailable", "", b""),
        "/huge" => format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            limits::METAINFO_BYTES + limits::HTTP_HEAD + 1
        )
        .into_bytes(),
        "/cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nd4:".to_vec(),
        "/silent" => Vec::new(),
        "/ftp" => b"220 ready\r\n".to_vec(),
        "/unsized" => [b"HTTP/1.0 200 OK\r\n\r\n", &whole[..]].concat(),
        _ => answer("404 Not Found", "", b"<html>not here</html>"),
    })
}

#[test]
fn each_command_takes_a_url() {
    let bench = Bench::new(801, 200_000);
    bench.fill();
    let web = server(&bench, &[]);
    let url = web.url("/t.torrent");
    let dir = Dir::new();
    let (code, shown, _) = run(&dir, &["show", &url]);
    assert!(code == 0 && shown.contains(&bench.torrent.hex()), "{shown}");
    for path in ["/moved", "/absolute", "/unsized", "/magnet", "/text"] {
        let (code, shown, said) = run(&dir, &["show", "--json", &web.url(path)]);
        assert_eq!(code, 0, "{path}: {said}");
        assert!(shown.contains(&bench.torrent.hex()), "{path}: {shown}");
    }
    let content = bench.content();
    let content = content.to_str().unwrap();
    let (code, sum, said) = run(&dir, &["check", &url, "-d", content]);
    assert!(
        code == 0 && sum.contains("1 of 1 file whole"),
        "{sum}{said}"
    );

    let mut seed = brooklet(None);
    seed.args(["seed", &url, "-d", content, "--json", "--port", "0"]);
    seed.args(["--bind", "127.0.0.1", "--state"])
        .arg(bench.dir.join("state"));
    let mut seed = Child::spawn("seed", &mut seed);
    let addr = listening(&mut seed).to_string();
    checked(&mut seed);
    let got = Bench::of(bench.torrent.as_ref().clone());
    let mut get = brooklet(None);
    get.args(["get", &url, "--json", "--port", "0", "--bind", "127.0.0.1"]);
    get.args(["--peer", &addr, "--state"])
        .arg(got.dir.join("state"));
    get.arg("-d").arg(got.content());
    Child::spawn("get", &mut get).success(SOON);
    got.assert_whole();
    // It is kept, as what came by standard input is, since peers may ask for it.
    let kept = got
        .dir
        .join("state")
        .join(format!("{}.torrent", bench.torrent.hex()));
    assert_eq!(
        std::fs::read(kept).unwrap(),
        metainfo(&bench.torrent.info, &[])
    );
    let asked = web.asked.lock().unwrap();
    assert!(
        asked[0].starts_with("GET /t.torrent HTTP/1.1\r\nHost: 127.0.0.1:"),
        "{}",
        asked[0]
    );
}

#[test]
fn what_is_no_torrent_behind_a_url_is_said_in_one_line() {
    let bench = Bench::new(802, 1_000);
    let web = server(&bench, &[]);
    let dir = Dir::new();
    for (path, code, words) in [
        ("/none", 1, "HTTP 404: there is no such file"),
        (
            "/login.torrent",
            1,
            "HTTP 401: it wants a login: http://USER:PASSWORD@HOST/...",
        ),
        (
            "/broken",
            1,
            "HTTP 503: the server has failed: try again later",
        ),
        ("/loop", 1, "redirected more than 10 times"),
        ("/nowhere", 1, "HTTP 302: it redirects nowhere"),
        (
            "/secure",
            1,
            "it redirects to \"https://example.org/t.torrent\": this build lacks https \
             (cargo build --release --features https has it): fetch it with curl -LO, and name the \
             file",
        ),
        (
            "/bad-magnet",
            3,
            "its info hash is neither 40 hexadecimal digits nor 32 of base32",
        ),
        (
            "/page",
            3,
            "this is a web page, not a torrent: fetch the .torrent itself, perhaps after \
                      logging in",
        ),
        ("/empty", 3, "this file is empty: fetch the torrent again"),
        ("/json", 3, "this is JSON, not a torrent"),
        (
            "/brotli",
            1,
            "it answers in \"br\", which brooklet does not read",
        ),
        ("/huge", 1, "the answer is longer than 64 MiB"),
        ("/cut", 1, "the answer is cut short"),
        ("/silent", 1, "closed without an answer"),
        ("/ftp", 1, "the answer is not HTTP"),
    ] {
        let url = web.url(path);
        let (ended, _, said) = run(&dir, &["show", &url]);
        assert_eq!(ended, code, "{said}");
        let expected = format!("brooklet: {url}: {words}");
        assert!(
            said.starts_with(&expected) && said.lines().count() == 1,
            "{said}"
        );
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://u:secret@{}/t", closed.local_addr().unwrap());
    drop(closed);
    for (url, code, words) in [
        (url.as_str(), 1, "/t: it refused the connection"),
        (
            "https://u:secret@example.org/t",
            2,
            "https://example.org/t: this build lacks https",
        ),
        ("HTTP://", 1, "HTTP://: "),
        ("http://[::1/t", 1, "http://[::1/t: "),
        ("ftp://example.org/t", 2, "ftp is not supported"),
    ] {
        let (ended, _, said) = run(&dir, &["get", url]);
        assert_eq!(ended, code, "{said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn one_url_of_several_that_fails_leaves_the_others() {
    let bench = Bench::new(803, 100_000);
    bench.fill();
    let web = server(&bench, &[]);
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed).to_string();
    let got = Bench::of(bench.torrent.as_ref().clone());
    let mut get = brooklet(None);
    get.args([
        "get",
        &web.url("/none"),
        &web.url("/t.torrent"),
        "--port",
        "0",
    ]);
    get.args(["--bind", "127.0.0.1", "--peer", &addr, "--state"])
        .arg(got.dir.join("state"));
    get.arg("-d").arg(got.content());
    let mut get = Child::spawn("get", &mut get);
    assert_eq!(get.code(SOON), 1);
    let said = get.text(Stream::Err);
    assert!(
        said.contains("/none: HTTP 404: there is no such file"),
        "{said}"
    );
    got.assert_whole();
}

#[test]
fn trackers_of_a_torrent_behind_a_url_are_asked() {
    let bench = Bench::new(804, 1_000);
    let web = server(&bench, &["http://127.0.0.1:1/announce"]);
    let dir = Dir::new();
    let (code, table, said) = run(&dir, &["scrape", &web.url("/t.torrent")]);
    assert_eq!(code, 1, "{said}");
    assert!(table.contains("http://127.0.0.1:1/announce"), "{table}");
}
