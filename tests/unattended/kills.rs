//! What survives when the process is killed.

use std::collections::BTreeMap;
use std::fs;

use super::run::{Run, one, wait};
use super::support::json::Json;

impl Run {
    /// Asks by the socket for all that is kept of each torrent, by name.
    fn kept(&self) -> BTreeMap<String, (u64, bool)> {
        let torrents = self.torrents();
        let kept = torrents.iter().map(|torrent| {
            let is_paused = ["paused", "stopping"].contains(&torrent.get("state").text());
            let number = torrent.get("number").count();
            (torrent.get("name").text().to_string(), (number, is_paused))
        });
        kept.collect()
    }

    fn until_loaded(&self, count: usize) {
        wait("not all are loaded", || self.torrents().len() == count);
    }
}

#[test]
fn all_that_was_answered_holds_after_a_kill() {
    let mut run = Run::start();
    for (seed, name) in (1..).zip(["a", "b", "c", "d"]) {
        run.add(&one(name, 100_000, seed), &[]);
    }
    run.says(&["remove", "2"]);
    run.says(&["pause", "3"]);
    run.says(&["limit", "--up", "1M", "--down", "2M", "4"]);
    run.restart(&[]);
    run.until_loaded(3);
    let kept = run.kept();
    assert_eq!(kept["a"], (1, false));
    assert_eq!(kept["c"], (3, true));
    assert_eq!(kept["d"].0, 4);
    let words = run.says(&["status", "4"]);
    assert!(words.contains("(at most 1.00 MiB/s)"), "{words}");
    assert!(words.contains("(at most 2.00 MiB/s)"), "{words}");
    run.says(&["remove", "4"]);
    run.says(&["resume", "3"]);
    run.says(&["pause", "1"]);
    run.stop();
    run.start_again(&[]);
    run.until_loaded(2);
    let kept = run.kept();
    assert_eq!((kept["a"], kept["c"]), ((1, true), (3, false)));
    // The number of one that was removed is not given again.
    assert_eq!(run.add(&one("e", 100_000, 9), &[]), "5 e\n");
}

#[test]
fn a_torrent_that_was_paused_at_the_start_is_checked_when_it_is_resumed() {
    let mut run = Run::start();
    let (torrent, other) = (one("a", 100_000, 1), one("b", 100_000, 2));
    torrent.content.write(&run.folder().join("downloads"));
    run.add(&torrent, &[]);
    run.add(&other, &[]);
    wait("it is not seeding", || {
        run.torrents()[0].get("state").text() == "seeding"
    });
    run.says(&["pause", "all"]);
    run.until(&["paused"]);
    run.restart(&[]);
    run.until_loaded(2);
    run.until(&["paused"]);
    run.says(&["resume", "all"]);
    wait("it is not seeding", || {
        run.torrents()[0].get("state").text() == "seeding"
    });
    run.until(&["seeding", "downloading"]);
}

#[test]
fn a_torrent_keeps_its_own_folder() {
    let mut run = Run::start();
    let (torrent, elsewhere) = (one("a", 100_000, 1), run.dir.folder("elsewhere"));
    torrent.content.write(&elsewhere);
    let path = torrent.write(&run.dir.join("a.torrent"), &[]);
    let line = [
        "add",
        "-d",
        elsewhere.to_str().unwrap(),
        path.to_str().unwrap(),
    ];
    assert_eq!(run.says(&line), "1 a\n");
    run.until(&["seeding"]);
    run.restart(&[]);
    run.until_loaded(1);
    run.until(&["seeding"]);
    run.says(&["remove", "1", "--data"]);
    wait("it is there yet", || run.torrents().is_empty());
    wait("it is kept yet", || {
        !run.folder()
            .join(format!("torrents/{}.torrent", torrent.hex()))
            .exists()
    });
}

#[test]
fn no_kill_amid_changes_loses_a_torrent_or_its_flags() {
    let mut run = Run::start();
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize
    };
    // What was answered, by name: the number, and whether it is paused.
    let mut known: BTreeMap<String, (u64, bool)> = BTreeMap::new();
    for round in 0..12 {
        let name = format!("t{round}");
        let dropped = format!("w{round}");
        let mut added = run.add(&one(&name, 50_000, round), &[]);
        added.truncate(added.find(' ').unwrap());
        known.insert(name, (added.parse().unwrap(), false));
        let watch = run.folder().join(format!("watch/{dropped}.torrent"));
        one(&dropped, 50_000, 100 + round).write(&watch, &[]);
        // One command is in flight when the process dies.
        let names: Vec<String> = known.keys().cloned().collect();
        let name = names[random() % names.len()].clone();
        let (number, paused) = known[&name];
        let command = ["pause", "resume", "remove"][random() % 3];
        let mut client = run.asks(&[command, &number.to_string()]);
        let until =
            std::time::Instant::now() + std::time::Duration::from_micros(random() as u64 % 12_000);
        while std::time::Instant::now() < until {
            std::hint::spin_loop();
        }
        run.child.kill();
        let answered = client.exit(super::run::SOON).success();
        run.start_again(&[]);
        wait("what was dropped is lost", || {
            let kept = run.kept();
            kept.contains_key(&dropped)
                && known.keys().all(|it| *it == name || kept.contains_key(it))
        });
        assert!(
            !watch.exists() || {
                wait("it is there yet", || !watch.exists());
                true
            }
        );
        let kept = run.kept();
        for (other, before) in &known {
            if *other != name {
                assert_eq!(kept[other], *before, "{other} in round {round}");
            }
        }
        match (command, kept.get(&name)) {
            ("remove", None) => {
                known.remove(&name);
            }
            ("remove", Some(_)) => assert!(!answered, "{name} has come back"),
            (_, None) => panic!("{name} is lost"),
            (_, Some(now)) => {
                let asked = (number, command == "pause");
                assert!(
                    *now == asked || (!answered && *now == (number, paused)),
                    "{now:?}"
                );
                known.insert(name, *now);
            }
        }
        known.insert(dropped.clone(), kept[&dropped]);
    }
    let failed = run.folder().join("watch/failed");
    let failed: Vec<_> = fs::read_dir(failed).unwrap().flatten().collect();
    assert!(failed.is_empty(), "{failed:?}");
    // Each is kept once, and nothing else is.
    let torrents: Vec<Json> = run.torrents();
    let files = fs::read_dir(run.folder().join("torrents"))
        .unwrap()
        .flatten();
    let files = files.filter(|it| it.path().extension().is_some_and(|it| it == "torrent"));
    assert_eq!(torrents.len(), files.count());
}
