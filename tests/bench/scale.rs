//! What a piece and a peer cost, by number.

fn main() {}
