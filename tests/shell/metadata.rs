//! `get --metadata-only`: where the `.torrent` goes, and what lies there already.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use brooklet::base::{InfoHash, PeerId};
use brooklet::wire::{ExtendedGreeting, Handshake, Message, MetadataMessage};
use sha1::{Digest as _, Sha1};

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::content::Content;
use crate::support::dir::Dir;
use crate::support::json::Json;
use crate::support::peer::Server;
use crate::support::torrent::{Torrent, metainfo};

/// A seed of one file of this name, and a link that names it.
fn seed(name: &str) -> (Bench, Child, String) {
    let bench = Bench::of(Torrent::new(Content::file(811, name, 100_000), 64 * 1024));
    bench.fill();
    let mut child = bench.run("seed", &["--no-dht"]);
    let addr = listening(&mut child);
    checked(&mut child);
    let link = format!("magnet:?xt=urn:btih:{}&x.pe={addr}", bench.torrent.hex());
    (bench, child, link)
}

/// How `get` ends in this folder with its state there: its exit code, what it prints and says.
fn get(dir: &Path, state: &str, args: &[&str]) -> (i32, Vec<u8>, String) {
    let mut command = brooklet(None);
    command.args(["get", "--no-dht", "--port", "0", "--bind", "127.0.0.1"]);
    command.args(["--state", state]).args(args).current_dir(dir);
    let mut child = Child::spawn("get", &mut command);
    let code = child.code(SOON);
    let out = child.text(Stream::Out).into_bytes();
    (code, out, child.text(Stream::Err))
}

