//! `brooklet peers` asks the local network, too.

use super::support::bench::SOON;
use super::support::child::{Child, Stream, brooklet};
use super::support::clients::{PORT, Program};
use super::support::content::Content;
use super::support::dir::Dir;
use super::support::net::{Family, Host, Net};
use super::support::torrent::Torrent;
use super::{LSD, World, listener};

use Family::{V4, V6};
use Program::{Libtorrent, Transmission};

/// How `peers` ends for this source: its exit code, what it prints, what it says.
fn peers(host: &Host, dir: &Dir, source: &str, options: &[&str]) -> (i32, String, String) {
    let mut command = brooklet(Some(host));
    command.args(["peers", source, "--no-dht"]).args(options);
    command.arg("--state").arg(dir.join("state"));
    let mut child = Child::spawn("peers", &mut command);
    let code = child.code(SOON);
    (code, child.text(Stream::Out), child.text(Stream::Err))
}

/// A seed of another client, which has announced itself long before.
fn a_seed_is_listed(program: Program, family: Family, seed: u64) {
    let Some(world) = World::new(&[program], 2, seed) else {
        return;
    };
    let (ours, at_seed) = (world.net.host(0), world.net.host(1));
    let _seed = world.seed(program, &LSD, at_seed);
    let addr = at_seed.socket(family, PORT).to_string();
    let bind = ours.address(family).to_string();
    let hash = world.torrent.hex();
    let (code, list, said) = peers(ours, &world.dir, &hash, &["--bind", &bind, "--json"]);
    let expected = format!("{{\"addr\":\"{addr}\",\"source\":\"lsd\"}}\n");
    assert_eq!((code, list), (0, expected), "{said}");
    assert_eq!(said, "addresses: 1 (LSD: 1)\n");
}

#[test]
fn a_seed_of_libtorrent_is_listed() {
    a_seed_is_listed(Libtorrent, V4, 681);
}

#[test]
fn a_seed_of_libtorrent_is_listed_over_ipv6() {
    a_seed_is_listed(Libtorrent, V6, 682);
}

#[test]
fn a_seed_of_transmission_is_listed() {
    a_seed_is_listed(Transmission, V4, 683);
}

#[test]
fn seeds_of_brooklet_are_listed_over_both_families() {
    let Some(world) = World::new(&[], 2, 684) else {
        return;
    };
    let (ours, at_seed) = (world.net.host(0), world.net.host(1));
    world.torrent.content.write(&world.dir.folder("ours"));
    let file = world.file.to_str().unwrap();
    let mut seed = world.brooklet(at_seed, "seed", file, &[]);
    seed.event("checked", SOON);
    let (code, list, said) = peers(ours, &world.dir, file, &[]);
    let mut lines: Vec<Vec<&str>> = list
        .lines()
        .map(|it| it.split_whitespace().collect())
        .collect();
    lines.sort_unstable();
    let addrs = [V4, V6].map(|family| at_seed.socket(family, PORT).to_string());
    let expected = addrs.each_ref().map(|addr| vec![addr.as_str(), "LSD"]);
    assert_eq!((code, lines), (0, expected.to_vec()), "{said}");
    // Who does not want to be heard there, asks nobody there.
    let (code, list, said) = peers(ours, &world.dir, file, &["--no-lsd"]);
    assert_eq!((code, list.as_str()), (1, ""), "{said}");
    assert!(said.contains("the local network is not asked"), "{said}");
}

/// BEP 27: the network hears nothing of a private torrent, and what it says is not listened to.
#[test]
fn a_private_torrent_is_not_asked_for() {
    let Some(net) = Net::new(2) else {
        return;
    };
    let torrent = Torrent::new(Content::file(685, "content.bin", 100_000), 64 * 1024);
    let public = torrent.hex();
    let torrent = torrent.private();
    let dir = Dir::new();
    let file = torrent.write(&dir.join("content.torrent"), &[]);
    let (ours, there) = (net.host(0), net.host(1));
    let mut ear = listener(there, &there.v4.to_string(), &[]);
    let (code, list, said) = peers(ours, &dir, file.to_str().unwrap(), &[]);
    assert_eq!((code, list.as_str()), (1, ""), "{said}");
    assert!(said.contains("the local network is not asked"), "{said}");
    // The ear works: it hears of a public one, and what came before that was of no other.
    let (code, list, said) = peers(ours, &dir, &public, &[]);
    assert_eq!((code, list.as_str()), (1, ""), "{said}");
    assert!(said.contains("the local network names none"), "{said}");
    let heard = ear.event("heard", SOON);
    assert!(heard.get("text").text().contains(&public));
}
