//! A process that a signal has asked to end, while its trackers are told or its torrents come in.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Mutex;
use std::sync::mpsc::channel;

use brooklet::base::limits;

use super::run::{Run, SOON, one, wait};
use super::support::json::Json;
use super::support::web::{Web, answer};

/// Each is answered in one line, and the process ends as if nobody had asked.
#[test]
fn what_would_keep_the_process_is_refused() {
    let (_held, holds) = channel::<()>();
    let holds = Mutex::new(holds);
    // It is slow to hear that a peer has stopped.
    let web = Web::start(move |path, _| {
        if path.contains("event=stopped") {
            let _ = holds.lock().unwrap().recv();
        }
        answer("200 OK", "", b"d8:intervali1800e5:peers0:e")
    });
    let mut run = Run::start();
    run.add(&one("a", 1000, 1), &[&web.url("/announce")]);
    let (failing, place) = (run.dir.join("b.torrent"), run.dir.folder("place"));
    one("b", 1000, 2).write(&failing, &[]);
    let args = ["add", "-d", place.to_str().unwrap()];
    run.says(&[&args[..], &[failing.to_str().unwrap()]].concat());
    run.child.kill();
    fs::remove_dir(&place).unwrap();
    fs::write(&place, "a file").unwrap();
    run.start_again(&[]);
    wait("it has not failed", || {
        let torrents = run.torrents();
        torrents.len() == 2 && torrents[1].get("state").text() == "failed"
    });
    fs::remove_file(&place).unwrap();
    let asked = |what: &str| web.asked.lock().unwrap().iter().any(|it| it.contains(what));
    wait("the tracker is not asked", || asked("event=started"));
    let added = one("c", 1000, 3).write(&run.dir.join("c.torrent"), &[]);
    let requests = [
        String::from(r#""torrent_start","params":{"ids":[2]}"#),
        String::from(r#""torrent_stop","params":{"ids":[1,2]}"#),
        format!(
            r#""torrent_add","params":{{"filename":"{}"}}"#,
            added.display()
        ),
    ];
    let clients = requests.each_ref().map(|_| run.client());
    run.child.signal("TERM");
    wait("the tracker is not told", || asked("event=stopped"));
    let dropped = one("d", 1000, 4);
    let place = run.folder().join("watch/d.torrent");
    fs::rename(dropped.write(&run.dir.join("d.torrent"), &[]), &place).unwrap();
    for (mut client, request) in clients.iter().zip(requests) {
        writeln!(client, r#"{{"jsonrpc":"2.0","id":1,"method":{request}}}"#).unwrap();
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        let why = "the process is ending: repeat this once it is started again";
        assert_eq!(line.matches(why).count(), 1, "{request}: {line}");
    }
    assert_eq!(run.child.code(SOON), 143);
    // What is dropped into the folder meanwhile, and what lies there, is for the next run.
    assert!(place.exists() && !run.kept_file(&dropped, "torrent").exists());
    run.start_again(&[]);
    let names = |run: &Run| -> Vec<String> {
        let name = |it: &super::support::json::Json| it.get("name").text().to_string();
        run.torrents().iter().map(name).collect()
    };
    wait("they are not there", || names(&run) == ["a", "b", "d"]);
}

/// Torrents that are taken up after the signal would keep the process as well.
#[test]
fn a_process_that_is_still_starting_ends() {
    let torrents = (0..2000).map(|number| one(&format!("t{number:04}"), 100, number));
    let mut run = Run::with_torrents(torrents, &["--no-trackers"]);
    // Some are there; up to then the signal would end the process at once.
    run.child.line(": on disk: ", SOON);
    run.stop();
    run.start_again(&["--no-trackers"]);
    assert_eq!(run.torrents().len(), 2000, "none is lost");
}

/// A batch that comes with the signal is done in the last turns: what it changes is kept.
#[test]
fn a_batch_that_comes_with_the_signal_is_answered_and_kept() {
    let mut run = Run::start();
    let request = |id: usize| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"session_stats"}}"#);
    // More than one turn takes.
    let mut batch: Vec<String> = (0..2 * limits::CONTROL_CLIENTS).map(request).collect();
    batch.push(String::from(
        r#"{"jsonrpc":"2.0","id":"limit","method":"session_set","params":{"speed_limit_up_enabled":true,"speed_limit_up":77}}"#,
    ));
    let added = one("a", 1000, 1).write(&run.dir.join("a.torrent"), &[]);
    batch.push(format!(
        r#"{{"jsonrpc":"2.0","id":"add","method":"torrent_add","params":{{"filename":"{}"}}}}"#,
        added.display()
    ));
    let mut client = run.client();
    run.child.signal("STOP");
    writeln!(client, "[{}]", batch.join(",")).unwrap();
    run.child.signal("TERM");
    run.child.signal("CONT");
    let mut line = String::new();
    BufReader::new(&client).read_line(&mut line).unwrap();
    let answers = Json::parse(&line).unwrap();
    let answers = answers.list();
    assert_eq!(answers.len(), batch.len());
    let limit = &answers[answers.len() - 2];
    assert!(limit.find("result").is_some(), "{line}");
    assert_eq!(
        line.matches("the process is ending").count(),
        1,
        "the torrent is not added"
    );
    assert_eq!(run.child.code(SOON), 143);
    run.start_again(&[]);
    assert_eq!(run.limits(), [None, Some(77)]);
}
