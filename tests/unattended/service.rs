//! What runs for long without anybody: settings, the service manager, limits that end a stay.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;

use super::run::{Run, SOON, one, wait};
use super::support::child::{Child, brooklet};
use super::support::trackers::OpenTracker;

impl Run {
    fn hang_up_with(&self, config: &str) {
        fs::write(self.folder().join("config"), config).unwrap();
        self.child.signal("HUP");
    }
}

#[test]
fn settings_are_read_at_the_start_and_again_when_asked() {
    let mut run = Run::start_with(&[("config", "up 500K\n")], &[]);
    let config = run.folder().join("config");
    let config = config.display();
    assert_eq!(run.limits()[1], Some(512));
    let said = |run: &mut Run, what: &str| run.child.line(&format!("{config}: {what}"), SOON);
    run.child.signal("HUP");
    said(&mut run, "read again: nothing has changed");
    // What a user has set in the meantime holds: nothing of it has changed in the file.
    run.says(&["limit", "--up", "2M"]);
    run.hang_up_with("up 500K\nport 7000\n");
    run.child.line(
        &format!("{config}: port: it is changed by the next start"),
        SOON,
    );
    assert_eq!(run.limits()[1], Some(2097));
    run.hang_up_with("up 1M\nport 7000\nport x\n");
    run.child.line(
        &format!("{config}: line 3: port x: expected 0 to 65535"),
        SOON,
    );
    assert_eq!(run.limits()[1], Some(2097));
    run.hang_up_with("up 1M\nport 7000\n");
    said(&mut run, "read again: in effect from now on: up");
    wait("the limit is the old one", || run.limits()[1] == Some(1049));
    assert!(run.child.is_running());
    run.stop();
}

/// Without what a wrong line says, such as an address to listen on, it might do harm.
#[test]
fn nothing_is_begun_with_a_wrong_line_in_the_file() {
    let dir = super::support::dir::Dir::new();
    dir.folder("run");
    let config = dir.file("run/config", "up 500K\nbind 127.0.0.l\nactive 0\n");
    let mut command = brooklet(None);
    let output = command.arg("run").arg(dir.join("run")).arg("-q").output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let why = "line 2: bind 127.0.0.l: expected an IP address or an interface of this machine";
    let line = format!("brooklet: {}: {why} (", config.display());
    assert_eq!(output.status.code(), Some(2));
    assert!(said.starts_with(&line) && said.ends_with(")\n"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!dir.join("run/torrents").exists());
}

#[test]
fn the_command_line_wins_over_the_file() {
    let run = Run::start_with(&[("config", "up 500K\n")], &["--up", "1M"]);
    assert_eq!(run.limits()[1], Some(1049));
}

#[test]
fn a_file_in_place_of_the_folder_is_said_in_one_line() {
    let dir = super::support::dir::Dir::new();
    let path = dir.file("run", "a file");
    let output = brooklet(None).arg("run").arg(&path).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&*path.to_string_lossy()), "{said}");
}

#[test]
fn a_service_manager_is_told() {
    let dir = super::support::dir::Dir::new();
    let path = dir.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let mut command = brooklet(None);
    command
        .arg("run")
        .arg(dir.join("run"))
        .args(["--port", "0", "--bind", "127.0.0.1"]);
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000");
    let mut child = Child::spawn("run", &mut command);
    let hear = || {
        let mut buffer = [0; 100];
        let n = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert!(std::os::unix::net::UnixStream::connect(dir.join("run/control")).is_ok());
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    let next = || loop {
        let said = hear();
        if said != "WATCHDOG=1" {
            return said;
        }
    };
    // The clock that the manager compares with is that of the whole machine.
    let uptime = || {
        let text = fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
        seconds * 1e6
    };
    let before = uptime();
    child.signal("HUP");
    let said = next();
    let time = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    let time: f64 = time.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    let now = uptime();
    assert!(
        time >= before - 2e4 && time <= now + 2e4,
        "{before} {time} {now}"
    );
    assert_eq!(next(), "READY=1");
    child.signal("TERM");
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(child.code(SOON), 143);
}

#[test]
fn a_command_is_run_once_for_each_torrent_that_was_downloaded() {
    let torrent = one("a 'b' $c", 200_000, 1);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let mut run = Run::start();
    run.child.kill();
    let program = run.dir.file(
        "on complete",
        "#!/bin/sh\nprintf '%s|' \"$BROOKLET_NAME\" \"$BROOKLET_DIR\" \"$BROOKLET_INFO_HASH\" \
         \"$BROOKLET_SIZE\" >> \"$BROOKLET_DIR/ran\"\necho >> \"$BROOKLET_DIR/ran\"\nexit 7\n",
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let missing = format!("{} x", program.display());
    run.start_again(&["--on-complete", &missing]);
    let line = format!("on-complete: {missing}: no such program");
    run.child.line(&line, SOON);
    run.child.kill();
    let options = ["--allow-local", "--on-complete", program.to_str().unwrap()];
    run.start_again(&options);
    let _seed = run.seed(&torrent, &tracker);
    run.add(&torrent, &[&tracker.http_url]);
    run.until(&["seeding"]);
    let failure = format!(
        "on-complete: {}: a 'b' $c: exit status: 7",
        program.display()
    );
    run.child.line(&failure, SOON);
    let downloads = fs::canonicalize(run.folder().join("downloads")).unwrap();
    let ran = || fs::read_to_string(downloads.join("ran")).unwrap();
    let (dir, hash) = (downloads.display(), torrent.hex());
    assert_eq!(ran(), format!("a 'b' $c|{dir}|{hash}|200000|\n"));
    // Once it is on record: a kill before that has the next start run it again.
    let list = run.folder().join("torrents/list");
    let recorded = || {
        let list = fs::read_to_string(&list).unwrap();
        list.contains("\"complete\":true") && !list.contains("unrun")
    };
    wait("it is not recorded", recorded);
    run.restart(&options);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["seeding"]);
    run.says(&["pause", "1"]);
    run.until(&["paused"]);
    run.says(&["resume", "1"]);
    run.until(&["seeding"]);
    assert_eq!(ran().lines().count(), 1, "once");
}

#[test]
fn a_torrent_that_has_reached_its_ratio_is_paused_until_somebody_resumes_it() {
    let torrent = one("a", 200_000, 1);
    let Some(tracker) = OpenTracker::start(&[torrent.info_hash]) else {
        return;
    };
    let options = ["--allow-local", "--ratio", "0"];
    let mut run = Run::start_with(&[], &options);
    let _seed = run.seed(&torrent, &tracker);
    run.add(&torrent, &[&tracker.http_url]);
    run.until(&["paused"]);
    torrent.content.assert_in(&run.folder().join("downloads"));
    run.restart(&options);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["paused"]);
    run.says(&["resume", "1"]);
    run.until(&["seeding"]);
    run.restart(&options);
    wait("it is not loaded", || run.torrents().len() == 1);
    run.until(&["seeding"]);
    // It stays so.
    run.says(&["status"]);
    run.until(&["seeding"]);
}
