//! How well a line is filled, and what is left to others.

use crate::world::{Pipe, World};

/// The part of a line's rate that the bytes make which were read since.
fn filled(world: &World, before: u64, millis: u64) -> f64 {
    let read: u64 = world.ends[1].read.values().sum();
    (read - before) as f64 / (world.pipes[0].rate * millis as f64 / 1_000.0)
}

fn read(world: &World) -> u64 {
    world.ends[1].read.values().sum()
}

/// Mean, and 95th percentile, of the queueing delay since a moment, in milliseconds.
fn standing(world: &World, since: u64) -> (f64, f64) {
    let mut queued: Vec<u64> = world.pipes[0]
        .queued
        .iter()
        .filter(|it| it.0 >= since)
        .map(|it| it.1)
        .collect();
    queued.sort_unstable();
    let mean = queued.iter().sum::<u64>() as f64 / queued.len() as f64;
    (mean / 1e3, queued[queued.len() * 95 / 100] as f64 / 1e3)
}

#[test]
fn a_clean_line_is_filled_and_its_queue_stays_short() {
    for megabits in [2.0, 10.0, 50.0] {
        for delay in [5, 25, 75, 150] {
            let mut world = World::new(Pipe::new(megabits, delay, 1_000), 1);
            world.call(u64::MAX);
            world.pass(10_000);
            let (before, since) = (read(&world), world.now);
            // As many packets on a fast line as on one of 10 Mbit/s.
            let span = if megabits > 10.0 { 12_000 } else { 60_000 };
            world.pass(span);
            let filled = filled(&world, before, span);
            let (mean, most) = standing(&world, since);
            println!(
                "{megabits} Mbit/s, {} ms: {filled:.3} of it, queue {mean:.0} ms, 95 % {most:.0} ms",
                2 * delay
            );
            assert!(filled >= 0.9 && mean <= 125.0 && most <= 150.0);
        }
    }
}

#[test]
fn a_sender_like_tcp_is_given_way() {
    for (megabits, delay) in [(5.0, 10), (10.0, 25), (20.0, 100)] {
        for first in [true, false] {
            let mut world = World::new(Pipe::new(megabits, delay, 1_000), 2);
            if first {
                world.call(u64::MAX);
                world.pass(10_000);
                world.begin_tcp();
            } else {
                world.begin_tcp();
                world.pass(10_000);
                world.call(u64::MAX);
            }
            world.pass(20_000);
            let (before, tcp) = (read(&world), world.reno[0].arrived);
            world.pass(60_000);
            let ours = filled(&world, before, 60_000);
            let theirs = (world.reno[0].arrived - tcp) as f64 / (world.pipes[0].rate * 60.0);
            println!(
                "{megabits} Mbit/s {delay} ms uTP first {first}: uTP {ours:.3}, TCP {theirs:.3}"
            );
            assert!(theirs >= 0.8);
        }
    }
}

#[test]
fn two_connections_share() {
    for ((megabits, delay, late), lost) in [
        (5.0, 10, 0),
        (10.0, 25, 10),
        (20.0, 50, 20),
        (50.0, 5, 15),
        (10.0, 100, 30),
    ]
    .into_iter()
    .flat_map(|line| [(line, vec![]), (line, vec![60])])
    {
        let mut pipe = Pipe::new(megabits, delay, 1_000);
        // A lost packet ends slow start before the queue is met.
        pipe.lost = lost;
        let mut world = World::new(pipe, 3);
        world.call(u64::MAX);
        world.pass(late * 1_000);
        world.call(u64::MAX);
        world.pass(30_000);
        let before: Vec<u64> = world.ends[1].read.values().copied().collect();
        let since = world.now;
        let span = if megabits > 20.0 { 60_000 } else { 120_000 };
        world.pass(span);
        let got: Vec<f64> = world.ends[1]
            .read
            .values()
            .zip(before)
            .map(|(now, before)| (now - before) as f64 / (world.pipes[0].rate * span as f64 / 1e3))
            .collect();
        let (mean, most) = standing(&world, since);
        println!(
            "{megabits} Mbit/s {delay} ms, second {late} s later: {got:.3?}, queue {mean:.0} ms, 95 % {most:.0} ms"
        );
        assert!(got[0] <= 2.0 * got[1] && got[1] <= 2.0 * got[0]);
        assert!(got[0] + got[1] >= 0.9 && mean <= 125.0);
    }
}

