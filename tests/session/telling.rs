//! Who is told of a piece that we have verified: everybody who may wait for that.

use brooklet::base::Duration;

use crate::requests;
use crate::session::Bench;

/// A peer that shows one piece at a time, the next one only when we say `have` for the last: how
/// libtorrent super-seeds (BEP 16). How many of the pieces we have got when no more are shown.
fn got_of_a_super_seed(first: &str, pieces: u32) -> usize {
    let mut bench = Bench::getter(pieces, &[]);
    let seed = bench.join(1, true);
    bench.says(seed, first);
    bench.says(seed, "unchoke");
    for piece in 0..pieces {
        bench.says(seed, &format!("have {piece}"));
        let asked = requests(&mut bench, seed);
        bench.sends_blocks(seed, &asked);
        bench.wait(Duration::from_millis(1));
        if !bench.hears(seed).contains(&format!("have {piece}")) {
            break;
        }
    }
    bench.verified().len()
}

#[test]
fn a_super_seed_hears_of_each_piece_that_it_showed_us() {
    for first in ["have none", "bitfield 00"] {
        assert_eq!(got_of_a_super_seed(first, 8), 8, "{first}");
    }
}

/// Three peers have the piece that comes from a fourth: one said so piece by piece, as a super-seed
/// does, one in a bitfield with a hole; the third said that it has everything.
#[test]
fn all_peers_are_told_of_a_piece_except_seeds_that_said_have_all() {
    for (whole, fast) in [("have all", true), ("bitfield f0", false)] {
        let mut bench = Bench::getter(4, &[]);
        let (giver, shows) = (bench.join(1, true), bench.join(2, true));
        let (partial, seed) = (bench.join(3, true), bench.join(4, fast));
        bench.says(shows, "have none");
        for piece in 0..4 {
            bench.says(shows, &format!("have {piece}"));
        }
        bench.says(partial, "bitfield e0");
        bench.says(seed, whole);
        bench.says(giver, "bitfield 80");
        bench.says(giver, "unchoke");
        for key in [shows, partial, seed] {
            bench.hears(key);
        }
        let asked = requests(&mut bench, giver);
        bench.sends_blocks(giver, &asked);
        assert_eq!(bench.verified(), [0]);
        let mut told = |key| bench.hears(key).contains(&"have 0".to_string());
        assert!(told(shows) && told(partial) && told(giver), "{whole}");
        assert!(
            !told(seed),
            "{whole}: it is a seed, and cannot be a super-seed"
        );
    }
}
