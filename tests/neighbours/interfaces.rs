//! A machine that is in two networks.

use std::collections::BTreeSet;

use super::support::bench::SOON;
use super::support::child::{Child, brooklet};
use super::support::clients::PORT;
use super::{PATIENCE, World, listener};

#[test]
fn each_interface_is_announced_to() {
    let Some(world) = World::new(&[], 2, 653) else {
        return;
    };
    let (ours, there) = (world.net.host(0), world.net.host(1));
    let [our_side, _] = world.net.side([0, 1]);
    let mut listener = listener(there, &there.v4.to_string(), &["--also", "side"]);
    let _get = world.brooklet(ours, "get", &world.torrent.hex(), &[]);
    let mut missing: BTreeSet<String> = [ours, &our_side]
        .into_iter()
        .flat_map(|host| [host.v4.to_string(), host.v6.to_string()])
        .collect();
    listener.event_where("heard", SOON, |said| {
        assert!(said.get("text").text().contains(&world.torrent.hex()));
        missing.remove(said.get("from").text());
        missing.is_empty()
    });
}

/// The seed is in the other network only.
#[test]
fn a_peer_behind_the_second_interface_is_found() {
    let Some(world) = World::new(&[], 2, 654) else {
        return;
    };
    let (ours, there) = (world.net.host(0), world.net.host(1));
    let [_, at_seed] = world.net.side([0, 1]);
    world.torrent.content.write(&world.dir.folder("seed"));
    let mut seed = brooklet(Some(there));
    seed.arg("seed")
        .arg(&world.file)
        .args(["--json", "--no-dht"]);
    seed.args(["--port", &PORT.to_string()]);
    seed.args(["--bind", &at_seed.v4.to_string()]);
    seed.arg("--dir").arg(world.dir.join("seed"));
    seed.arg("--state").arg(world.dir.join("seed.state"));
    let mut seed = Child::spawn("seed", &mut seed);
    seed.event("checked", SOON);
    let mut get = world.brooklet(ours, "get", &world.torrent.hex(), &[]);
    get.success(PATIENCE);
    world.assert_whole("ours");
    assert!(seed.is_running());
}
