//! What `check` finds.

use std::fs;
use std::path::Path;

use crate::support::child::brooklet;
use crate::support::dir::Dir;
use crate::{Ended, run, tables, taken, with_content};

fn check(dir: &Path, torrent: &str) -> Ended {
    run(brooklet(None)
        .arg("check")
        .arg("-d")
        .arg(dir)
        .arg(tables().join(torrent)))
}

#[test]
fn check_finds_whole_content_whole() {
    let all = with_content();
    assert!(all.len() >= 12, "{}", all.len());
    for (dir, row, files) in all {
        let Ended { code, out, err } = check(&dir, &row["file"]);
        assert_eq!(code, 0, "{}: {out}{err}", row["file"]);
        let lines: Vec<&str> = out.lines().collect();
        let (sum, lines) = lines.split_last().unwrap();
        let (count, pieces) = (files.len(), &row["pieces"]);
        let plural = if count == 1 { "" } else { "s" };
        let start = format!(
            "sum        {count} of {count} file{plural} whole, {pieces} of {pieces} pieces, "
        );
        assert!(sum.starts_with(&start), "{}: {sum}", row["file"]);
        let expected: Vec<String> = files
            .iter()
            .map(|(path, _)| format!("ok         {}", path.display()))
            .collect();
        assert_eq!(lines, expected, "{}", row["file"]);
        assert_eq!(err, "", "{}", row["file"]);
    }
}

#[test]
fn check_finds_every_kind_of_damage() {
    for (dir, row, files) in with_content() {
        let torrent = &row["file"];
        for (place, (path, size)) in files.iter().enumerate() {
            let whole = fs::read(dir.join(path)).unwrap();
            let middle = (*size / 2) as usize;
            let mut flipped = whole.clone();
            flipped[middle] ^= 0x10;
            let longer = [&whole[..], b"x"].concat();
            for (word, content) in [
                ("damaged", Some(&flipped[..])),
                ("short", Some(&whole[..middle])),
                ("long", Some(&longer)),
                ("missing", None),
            ] {
                fs::remove_file(dir.join(path)).unwrap();
                if let Some(content) = content {
                    fs::write(dir.join(path), content).unwrap();
                }
                let Ended { code, out, err } = check(&dir, torrent);
                let said = format!("{torrent}: {}: {word}: {out}{err}", path.display());
                assert_eq!(code, 4, "{said}");
                let line = out.lines().nth(place).unwrap();
                assert!(
                    line.starts_with(word) && line.contains(path.to_str().unwrap()),
                    "{said}"
                );
                assert_eq!(out.lines().count(), files.len() + 1, "{said}");
                assert!(
                    err.starts_with("brooklet: ") && err.lines().count() == 1,
                    "{said}"
                );
            }
            fs::write(dir.join(path), whole).unwrap();
            // One file of many is enough where there are dozens.
            if files.len() > 10 && place >= 2 {
                break;
            }
        }
        assert_eq!(check(&dir, torrent).code, 0, "{torrent}: whole again");
    }
}

#[test]
fn check_of_nothing_is_all_missing() {
    let dir = Dir::new();
    for row in taken() {
        let Ended { code, out, err } = check(&dir.join("no such folder"), &row["file"]);
        assert_eq!(code, 4, "{}: {out}{err}", row["file"]);
        assert!(
            out.lines()
                .all(|line| line.starts_with("missing ") || line.starts_with("sum ")),
            "{}: {out}",
            row["file"]
        );
    }
}
