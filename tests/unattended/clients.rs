//! Clients of remote control: batches, answers that nobody reads, a process that does not answer.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use brooklet::base::limits;
use brooklet::rpc::LISTED;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, Stream, brooklet, command};
use super::support::dir::Dir;
use super::support::installed;
use super::support::json::Json;

/// A link to a torrent that nobody has.
fn link(number: usize) -> String {
    format!("magnet:?xt=urn:btih:{number:040x}&dn=torrent-{number}")
}

/// A batch of so many requests of a method.
fn batch(count: usize, method: &str, params: impl Fn(usize) -> String) -> String {
    let request = |id: usize| {
        let params = params(id);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    };
    let requests: Vec<String> = (0..count).map(request).collect();
    format!("[{}]\n", requests.join(","))
}

/// A request for a long answer.
fn fields(_: usize) -> String {
    format!(r#"{{"fields":["{}"]}}"#, LISTED.join("\",\""))
}

fn answer(mut client: &UnixStream, request: &str) -> Json {
    client.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line).unwrap();
    Json::parse(&line).unwrap()
}

/// Memory of the process in KiB.
fn rss(run: &Run) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", run.child.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_batch_of_torrents_is_added_together_in_its_order() {
    let run = Run::start();
    let count = limits::CONTROL_BATCH;
    let client = run.client();
    let adds = batch(count, "torrent_add", |id| {
        format!(r#"{{"filename":"{}","paused":true}}"#, link(id + 1))
    });
    let answers = answer(&client, &adds);
    assert_eq!(answers.list().len(), count);
    let mut numbers = BTreeSet::new();
    for (place, answer) in answers.list().iter().enumerate() {
        let added = answer.get("result").get("torrent_added");
        assert_eq!(added.get("name").text(), format!("torrent-{}", place + 1));
        assert_eq!(added.get("id").count(), place as u64 + 1, "in their order");
        numbers.insert(added.get("id").count());
    }
    assert_eq!(numbers.len(), count);
    // What was answered is kept.
    let list = fs::read_to_string(run.folder().join("torrents/list")).unwrap();
    assert_eq!(list.lines().count(), count + 1, "{list}");
    // The command names many at once, too; one that is there does not get what is wanted anew.
    let links: Vec<String> = (count..3 * count).map(|number| link(number + 1)).collect();
    let names: Vec<&str> = links.iter().map(String::as_str).collect();
    let there = link(1);
    let args = [
        &["add", "--paused", "-d", "/elsewhere"],
        &names[..],
        &[&there],
    ]
    .concat();
    let said = run.says(&args);
    let lines: Vec<&str> = said.lines().collect();
    for (line, number) in lines.iter().zip(count + 1..) {
        if number <= 3 * count {
            assert_eq!(*line, format!("{number} torrent-{number}"));
        }
    }
    let without = "without effect: --paused and --dir";
    let last = format!("1 torrent-1 (it was there already; {without})");
    assert_eq!(lines.last(), Some(&last.as_str()));
    assert_eq!(lines.len(), 2 * count + 1);
}

#[test]
fn answers_that_nobody_reads_take_little_memory_and_delay_no_other() {
    let run = Run::start();
    let adds = batch(limits::CONTROL_BATCH, "torrent_add", |id| {
        format!(r#"{{"filename":"{}","paused":true}}"#, link(id + 1))
    });
    answer(&run.client(), &adds);
    let before = rss(&run);
    let asks = batch(limits::CONTROL_BATCH, "torrent_get", fields);
    // One that reads gets all of it.
    let answers = answer(&run.client(), &asks);
    let whole = |answer: &Json| answer.get("result").get("torrents").list().len();
    assert_eq!(answers.list().len(), limits::CONTROL_BATCH);
    assert!(
        answers
            .list()
            .iter()
            .all(|it| whole(it) == limits::CONTROL_BATCH)
    );
    // Each of these is some megabytes long, of which so much is made as is read, and a little more.
    // These answers together stay below what clients may leave unread together.
    let deaf: Vec<UnixStream> = (1..limits::CONTROL_CLIENTS).map(|_| run.client()).collect();
    for mut client in &deaf {
        client.write_all(asks.as_bytes()).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(run.torrents().len(), limits::CONTROL_BATCH);
    }
    let cpu = || run.child.cpu();
    let mut last = cpu();
    wait("it does not rest", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = cpu();
        now - std::mem::replace(&mut last, now) < Duration::from_millis(20)
    });
    let most = (limits::CONTROL_UNSENT / limits::KIB) as u64;
    let grown = rss(&run).saturating_sub(before);
    assert!(grown < most, "{grown} KiB more");
    drop(deaf);
    assert_eq!(run.torrents().len(), limits::CONTROL_BATCH);
}

#[test]
fn what_is_not_added_is_told_also_when_the_process_ends() {
    let dir = Dir::new();
    let listener = UnixListener::bind(dir.join("control")).unwrap();
    let links: Vec<String> = (1..=limits::ADDS_AT_ONCE + 1).map(link).collect();
    let mut command = brooklet(None);
    command.arg("add").arg("none.torrent").args(&links);
    command.current_dir(&*dir);
    let mut add = Child::spawn("add", &mut command);
    let (client, _) = listener.accept().unwrap();
    let mut requests = BufReader::new(&client);
    let mut first = String::new();
    requests.read_line(&mut first).unwrap();
    // As many as are added together, so that their answers do not wait for the rest.
    let sent = Json::parse(&first).unwrap().list().len();
    assert_eq!(sent, limits::ADDS_AT_ONCE);
    let answer = |id: usize| {
        let added = format!(r#"{{"id":{},"name":"torrent-{}"}}"#, id + 1, id + 1);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"torrent_added":{added}}}}}"#)
    };
    let answers: Vec<String> = (0..sent).map(answer).collect();
    let text = format!("[{}]\n", answers.join(","));
    (&client).write_all(text.as_bytes()).unwrap();
    requests.read_line(&mut String::new()).unwrap();
    drop(client);
    assert_eq!(add.code(SOON), 1);
    assert_eq!(add.text(Stream::Out).lines().count(), sent);
    let said = add.text(Stream::Err);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains("none.torrent: "), "{said}");
    assert!(lines[1].ends_with("ended before it answered"), "{said}");
}

