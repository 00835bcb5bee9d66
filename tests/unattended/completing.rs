//! Downloads that become complete: the command that is run then, and content that is gone later.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use brooklet::base::limits;

use super::links::seed;
use super::run::{Run, SOON, one, wait};
use super::support::child::Stream;
use super::support::content::Content;
use super::support::torrent::Torrent;

/// A command that notes in this file for which torrents it is run.
fn command(path: &Path, notes: &Path) {
    let script = format!(
        "#!/bin/sh\necho \"$BROOKLET_NAME\" >> '{}'\n",
        notes.display()
    );
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn runs(notes: &Path) -> usize {
    fs::read_to_string(notes).map_or(0, |text| text.lines().count())
}

/// Whether a folder keeps that a torrent is complete, and that the command was run.
fn is_recorded(run: &Run) -> bool {
    let list = fs::read_to_string(run.folder().join("torrents/list")).unwrap();
    list.contains("\"complete\":true") && !list.contains("unrun")
}

#[test]
fn content_that_is_gone_is_said_once_and_complete_again_once_it_is_back() {
    let files = [("a", 30_000), ("b", 20_000)];
    let torrent = || Torrent::new(Content::folder(1, "t", &files), 1 << 14);
    let (_bench, _seed, addr) = seed(torrent(), &[]);
    let mut run = Run::start();
    let (program, notes) = (run.dir.join("command"), run.dir.join("notes"));
    command(&program, &notes);
    let alone = ["--no-dht", "--on-complete", program.to_str().unwrap()];
    let with_peer = [&alone[..], &["--peer", &addr]].concat();
    run.restart(&with_peer);
    run.add(&torrent(), &[]);
    run.until(&["seeding"]);
    wait("the command is not run", || runs(&notes) == 1);
    wait("it is not recorded", || is_recorded(&run));
    run.stop();
    let gone = run.folder().join("downloads/t/b");
    fs::remove_file(&gone).unwrap();
    let line = format!("{}: it is gone, and downloaded again", gone.display());
    for times in [1, 0] {
        run.start_again(&alone);
        wait("it is not loaded", || run.torrents().len() == 1);
        run.until(&["downloading"]);
        run.stop();
        let said = run.child.text(Stream::Err);
        assert_eq!(said.matches(&line).count(), times, "{said}");
    }
    assert!(!is_recorded(&run));
    run.start_again(&with_peer);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["seeding"]);
    wait("the command is not run again", || runs(&notes) == 2);
    wait("it is not recorded", || is_recorded(&run));
    run.restart(&with_peer);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["seeding"]);
    run.stop();
    assert_eq!(runs(&notes), 2);
}

#[test]
fn a_command_that_cannot_be_run_is_run_when_it_is_there() {
    for by_start in [true, false] {
        let (_bench, _seed, addr) = seed(one("a b", 100_000, 1), &[]);
        let mut run = Run::start();
        let (program, notes) = (run.dir.join("command"), run.dir.join("notes"));
        let options = ["--peer", &addr, "--on-complete", program.to_str().unwrap()];
        run.restart(&options);
        run.add(&one("a b", 100_000, 1), &[]);
        let line = format!(
            "on-complete: {}: a b: no such file or directory: tried again at the next start, and \
             at SIGHUP",
            program.display()
        );
        run.child.line(&line, SOON);
        if by_start {
            run.stop();
            command(&program, &notes);
            run.start_again(&options);
        } else {
            command(&program, &notes);
            run.child.signal("HUP");
        }
        wait("the command is not run", || runs(&notes) == 1);
        run.stop();
        run.start_again(&options);
        wait("it is not loaded", || run.torrents().len() == 1);
        run.until(&["seeding"]);
        run.stop();
        assert_eq!(runs(&notes), 1, "once");
    }
}

