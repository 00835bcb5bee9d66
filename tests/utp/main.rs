//! uTP over simulated links: what a sender makes of a line that others use, too, and what hostile
//! packets do. Everything is decided by seeds, and no time passes but the simulated.

mod bounds;
mod hostile;
mod lines;
mod talk;
mod tcp;
mod world;
