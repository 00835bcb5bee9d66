//! What the program may hold at most: handles, connections and memory, as `ulimit`, `--max-peers`
//! and `--memory` say.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use brooklet::base::limits;

use crate::support::bench::{Bench, SOON, checked, listening};
use crate::support::child::{Child, Stream, brooklet};
use crate::support::peer::{frame, greet, numbers, read_frame};

/// A seed that may open so many handles, and could raise that to so many.
fn limited(bench: &Bench, soft: usize, hard: usize, options: &[&str]) -> Child {
    let mut program = brooklet(None);
    bench.arguments(&mut program, "seed");
    let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limits, "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    Child::spawn("brooklet", command.args(options))
}

/// What it says of how many peers there is room for: whose fault, and how many.
fn room(child: &mut Child) -> (String, usize) {
    let line = child.line("leaves room for", SOON);
    let (what, rest) = line.split_once(" leaves room for ").unwrap();
    let what = what.rsplit(": ").next().unwrap();
    let number = rest.split(' ').next().unwrap();
    (what.to_string(), number.parse().unwrap())
}

/// Handles left for peers, of so many.
fn for_peers(handles: usize) -> usize {
    let content = limits::OPEN_FILES.min(handles / 4);
    let trackers = limits::TRACKER_CONNECTIONS + limits::TRACKER_SOCKETS;
    let others = content + trackers + limits::OTHER_HANDLES;
    handles.saturating_sub(others).max(1)
}

#[test]
fn handles_low_and_high() {
    // As it is, raised from a low number, and hardly any.
    for (soft, hard) in [(512, 512), (64, 1024), (64, 64)] {
        let bench = Bench::new(1, 1);
        bench.fill();
        let most = limits::PEERS_MOST.to_string();
        // So much memory that it is not what lacks.
        let options = ["--max-peers", &most, "--memory", "1G"];
        let mut seed = limited(&bench, soft, hard, &options);
        let (what, peers) = room(&mut seed);
        assert_eq!(
            (&*what, peers),
            ("ulimit -n", for_peers(hard)),
            "{soft} {hard}"
        );
    }
}

#[test]
fn as_many_peers_as_there_are_handles_for() {
    const HANDLES: usize = 256;
    let bench = Bench::new(2, 300_000);
    bench.fill();
    let mut seed = limited(
        &bench,
        64,
        HANDLES,
        &["--max-peers", "10000", "--memory", "64M"],
    );
    let addr = listening(&mut seed);
    checked(&mut seed);
    let most = for_peers(HANDLES);
    let mut peers = connect(&bench, addr, most);
    // One more is turned away.
    let mut late = TcpStream::connect(addr).unwrap();
    late.set_read_timeout(Some(SOON)).unwrap();
    assert!(!matches!(late.read(&mut [0; 1]), Ok(1..)));
    // With all of them connected there are handles for everything else, content among it.
    let taker = peers.last_mut().unwrap();
    std::io::Write::write_all(taker, &frame(2, &[])).unwrap();
    std::io::Write::write_all(taker, &numbers(6, &[0, 0, 16 * 1024])).unwrap();
    let mut asked = false;
    loop {
        match read_frame(taker).unwrap() {
            Some((1, _)) if !asked => {
                std::io::Write::write_all(taker, &numbers(6, &[0, 0, 16 * 1024])).unwrap();
                asked = true;
            }
            Some((7, _)) => break,
            _ => {}
        }
    }
    assert!(seed.is_running());
    let said = seed.text(Stream::Err);
    assert!(
        !said.contains("Too many") && !said.contains("too many"),
        "{said}"
    );
}

/// So many peers that have been greeted, all at once.
fn connect(bench: &Bench, addr: SocketAddr, count: usize) -> Vec<TcpStream> {
    let peers = (0..count).map(|number| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        greet(&mut stream, &bench.torrent, number as u16).unwrap_or_else(|why| {
            panic!("peer {number} of {count}: {why}");
        });
        stream
    });
    peers.collect()
}

#[test]
fn connections_unless_told_otherwise() {
    let bench = Bench::new(3, 300_000);
    bench.fill();
    let mut seed = bench.run("seed", &[]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let peers = connect(&bench, addr, limits::PEERS);
    let mut late = TcpStream::connect(addr).unwrap();
    late.set_read_timeout(Some(SOON)).unwrap();
    assert!(
        !matches!(late.read(&mut [0; 1]), Ok(1..)),
        "there is room for {}",
        peers.len()
    );
}

/// The exit code of a download that cannot begin, with this option: 2 if the option is what is
/// wrong.
fn refused(option: &str, value: &str) -> bool {
    let mut command = brooklet(None);
    command.args(["get", "/nonexistent", option, value]);
    Child::spawn("brooklet", &mut command).code(SOON) == 2
}

#[test]
fn what_may_be_asked_for() {
    assert!(!refused("--max-peers", &limits::PEERS_MOST.to_string()));
    assert!(refused(
        "--max-peers",
        &(limits::PEERS_MOST + 1).to_string()
    ));
    assert!(!refused("--memory", &limits::MEMORY_LEAST.to_string()));
    assert!(refused("--memory", &(limits::MEMORY_LEAST - 1).to_string()));
}

/// Peers that this much memory has room for, by the book: the loop's own buffers first and the part
/// for metadata that are fetched, then a share for each peer.
fn shares(memory: u64) -> usize {
    let buffer = limits::EXTENDED_FRAME + 4 + limits::READ;
    let buffers = (memory as usize / 4 / buffer).clamp(1, limits::BUFFERS);
    let metadata = (memory / limits::METADATA_PART) as usize;
    let left = memory as usize - limits::MIB - buffers * buffer - metadata;
    left / (limits::EXTENDED_FRAME + 4)
}

#[test]
fn memory() {
    let with = |options: &[&str]| {
        let bench = Bench::new(4, 1);
        bench.fill();
        let options = [&["--max-peers", "3000"], options].concat();
        room(&mut bench.run("seed", &options))
    };
    // As much as there is unless told otherwise; less, so that there are fewer buffers; more, so
    // that there are no more of them.
    let told = |memory: u64| ("--memory".to_string(), shares(memory));
    assert_eq!(with(&[]), told(limits::MEMORY));
    assert_eq!(with(&["--memory", "4M"]), told(4 << 20));
    assert_eq!(with(&["--memory", "40M"]), told(40 << 20));
    // The least there may be has room for a peer.
    let bench = Bench::new(5, 300_000);
    bench.fill();
    let least = limits::MEMORY_LEAST.to_string();
    let mut seed = bench.run("seed", &["--memory", &least]);
    let addr = listening(&mut seed);
    checked(&mut seed);
    let other = Bench::of((*bench.torrent).clone());
    other
        .get(&[addr.to_string()], &["--memory", &least])
        .success(SOON);
    other.assert_whole();
}
