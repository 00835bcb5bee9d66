//! `--bind` with the name of an interface, on a machine that has two.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::support::bench::SOON;
use super::support::child::{Child, Stream, brooklet, command, command_as_nobody};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::net::{Host, Net};
use super::support::torrent::Torrent;
use super::{sent, watch};

const PORT: u16 = 7070;

/// Two machines joined by two pairs of interfaces: `net`, and `side`.
struct World {
    net: Net,
    /// Ours, and that of the seed.
    side: [Host; 2],
    torrent: Torrent,
    file: PathBuf,
    dir: Dir,
}

impl World {
    fn new(seed: u64) -> Option<World> {
        let net = Net::new(2)?;
        let side = net.side([0, 1]);
        let torrent = Torrent::new(Content::file(seed, "content.bin", 1_000_000), 64 * 1024);
        let dir = Dir::new();
        let file = torrent.write(&dir.join("content.torrent"), &[]);
        torrent.content.write(&dir.folder("seed"));
        Some(World {
            net,
            side,
            torrent,
            file,
            dir,
        })
    }

    fn arguments(&self, command: &mut Command, verb: &str, folder: &str) {
        command.arg(verb).arg(&self.file);
        command.args(["--json", "--port", &PORT.to_string(), "--no-dht"]);
        command.arg("--dir").arg(self.dir.folder(folder));
        let state = self.dir.folder(format!("{folder}.state"));
        command.arg("--state").arg(state);
    }

    fn seed(&self, bind: &str) -> Child {
        let mut command = brooklet(Some(self.net.host(1)));
        self.arguments(&mut command, "seed", "seed");
        command.args(["--no-lsd", "--bind", bind]);
        let mut seed = Child::spawn("seed", &mut command);
        seed.event("checked", SOON);
        seed
    }
}

/// The peer has addresses in both networks, all of which may be dialed: it is reached over the one
/// interface alone, over both families, and by one who is not root, too.
#[test]
fn all_goes_by_the_interface_that_is_named() {
    let Some(world) = World::new(701) else {
        return;
    };
    let ours = world.net.host(0);
    let there = &world.side[1];
    let _seed = world.seed("side");
    let mut wire = watch(ours, &["net", "side"]);
    for (folder, peer) in [("v4", IpAddr::from(there.v4)), ("v6", there.v6.into())] {
        let mut get = command_as_nobody(Some(ours), env!("CARGO_BIN_EXE_brooklet"));
        world.arguments(&mut get, "get", folder);
        for folder in [folder, &format!("{folder}.state")] {
            let opened = command(None, "chmod")
                .arg("777")
                .arg(world.dir.join(folder))
                .status();
            assert!(opened.unwrap().success());
        }
        get.args([
            "--bind",
            "side",
            "--peer",
            &SocketAddr::new(peer, PORT).to_string(),
        ]);
        // That of the other network is dialed, too, by this interface.
        let elsewhere = SocketAddr::new(world.net.host(1).v6.into(), PORT);
        get.args(["--peer", &elsewhere.to_string()]);
        Child::spawn("get", &mut get).success(SOON);
        world.torrent.content.assert_in(&world.dir.join(folder));
    }
    let others = [world.net.host(1).v4.into(), there.v4.into()];
    let sent = sent(ours, &mut wire, &others);
    assert!(
        sent.iter().all(|(interface, ..)| interface == "side"),
        "{sent:?}"
    );
    for (protocol, to) in [
        ("tcp", there.v4.to_string()),
        ("tcp", there.v6.to_string()),
        // The local network is searched there, over both families.
        ("udp", "239.192.152.143".into()),
        ("udp", "ff15::efc0:988f".into()),
    ] {
        let found = sent.iter().any(|it| it.1 == protocol && it.2 == to);
        assert!(found, "{protocol} to {to}: {sent:?}");
    }
}

#[test]
fn who_is_bound_to_an_interface_is_called_there_alone() {
    let Some(world) = World::new(702) else {
        return;
    };
    let mut seed = world.seed("side");
    let from = world.net.host(0);
    let calls = |to: IpAddr| {
        let script = "exec 3<>\"/dev/tcp/$1/$2\"";
        let mut call = Command::new("nsenter");
        call.args([
            &from.nsenter(),
            "timeout",
            "1",
            "bash",
            "-c",
            script,
            "bash",
        ]);
        call.args([to.to_string(), PORT.to_string()]);
        call.stderr(Stdio::null()).status().unwrap().success()
    };
    for to in [IpAddr::from(world.side[1].v4), world.side[1].v6.into()] {
        // A network that has just come up may lose the first packets.
        let deadline = Instant::now() + SOON;
        while !calls(to) {
            assert!(Instant::now() < deadline, "{to}");
        }
    }
    for to in [
        IpAddr::from(world.net.host(1).v4),
        world.net.host(1).v6.into(),
    ] {
        assert!(!calls(to), "{to}");
    }
    assert!(seed.is_running());
    assert!(TcpStream::connect(("127.0.0.1", PORT)).is_err());
}

/// Datagrams, too: those to a tracker go from a socket of their own.
#[test]
fn a_tracker_is_asked_by_the_interface_that_is_named() {
    let Some(world) = World::new(703) else {
        return;
    };
    let ours = world.net.host(0);
    let mut wire = watch(ours, &["net", "side"]);
    let [v4, v6] = [world.side[1].v4.to_string(), world.side[1].v6.to_string()];
    let urls = [
        format!("udp://{v4}:6969/announce"),
        format!("udp://[{v6}]:6969/announce"),
        format!("http://{v4}:6969/announce"),
    ];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let file = world
        .torrent
        .write(&world.dir.join("tracked.torrent"), &urls);
    let mut scrape = brooklet(Some(ours));
    scrape.arg("scrape").arg(file).args(["--bind", "side"]);
    let mut scrape = Child::spawn("scrape", &mut scrape);
    assert_eq!(scrape.code(SOON), 1, "nobody answers");
    let said = scrape.text(Stream::Out);
    assert_eq!(
        said.matches("nothing listens on its port").count(),
        2,
        "{said}"
    );
    assert!(said.contains("it refused the connection"), "{said}");
    let others = [world.net.host(1).v4.into(), world.side[1].v4.into()];
    let mut sent = sent(ours, &mut wire, &others);
    sent.sort();
    sent.retain(|it| it.3 == 6969);
    let side = |protocol: &str, to: &str| {
        (
            String::from("side"),
            protocol.to_string(),
            to.to_string(),
            6969,
        )
    };
    let mut expected = vec![side("tcp", &v4), side("udp", &v4), side("udp", &v6)];
    expected.sort();
    assert_eq!(sent, expected);
}

#[test]
fn an_interface_that_is_not_there_is_one_clear_line() {
    let Some(world) = World::new(704) else {
        return;
    };
    let mut get = brooklet(Some(world.net.host(0)));
    world.arguments(&mut get, "get", "none");
    let mut get = Child::spawn("get", get.args(["--bind", "tun0"]));
    assert_eq!(get.code(SOON), 2);
    let expected = "brooklet: --bind tun0: expected an IP address or an interface of this machine \
                    (lo, net, side)\n";
    assert_eq!(get.text(Stream::Err), expected);
}