#[test]
fn a_process_that_does_not_answer_is_told_of() {
    let run = Run::start();
    run.child.signal("STOP");
    let mut status = run.asks(&["status"]);
    let line = status.line("has not answered for 5 s: waiting", SOON);
    let folder = run.folder();
    assert!(line.starts_with(&*folder.to_string_lossy()), "{line}");
    run.child.signal("CONT");
    assert_eq!(status.code(SOON), 0, "{}", status.text(Stream::Err));
}

#[test]
fn it_is_shown_where_a_torrent_lies_why_it_is_paused_and_what_limits_it() {
    let run = Run::start();
    let (first, second) = (one("first", 100_000, 1), one("second", 100_000, 2));
    run.add(&first, &[]);
    let own = run.dir.join("own");
    let path = run.dir.join("second.torrent");
    second.write(&path, &[]);
    run.says(&[
        "add",
        "--paused",
        "-d",
        own.to_str().unwrap(),
        path.to_str().unwrap(),
    ]);
    let usual = fs::canonicalize(run.folder().join("downloads")).unwrap();
    let torrents = run.torrents();
    let dirs: Vec<&str> = torrents.iter().map(|it| it.get("dir").text()).collect();
    assert_eq!(dirs, [usual.to_str().unwrap(), own.to_str().unwrap()]);
    let words = run.says(&["status", "2"]);
    let line = |words: &str, line: &str| words.contains(&format!("\n{line}\n"));
    assert!(
        line(&words, &format!("folder       {}", own.display())),
        "{words}"
    );
    assert!(line(&words, "state        paused by its user"), "{words}");
    assert_eq!(torrents[1].get("paused_by").text(), "user");
    assert_eq!(run.says(&["limit"]), "down: none, up: none\n");
    run.says(&["limit", "--down", "1M"]);
    run.says(&["limit", "--up", "10K", "1-9"]);
    assert_eq!(run.says(&["limit"]), "down: 1.00 MiB/s, up: none\n");
    assert_eq!(
        run.says(&["limit", "1", "2"]),
        "1 first: down: none, up: 10.0 KiB/s\n2 second: down: none, up: 10.0 KiB/s\n"
    );
    let shown = Json::parse(&run.says(&["status", "--json"])).unwrap();
    assert_eq!(shown.get("down_limit").count(), 1 << 20);
    assert_eq!(shown.get("active").count(), limits::ACTIVE as u64);
    let words = run.says(&["status", "-v"]);
    let last = "limits of all together: down: 1.00 MiB/s, up: none; downloads at the same time: 5";
    assert_eq!(words.lines().last(), Some(last));
    // Numbers in a row may have gaps, but not be empty.
    run.says(&["remove", "1"]);
    run.says(&["pause", "1-2"]);
    let line = run.refused(&["pause", "1-1", "2"], 1);
    assert_eq!(line, "1: no torrent has this number: see brooklet status");
    let line = run.refused(&["pause", "3-7"], 1);
    assert_eq!(
        line,
        "3-7: no torrent has such a number: see brooklet status"
    );
}

/// Trackers that do not answer keep nobody waiting who steers the process: it takes no nap for
/// them.
#[test]
fn nobody_waits_for_silent_trackers() {
    if !installed(&["strace"]) {
        return;
    }
    // They take connections, and say nothing.
    let trackers = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let (dir, mut announced) = (Dir::new(), Vec::new());
    let state = dir.folder("run/torrents");
    for (number, tracker) in trackers.iter().enumerate() {
        let torrent = one(&format!("t{number}"), 1000, number as u64);
        torrent.content.write(&dir.folder("run/downloads"));
        let url = format!("http://{}/announce", tracker.local_addr().unwrap());
        torrent.write(&state.join(format!("{}.torrent", torrent.hex())), &[&url]);
    }
    let naps = dir.join("naps");
    let mut command = command(None, "strace");
    // The process itself is the one that the test has begun. Its main thread is looked at.
    command.args(["-D", "-e", "trace=clock_nanosleep,nanosleep", "-o"]);
    command
        .arg(&naps)
        .args(["--", env!("CARGO_BIN_EXE_brooklet")]);
    let child = Run::begin_by(command, &dir.join("run"), &["--no-dht"]);
    let mut run = Run { dir, child };
    for tracker in &trackers {
        let (mut stream, _) = tracker.accept().unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        announced.push(stream);
    }
    run.until(&["seeding"; 2]);
    let taken = || {
        fs::read_to_string(&naps)
            .unwrap()
            .matches("nanosleep(")
            .count()
    };
    let before = taken();
    for number in 2..10 {
        let added = one(&format!("t{number}"), 1000, number).write(&run.dir.join("t.torrent"), &[]);
        run.says(&["add", "--paused", added.to_str().unwrap()]);
    }
    assert_eq!(run.torrents().len(), 10);
    assert_eq!(taken() - before, 0);
    run.stop();
}
