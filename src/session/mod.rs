//! Rank 4: one torrent in its swarm. A `Session` is told what happened and answers with effects; it owns every peer machine and
//! touches nothing outside.

pub mod effect;