#[test]
fn losses_and_reordering_are_survived() {
    for loss in [0, 5, 10, 20, 50] {
        for late in [0, 50] {
            for delay in [5, 50, 150] {
                let mut pipe = Pipe::new(20.0, delay, 1_000);
                (pipe.loss, pipe.late) = (loss, late);
                let mut world = World::new(pipe, 4 + loss);
                world.call(4 << 20);
                let done = world.until(600_000, |world| !world.ends[1].ended.is_empty());
                let seconds = world.now as f64 / 1e6;
                println!(
                    "{loss} ‰ lost, {late} ‰ late, {} ms: {done}, {seconds:.1} s, sent {:?}",
                    2 * delay,
                    world.sent
                );
                assert!(done, "it did not end");
                // What is sent again is what was lost, and little more.
                let expected = (4 << 20) as f64 * (1.0 + loss as f64 / 1e3);
                assert!(world.sent[0].0 as f64 <= 1.08 * expected);
            }
        }
    }
}

/// Others name but 32 packets after a gap (libutp), or none, while there are hundreds under way: what
/// is lost is sent again without waiting for silence all the same.
#[test]
fn receivers_that_name_few_packets_are_sent_to_as_fast() {
    for delay in [10, 50] {
        let mut usual = 0.0;
        for (names, part) in [(None, 1.0), (Some(4), 0.8), (Some(0), 0.8)] {
            let mut pipe = Pipe::new(20.0, delay, 1_000);
            pipe.lost = (1..20).map(|place| place * 700).collect();
            let mut world = World::new(pipe, 8);
            world.names = names;
            world.call(16 << 20);
            let done = world.until(600_000, |world| !world.ends[1].ended.is_empty());
            let seconds = world.now as f64 / 1e6;
            let filled = (16 << 20) as f64 / (world.pipes[0].rate * seconds);
            println!(
                "{names:?} bytes, {} ms: {filled:.3} of it, sent {:?}",
                2 * delay,
                world.sent
            );
            usual = if names.is_none() { filled } else { usual };
            assert!(done && filled >= part * usual);
            assert!(world.sent[0].0 as f64 <= 1.08 * (16 << 20) as f64);
        }
    }
}

/// A clock that is fast by 100 parts in a million is 78 ms ahead after thirteen minutes: most of the
/// target.
#[test]
fn clocks_may_drift() {
    for parts in [-100, 100] {
        let mut world = World::new(Pipe::new(5.0, 25, 1_000), 5);
        world.drift(parts);
        world.call(u64::MAX);
        world.pass(300_000);
        let (before, since) = (read(&world), world.now);
        world.pass(300_000);
        let filled = filled(&world, before, 300_000);
        let (mean, most) = standing(&world, since);
        println!("{parts} parts in a million: {filled:.3} of it, queue {mean:.0} ms, {most:.0} ms");
        assert!(filled >= 0.9 && mean <= 125.0);
    }
}

/// The line takes what it takes; what is sent again is never lost for being too large, and nothing
/// but a few packets that try a size.
#[test]
fn the_largest_packets_that_pass_are_found() {
    for mtu in [548, 700, 1_000, 1_300, 1_392, 1_424, 1_464, 1_472] {
        let mut pipe = Pipe::new(10.0, 20, 1_000);
        pipe.mtu = mtu;
        let mut world = World::new(pipe, 6);
        world.call(2 << 20);
        let done = world.until(60_000, |world| !world.ends[1].ended.is_empty());
        assert!(done, "{mtu}");

        let (bytes, packets) = world.sent[0];
        println!(
            "{mtu}: {packets} packets of {} bytes, {:.1} s",
            bytes / packets,
            world.now as f64 / 1e6
        );
        assert!(bytes / packets >= mtu as u64 * 85 / 100 && world.now < 4_000_000);
    }
}

/// A route changes, and takes only smaller packets from then on: those under way are cut.
#[test]
fn a_path_that_takes_less_than_before_is_survived() {
    let mut world = World::new(Pipe::new(10.0, 20, 1_000), 7);
    world.call(8 << 20);
    world.pass(2_000);
    world.pipes[0].mtu = 1_300;
    assert!(world.until(60_000, |world| !world.ends[1].ended.is_empty()));
    assert!(world.now < 30_000_000, "{}", world.now);
}
