//! Measures brooklet and other clients side by side.

fn main() {}