#[test]
fn the_torrent_is_written_where_the_user_says_and_over_nothing_else() {
    let (bench, _seed, link) = seed("content.bin");
    let whole = metainfo(&bench.torrent.info, &[]);
    let dir = Dir::new();
    dir.folder("sub");
    let only = |state: &str, args: &[&str]| {
        let args = [&["--metadata-only", &link], args].concat();
        get(&dir, state, &args)
    };
    for (args, path) in [
        (&[][..], "content.bin.torrent"),
        (&["-o", "named"], "named"),
        (&["-o", "sub/named"], "sub/named"),
    ] {
        let state = format!("state-{}", path.replace('/', "-"));
        let (code, _, said) = only(&state, args);
        assert_eq!(code, 0, "{said}");
        assert_eq!(fs::read(dir.join(path)).unwrap(), whole);
        let kept = dir.join(format!("{state}/{}.torrent", bench.torrent.hex()));
        assert_eq!(
            fs::read(kept).unwrap(),
            whole,
            "the next start needs no peer"
        );
        let line = format!("\n{path}: written\n");
        assert!(said.contains(&line) && !said.contains("warning"), "{said}");
    }

    // From peers, and from what an earlier run has kept.
    let (code, _, said) = get(&dir, "kept", &[&link, "-d", "sub"]);
    assert_eq!(code, 0, "{said}");
    for state in ["state", "kept"] {
        dir.file("content.bin.torrent", "mine");
        for (args, path) in [
            (&[][..], "content.bin.torrent"),
            (&["-o", "content.bin.torrent"], "content.bin.torrent"),
        ] {
            let (code, _, said) = only(state, args);
            assert_eq!(code, 1, "{said}");
            let line = format!("brooklet: {path}: this file exists already: ");
            assert!(
                said.contains(&line) && said.contains("--overwrite"),
                "{said}"
            );
            assert_eq!(fs::read(dir.join(path)).unwrap(), b"mine");
        }
        let (code, _, said) = only(state, &["--overwrite"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(fs::read(dir.join("content.bin.torrent")).unwrap(), whole);

        let link = dir.join("symlink");
        let _ = fs::remove_file(&link);
        let _ = fs::remove_file(dir.join("target"));
        std::os::unix::fs::symlink("target", &link).unwrap();
        let (code, _, said) = only(state, &["-o", "symlink"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("target"));
        assert_eq!(fs::read(dir.join("target")).unwrap(), whole);

        let (code, _, said) = only(state, &["-o", "nowhere/x"]);
        assert_eq!(code, 1, "{said}");
        assert!(
            said.starts_with("brooklet: nowhere/x: there is no folder nowhere"),
            "{said}"
        );
        let (code, _, said) = only(state, &["-o", "-"]);
        assert_eq!(code, 0, "{said}");
        assert!(!dir.join("-").exists());
    }
    let (code, _, said) = only("state", &["-o", "-", "--json"]);
    assert!(
        code == 2 && said.starts_with("brooklet: --json: "),
        "{said}"
    );
}

/// What a link says beside the hash is written, too, where an earlier run has fetched the torrent.
#[test]
fn a_torrent_that_is_kept_is_written_with_what_its_link_says() {
    let (bench, _seed, link) = seed("content.bin");
    let dir = Dir::new();
    let (code, _, said) = get(&dir, "state", &["--metadata-only", &link, "-o", "bare"]);
    assert_eq!(code, 0, "{said}");
    let more = format!("{link}&tr=udp://127.0.0.1:1/announce&ws=http://127.0.0.1:1/x");
    let kept = ["--metadata-only", &more, "-o", "from-kept"];
    for (state, args) in [
        ("state", kept),
        ("other", ["--metadata-only", &more, "-o", "from-peers"]),
    ] {
        let (code, _, said) = get(&dir, state, &args);
        assert_eq!(code, 0, "{said}");
    }
    let [kept, fresh] = ["from-kept", "from-peers"].map(|name| fs::read(dir.join(name)).unwrap());
    assert_eq!(kept, fresh);
    let whole = metainfo(&bench.torrent.info, &[]);
    assert!(fresh != whole && fs::read(dir.join("bare")).unwrap() == whole);
}

/// `show` asks nobody unless it is told to, and then needs a peer once.
#[test]
fn show_fetches_what_a_link_does_not_say() {
    let (bench, mut seed, link) = seed("content.bin");
    let dir = Dir::new();
    let show = |args: &[&str]| {
        let mut command = brooklet(None);
        command.args(["show", "--no-dht", "--port", "0", "--bind", "127.0.0.1"]);
        command.args(["--state", "state"]).args(args);
        let mut child = Child::spawn("show", command.current_dir(&*dir));
        let code = child.code(SOON);
        (code, child.text(Stream::Out), child.text(Stream::Err))
    };
    let (code, shown, said) = show(&[&link]);
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(shown.contains("is not in the link"), "{shown}");
    let file = dir.file("whole.torrent", metainfo(&bench.torrent.info, &[]));
    let (code, whole, said) = show(&[file.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let (code, fetched, said) = show(&["--fetch", &link]);
    assert_eq!((code, fetched.as_str()), (0, whole.as_str()), "{said}");
    // The torrent is kept, so its peers are not needed a second time.
    seed.signal("TERM");
    assert_eq!(seed.code(SOON), 143);
    let (code, again, said) = show(&["--fetch", &link]);
    assert_eq!((code, again.as_str()), (0, whole.as_str()), "{said}");
    let (code, again, said) = show(&["--fetch", "--json", &bench.torrent.hex()]);
    assert_eq!(code, 0, "{said}");
    let object = Json::parse(again.trim_end()).unwrap();
    assert_eq!(object.get("size").count(), 100_000);
    // Nobody has another: what it waits for is said, and it ends when it is told to.
    let other = format!("magnet:?xt=urn:btih:{}&x.pe=127.0.0.1:1", "ab".repeat(20));
    let (code, shown, said) = show(&["--fetch", "--timeout", "1s", &other]);
    assert_eq!((code, shown.as_str()), (1, ""), "{said}");
    assert_eq!(said.matches("brooklet: ").count(), 1, "{said}");
}

#[test]
fn standard_output_takes_the_torrent_and_nothing_else() {
    let (bench, _seed, link) = seed("content.bin");
    let dir = Dir::new();
    let script = format!(
        "\"$0\" get --no-dht --port 0 --bind 127.0.0.1 --state state -o - '{link}' > out 2> err"
    );
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_brooklet");
    shell.args(["-c", &script, program]).current_dir(&*dir);
    Child::spawn("sh", &mut shell).success(SOON);
    let whole = metainfo(&bench.torrent.info, &[]);
    assert_eq!(fs::read(dir.join("out")).unwrap(), whole);
}

#[test]
fn a_name_that_leaves_no_room_for_an_ending_is_shortened() {
    let (bench, _seed, link) = seed(&"n".repeat(252));
    let dir = Dir::new();
    let (code, _, said) = get(&dir, "state", &["--metadata-only", &link]);
    assert_eq!(code, 0, "{said}");
    let found = fs::read_dir(&*dir).unwrap().flatten();
    let found: Vec<_> = found.filter(|it| it.path().is_file()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let path = found[0].path();
    assert_eq!(path.extension().unwrap(), "torrent");
    assert_eq!(fs::read(path).unwrap(), metainfo(&bench.torrent.info, &[]));
}

#[test]
fn a_link_that_selects_files_that_are_not_there_is_refused() {
    let (_bench, _seed, link) = seed("content.bin");
    let dir = Dir::new();
    let link = format!("{link}&so=5-9");
    // Once with peers, and once with what an earlier run has kept.
    for _ in 0..2 {
        let (code, _, said) = get(&dir, "state", &[&link]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("files 5-9 (so=, counted from 0)"), "{said}");
        assert!(!dir.join("content.bin").exists());
        let (code, _, said) = get(&dir, "fetched", &["--metadata-only", &link, "--overwrite"]);
        assert_eq!(code, 0, "{said}");
    }
}

/// A folder stands where the torrent is to be kept: that is known before any peer is asked.
#[test]
fn what_cannot_be_kept_is_not_fetched() {
    let (bench, _seed, link) = seed("content.bin");
    let dir = Dir::new();
    let kept = format!("{}.torrent", bench.torrent.hex());
    dir.folder(format!("state/{kept}"));
    let (code, _, said) = get(&dir, "state", &[&link]);
    assert_eq!(code, 1);
    let line = format!("brooklet: state/{kept}: something else is in the way");
    assert!(
        said.starts_with(&line) && said.lines().count() == 1,
        "{said}"
    );
    // The torrent alone is kept elsewhere.
    let (code, _, said) = get(&dir, "state", &[&link, "--metadata-only"]);
    assert_eq!(code, 0, "{said}");
}

/// A peer that has these metadata and no content. Its address comes back with it.
fn peer_with(info: Vec<u8>) -> Server {
    let info_hash = InfoHash(Sha1::digest(&info).into());
    Server::start(move |mut stream| {
        let mut greeting = [0; 68];
        stream.read_exact(&mut greeting)?;
        let (mut ours, size) = (Vec::new(), info.len() as u32);
        Handshake::ours(info_hash, PeerId(*b"-XX0001-abcdefghijkl")).encode(&mut ours);
        let mut payload = Vec::new();
        ExtendedGreeting {
            metadata: Some(7),
            metadata_size: Some(size),
            ..ExtendedGreeting::default()
        }
        .encode(&mut payload);
        let (id, payload) = (0, &payload[..]);
        Message::Extended { id, payload }.encode(&mut ours);
        // The whole of it in one block, once it is asked for: ours is number 2 there, theirs 7.
        stream.write_all(&ours)?;
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut frame)?;
            if frame.starts_with(&[20, 7]) {
                let (piece, total, data) = (0, Some(size), &info[..]);
                let mut payload = Vec::new();
                MetadataMessage::Data { piece, total, data }.encode(&mut payload);
                let (id, payload) = (2, &payload[..]);
                let mut answer = Vec::new();
                Message::Extended { id, payload }.encode(&mut answer);
                stream.write_all(&answer)?;
            }
        }
    })
}

#[test]
fn metadata_of_the_right_hash_that_are_no_torrent_end_with_3() {
    for info in ["d6:lengthi1e4:name1:ae", "d4:name2:..6:lengthi1ee", "le"] {
        let info = info.as_bytes().to_vec();
        let hash = InfoHash(Sha1::digest(&info).into()).to_string();
        let peer = peer_with(info);
        let link = format!("magnet:?xt=urn:btih:{hash}&x.pe={}", peer.addr);
        let dir = Dir::new();
        for args in [&[][..], &["--metadata-only"]] {
            let (code, _, said) = get(&dir, "state", &[&[&link[..]], args].concat());
            assert_eq!(code, 3, "{said}");
            let why = format!("{hash}: its metadata are not those of a valid torrent: ");
            assert!(said.contains(&why), "{said}");
        }
    }
}