/// A few commands run at one time: the end, or a kill, may find others that wait for them.
#[test]
fn commands_that_wait_at_the_end_are_run_by_the_next_start() {
    for is_kill in [true, false] {
        let all = limits::COMMANDS + 2;
        let names: Vec<String> = (0..all).map(|number| format!("t{number}")).collect();
        let torrent = |seed: usize| one(&names[seed], 20_000, seed as u64);
        let seeds: Vec<_> = (0..all).map(|it| seed(torrent(it), &[])).collect();
        let mut run = Run::start();
        let (program, notes) = (run.dir.join("command"), run.dir.join("notes"));
        command(&program, &notes);
        // Each lasts until this can be read, and holds nothing of ours meanwhile.
        let gate = run.dir.join("gate");
        let made = Command::new("mkfifo").arg(&gate).status().unwrap();
        assert!(made.success());
        let mut script = fs::read_to_string(&program).unwrap();
        script += &format!("exec > /dev/null 2>&1\nread line < '{}'\n", gate.display());
        fs::write(&program, script).unwrap();
        let mut options = vec!["--no-dht", "--on-complete", program.to_str().unwrap()];
        for (.., addr) in &seeds {
            options.extend(["--peer", addr]);
        }
        run.restart(&options);
        (0..all).for_each(|it| drop(run.add(&torrent(it), &[])));
        run.until(&["seeding"]);
        wait("it does not run", || runs(&notes) == limits::COMMANDS);
        let list = run.folder().join("torrents/list");
        let waiting = || fs::read_to_string(&list).unwrap().matches("unrun").count();
        wait("it is not recorded", || waiting() == all - limits::COMMANDS);
        if is_kill {
            run.child.kill();
        } else {
            run.stop();
        }
        assert_eq!(runs(&notes), limits::COMMANDS);
        // Those that have not come to it yet find it open, too.
        let _gate = fs::File::options()
            .read(true)
            .write(true)
            .open(&gate)
            .unwrap();
        command(&program, &notes);
        for _ in 0..2 {
            run.start_again(&options);
            wait("they are not loaded", || run.torrents().len() == all);
            run.until(&["seeding"]);
            wait("it is not run", || runs(&notes) >= all);
            wait("it is not recorded", || waiting() == 0);
            run.stop();
        }
        let text = fs::read_to_string(&notes).unwrap();
        let mut noted: Vec<&str> = text.lines().collect();
        noted.sort_unstable();
        assert_eq!(noted, names, "once for each");
    }
}

/// Downloads some of a torrent, and ends. Where its content lies.
fn some_of_it(torrent: &Torrent, addr: &str) -> (Run, PathBuf) {
    let mut run = Run::start_with(&[], &["--no-dht", "--peer", addr, "--down", "200K"]);
    run.add(torrent, &[]);
    wait("nothing comes", || {
        run.torrents()[0].get("done").count() > 0
    });
    run.stop();
    let content = run.folder().join("downloads").join(&torrent.content.name);
    (run, content)
}

/// The pieces that were on disk, by the line of a start.
fn found(run: &mut Run) -> u32 {
    let line = run.child.line("t: on disk: ", SOON);
    let (_, counts) = line.split_once("t: on disk: ").unwrap();
    counts.split(' ').next().unwrap().parse().unwrap()
}

/// A folder whose disk is not mounted looks empty: a download would fill the disk below it.
#[test]
fn a_part_of_a_download_that_is_gone_is_said_and_downloaded_again_only_when_asked_for() {
    let files = [("a", 1_500_000), ("b", 1_500_000)];
    let torrent = || Torrent::new(Content::folder(1, "t", &files), 1 << 14);
    let (_bench, _seed, addr) = seed(torrent(), &[]);
    let (mut run, content) = some_of_it(&torrent(), &addr);
    let away = run.dir.join("away");
    fs::rename(&content, &away).unwrap();
    let fails = |run: &Run| {
        wait("it is not loaded", || run.torrents().len() == 1);
        let torrents = run.until(&["failed"]);
        let why = torrents[0].get("error").text();
        let words = format!("{}: nothing of it is there any more", content.display());
        assert!(why.starts_with(&words), "{why}");
        assert!(!content.exists());
    };
    // However often it is started.
    for _ in 0..2 {
        run.start_again(&["--no-dht"]);
        fails(&run);
        run.stop();
    }
    // Its disk is there again: nothing is lost.
    fs::rename(&away, &content).unwrap();
    run.start_again(&["--no-dht"]);
    assert!(found(&mut run) > 0);
    run.stop();
    fs::remove_dir_all(&content).unwrap();
    run.start_again(&["--peer", &addr]);
    fails(&run);
    run.says(&["resume", "1"]);
    run.until(&["seeding"]);
    torrent().content.assert_in(&run.folder().join("downloads"));
}

/// A download that had got nothing has lost nothing.
#[test]
fn a_download_that_had_got_nothing_begins_again_without_a_word() {
    let mut run = Run::start();
    run.add(&one("t", 100_000, 1), &[]);
    run.until(&["downloading"]);
    run.stop();
    let downloads = run.folder().join("downloads");
    fs::remove_dir_all(&downloads).unwrap();
    run.start_again(&["--no-dht"]);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["downloading"]);
    run.stop();
    let said = run.child.text(Stream::Err);
    assert!(!said.contains("gone"), "{said}");
}
