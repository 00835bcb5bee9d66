//! What a piece and a peer cost, by number: the same work in torrents of 1,000 to 200,000 pieces,
//! and in sessions of 10 to 1,000 connections. A cost that does not depend on the number has a
//! ratio near 1 between the largest and the smallest; what is left of growth in the others is
//! memory that no longer fits into a cache. Run with `cargo bench --bench scale`.

#[path = "scale/pieces.rs"]
mod pieces;
#[path = "scale/session.rs"]
mod session;

use std::time::{Duration, Instant};

/// Rounds of which the median counts.
const ROUNDS: usize = 9;

fn main() {
    let connections = [10, 100, 1_000];
    let memory = session::memory(&connections);
    let sizes = [1_000, 10_000, 100_000, 200_000];
    let heads = sizes.map(|pieces| format!("{pieces} pieces"));
    print(&heads, &pieces::rows(&sizes));
    println!();
    let heads = connections.map(|peers| format!("{peers} peers"));
    let mut rows = session::rows(&connections);
    rows.push(memory);
    print(&heads, &rows);
}

/// A line of the table: a value for each size.
struct Row {
    what: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

fn row(what: &'static str, unit: &'static str, values: Vec<f64>) -> Row {
    Row { what, unit, values }
}

fn print(heads: &[String], rows: &[Row]) {
    print!("{:<52}", "");
    heads.iter().for_each(|head| print!("{head:>15}"));
    println!("{:>16}", "last ÷ first");
    for Row { what, unit, values } in rows {
        print!("{:<52}", format!("{what}, {unit}"));
        for value in values {
            let decimals = if *value < 10.0 { 2 } else { 0 };
            print!("{value:>15.decimals$}");
        }
        let ratio = values[values.len() - 1] / values[0];
        println!("{ratio:>16.2}");
    }
}

/// The median of as many rounds as count.
fn median(mut round: impl FnMut() -> f64) -> f64 {
    let mut values: Vec<f64> = (0..ROUNDS).map(|_| round()).collect();
    values.sort_by(f64::total_cmp);
    values[ROUNDS / 2]
}

/// Time spent in a part of a longer course, without what reading the clock takes.
#[derive(Default)]
struct Watch {
    spent: Duration,
    spans: u32,
}

impl Watch {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.spent += start.elapsed();
        self.spans += 1;
        result
    }

    /// Nanoseconds for each of so many.
    fn nanos_each(&self, count: usize) -> f64 {
        let clock = clock_costs() * f64::from(self.spans);
        (self.spent.as_nanos() as f64 - clock).max(0.0) / count as f64
    }
}

/// Nanoseconds that a span of nothing seems to take.
fn clock_costs() -> f64 {
    let mut spent = Duration::ZERO;
    for _ in 0..1_000 {
        let start = Instant::now();
        spent += start.elapsed();
    }
    spent.as_nanos() as f64 / 1_000.0
}

/// Bytes of memory that this process has in use, as the system sees it.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}
