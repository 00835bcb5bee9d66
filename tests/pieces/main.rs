//! The piece table, rule by rule, then as a whole under a random course of events.

mod support;

mod blame;
mod course;
mod picking;
mod poison;
mod sharing;
mod table;
