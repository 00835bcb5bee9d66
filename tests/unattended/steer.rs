//! The commands that steer a process, and clients that misbehave.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use brooklet::base::limits;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, Stream, brooklet};
use super::support::content::Content;
use super::support::json::Json;
use super::support::torrent::Torrent;
use super::support::trackers::OpenTracker;

#[test]
fn torrents_are_added_paused_limited_resumed_and_removed() {
    let run = Run::start();
    assert_eq!(run.torrents(), []);
    let (first, second) = (one("a\u{1b}[2Jb", 100_000, 1), one("second", 100_000, 2));
    let added = run.add(&first, &[]);
    assert!(
        added.starts_with("1 ") && !added.contains('\u{1b}'),
        "{added}"
    );
    assert_eq!(run.add(&second, &[]), "2 second\n");
    assert_eq!(run.add(&second, &[]), "2 second (it was there already)\n");
    run.until(&["downloading"]);
    let table = run.says(&["status"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
    assert_eq!(run.says(&["pause", "2"]), "");
    let states = |run: &Run| -> Vec<String> {
        let state = |torrent: &Json| torrent.get("state").text().to_string();
        run.torrents().iter().map(state).collect()
    };
    assert_eq!(states(&run), ["downloading", "paused"]);
    run.says(&["pause", "all"]);
    assert_eq!(states(&run), ["paused", "paused"]);
    run.says(&["resume", "1", "2"]);
    run.until(&["downloading"]);
    run.says(&["limit", "--down", "512K", "--up", "none"]);
    run.says(&["limit", "--up", "1M", "2"]);
    let words = run.says(&["status", "2"]);
    assert!(
        words.contains("up           0 B/s (at most 1.00 MiB/s)\n"),
        "{words}"
    );
    let mut client = run.client();
    client
        .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session_get\"}\n")
        .unwrap();
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line).unwrap();
    let answer = Json::parse(&line).unwrap();
    let settings = answer.get("result");
    assert_eq!(settings.get("speed_limit_down").count(), 524);
    assert!(settings.get("speed_limit_down_enabled").is_true());
    assert!(!settings.get("speed_limit_up_enabled").is_true());
    run.says(&["remove", "1"]);
    run.until(&["downloading"]);
    let left = run.torrents();
    assert_eq!((left.len(), left[0].get("number").count()), (1, 2));
    // Its number is not given again.
    assert_eq!(run.add(&first, &[]).split(' ').next(), Some("3"));
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let run = Run::start();
    run.add(&one("first", 100_000, 1), &[]);
    for command in ["pause", "resume", "remove", "status"] {
        let line = run.refused(&[command, "9"], 1);
        assert_eq!(line, "9: no torrent has this number: see brooklet status");
    }
    let line = run.refused(&["limit", "--down", "1M", "9"], 1);
    assert!(line.starts_with("9: no torrent"), "{line}");
    for (args, words) in [
        (&["pause"][..], "pause: no torrent is named"),
        (&["remove", "all"], "all: expected the number of a torrent"),
        (
            &["limit", "--up", "x"],
            "--up x: expected a number of bytes",
        ),
        (&["add"], "add: no torrent is named"),
        (&["status", "-1"], "-1: no such option"),
    ] {
        let line = run.refused(args, 2);
        assert!(line.starts_with(words), "{line}");
    }
    let missing = run.dir.join("none.torrent");
    run.refused(&["add", missing.to_str().unwrap()], 1);
    let line = run.refused(&["add", "magnet:?xt=urn:btih:00"], 3);
    assert!(line.contains("neither 40 hexadecimal digits"), "{line}");
    let torn = run.dir.file("torn.torrent", "d4:info");
    let line = run.refused(&["add", torn.to_str().unwrap()], 3);
    assert!(line.contains("torn.torrent"), "{line}");
    // One that cannot be added keeps none of the others from it.
    let second = run.dir.join("second.torrent");
    one("second", 100_000, 2).write(&second, &[]);
    let output = run.output(&["add", torn.to_str().unwrap(), second.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 second\n");
    // Two that fail for different reasons are neither's.
    let (torn, missing) = (torn.to_str().unwrap(), missing.to_str().unwrap());
    for (sources, code) in [
        ([torn, missing], 1),
        ([missing, torn], 1),
        ([torn, torn], 3),
        (["https://a.example/x.torrent", torn], 1),
        ([torn, "https://a.example/x.torrent"], 1),
    ] {
        let output = run.output(&[&["add"], &sources[..]].concat());
        assert_eq!(output.status.code(), Some(code), "{sources:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 2, "{said}");
    }
    // Another torrent of the same files.
    let other = run.dir.join("other.torrent");
    one("second", 100_000, 3).write(&other, &[]);
    let line = run.refused(&["add", other.to_str().unwrap()], 1);
    assert_eq!(
        line,
        "second: number 2, second, has the same files: remove that first"
    );
}

#[test]
fn a_folder_has_one_process_and_a_dead_one_is_known() {
    let mut run = Run::start();
    let folder = run.folder();
    run.add(&one("first", 100_000, 1), &[]);
    run.add(&one("second", 100_000, 2), &[]);
    let mode = fs::metadata(folder.join("control"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut second = brooklet(None);
    second.arg("run").arg(&folder).args(["--port", "0"]);
    let mut second = Child::spawn("second", &mut second);
    assert_eq!(second.code(SOON), 1);
    let said = second.text(Stream::Err);
    assert!(
        said.ends_with("another brooklet runs here already\n"),
        "{said}"
    );
    assert_eq!(run.torrents().len(), 2, "the first goes on");
    run.child.kill();
    let line = run.refused(&["status"], 1);
    assert!(
        line.contains("no brooklet runs here: start it with brooklet run"),
        "{line}"
    );
    run.start_again(&[]);
    let torrents = run.until(&["downloading"]);
    let names: Vec<&str> = torrents.iter().map(|it| it.get("name").text()).collect();
    assert_eq!(names, ["first", "second"]);
    run.child.signal("TERM");
    assert_eq!(run.child.code(SOON), 143);
    assert!(!folder.join("control").exists());
    let line = run.refused(&["status", "-C", "nowhere"], 1);
    assert_eq!(line, "nowhere: no such file or folder");
}

#[test]
fn clients_that_misbehave_delay_no_other() {
    let run = Run::start();
    run.add(&one("first", 100_000, 1), &[]);
    a_line_that_is_no_json_costs_only_itself(&run);
    // Asks without end, and never reads.
    let mut deaf = run.client();
    deaf.set_nonblocking(true).unwrap();
    let ask = b"{\"method\":\"session-get\"}\n".repeat(1000);
    while deaf.write(&ask).is_ok() {}
    let _silent: Vec<UnixStream> = (0..limits::CONTROL_CLIENTS * 2)
        .map(|_| run.client())
        .collect();
    assert_eq!(run.torrents().len(), 1);
    run.says(&["pause", "1"]);
    run.until(&["paused"]);
}

/// Its client may go on, but not for ever.
fn a_line_that_is_no_json_costs_only_itself(run: &Run) {
    let mut client = run.client();
    let mut answers = BufReader::new(client.try_clone().unwrap()).lines();
    let mut answer = || Json::parse(&answers.next()?.ok()?).ok();
    let code = |answer: &Json| answer.get("error").get("code").number();
    let mistyped = [&b"{\"method\":\"session-get\"\n"[..], b"\xff\xfe\n"];
    for line in mistyped {
        client.write_all(line).unwrap();
        assert_eq!(code(&answer().unwrap()), -32700.0);
        client
            .write_all(b"{\"method\":\"session-stats\"}\n")
            .unwrap();
        assert_eq!(answer().unwrap().get("result").text(), "success");
    }
    // The last of them may meet a closed socket.
    let _ = client.write_all(&b"GET / HTTP/1.1\r\n".repeat(100));
    for _ in 0..limits::CONTROL_GARBAGE {
        assert_eq!(code(&answer().unwrap()), -32700.0);
    }
    assert!(answer().is_none(), "it is closed");
}

#[test]
fn removing_with_data_leaves_what_is_not_ours() {
    let book = Content::folder(1, "book", &[("a", 60_000), ("b/c", 90_000), ("b/d", 10)]);
    let (book, single) = (Torrent::new(book, 1 << 14), one("single", 200_000, 2));
    let Some(tracker) = OpenTracker::start(&[book.info_hash, single.info_hash]) else {
        return;
    };
    let mut run = Run::start();
    run.restart(&["--allow-local"]);
    let seeds: Vec<Child> = [&book, &single]
        .map(|torrent| {
            let name = &torrent.content.name;
            let seeded = run.dir.folder(format!("seed-{name}"));
            torrent.content.write(&seeded);
            let path = run.dir.join(format!("{name}.torrent"));
            torrent.write(&path, &[&tracker.http_url]);
            let mut seed = brooklet(None);
            seed.arg("seed").arg(path).arg("-d").arg(&seeded);
            seed.args([
                "--port",
                "0",
                "--bind",
                "127.0.0.1",
                "--allow-local",
                "--json",
            ]);
            seed.arg("--state").arg(run.dir.join("state"));
            let mut seed = Child::spawn("seed", &mut seed);
            seed.event_where("tracker", SOON, |event| event.get("ok").is_true());
            seed
        })
        .into();
    for torrent in [&book, &single] {
        run.add(torrent, &[&tracker.http_url]);
    }
    let torrents = run.until(&["seeding"]);
    for torrent in &torrents {
        assert_eq!(torrent.get("done").count(), torrent.get("size").count());
    }
    drop(seeds);
    let downloads = run.folder().join("downloads");
    for torrent in [&book, &single] {
        torrent.content.assert_in(&downloads);
    }
    fs::write(downloads.join("book/b/mine"), "mine").unwrap();
    run.says(&["remove", "1", "2", "--data"]);
    for path in ["single", "book/a", "book/b/c", "book/b/d"] {
        assert!(!downloads.join(path).exists(), "{path} is there yet");
    }
    assert_eq!(
        fs::read_to_string(downloads.join("book/b/mine")).unwrap(),
        "mine"
    );
    // What lists them stays.
    for entry in fs::read_dir(run.folder().join("torrents")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_of = |it: &Torrent| name.starts_with(&it.hex());
        assert!(!is_of(&book) && !is_of(&single), "{name} is there yet");
    }
    assert_eq!(run.torrents(), []);
}

/// Why a torrent has no peers: what its trackers said, and when they are asked next.
#[test]
fn a_torrent_shows_its_trackers_and_why_it_has_no_peer() {
    let mut run = Run::start();
    run.restart(&["--allow-local"]);
    let dead = "http://127.0.0.1:1/announce";
    run.add(&one("lonely", 100_000, 1), &[dead]);
    run.until(&["downloading"]);
    let failed = format!("  {dead}  failed ");
    wait("the tracker has not failed", || {
        run.says(&["status", "1"]).contains(&failed)
    });
    let words = run.says(&["status", "1"]);
    let why = "no peers     its tracker failed (http://127.0.0.1:1/announce: it refused";
    assert!(words.contains(why), "{words}");
    let line = words
        .lines()
        .find(|line| line.starts_with(&failed))
        .unwrap();
    assert!(
        line.contains(" ago: it refused the connection; "),
        "{words}"
    );
    let visit = line.contains("; next visit in ") || line.ends_with("; is being asked");
    assert!(visit, "{words}");
    assert_eq!(
        run.says(&["status", "-v"]).lines().next(),
        words.lines().next()
    );
    let shown = Json::parse(&run.says(&["status", "1", "--json"])).unwrap();
    let tracker = &shown.get("trackers").list()[0];
    assert_eq!(tracker.get("url").text(), dead);
    assert!(tracker.find("ok") == Some(&Json::Bool(false)));
    assert!(tracker.get("error").text().contains("refused"));
    assert!(tracker.get("last").count() > 1_600_000_000);
    assert!(
        shown
            .get("no_peers")
            .text()
            .starts_with("its tracker failed")
    );
    let list = Json::parse(&run.says(&["status", "--json"])).unwrap();
    assert!(list.get("torrents").list()[0].find("trackers").is_none());
}

#[test]
fn the_folder_is_named_before_the_command_too() {
    let run = Run::start();
    run.add(&one("first", 100_000, 1), &[]);
    let folder = run.folder();
    let folder = folder.to_str().unwrap();
    let output = |args: &[&str]| {
        let mut child = Child::spawn("brooklet", brooklet(None).args(args));
        let code = child.code(SOON);
        (code, child.text(Stream::Out), child.text(Stream::Err))
    };
    let (code, before, said) = output(&["-C", folder, "status"]);
    assert_eq!((code, &said), (0, &String::new()), "{before}");
    assert_eq!(before, output(&["status", "-C", folder]).1);
    assert_eq!(output(&["-C", folder, "pause", "all"]).0, 0);
    run.until(&["paused"]);
    for (args, line) in [
        (
            &["-C", folder, "run"][..],
            "brooklet: -C: name the folder of run like this: brooklet run DIR\n",
        ),
        (
            &["-C", folder, "get"],
            "brooklet: -C: only status, add, pause, resume, remove and limit take it\n",
        ),
    ] {
        assert_eq!(output(args), (2, String::new(), line.to_string()));
    }
    let (code, _, said) = output(&["status", folder]);
    let line = format!("{folder}: this is a folder: write brooklet status -C {folder}\n");
    assert_eq!((code, said), (2, format!("brooklet: {line}")));
}
