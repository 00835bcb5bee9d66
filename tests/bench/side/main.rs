//! Measures brooklet and other clients side by side: each downloads from, or seeds to, the same
//! load generator, over the same two network namespaces, in turns. `make bench` runs it; without
//! arguments it measures everything, `--quick` the core in two minutes.
//!
//! The same program, started again with a word in front, is the load generator (`load`) and the
//! floor (`floor`).

mod args;
mod cases;
mod clients;
mod floor;
#[allow(dead_code)]
#[path = "../../support/json.rs"]
mod json;
mod load;
mod machine;
mod net;
mod place;
mod plan;
mod process;
mod report;
mod torrent;
mod web;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use args::Args;
use place::Place;
use plan::Plan;
use report::{Outcome, Report};

/// Why something could not be done.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args = Args::of_process();
    let done = match args.peek() {
        Some("floor") => floor::main(args.skip()),
        Some("load") => load::main(args.skip()),
        _ => measure(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Set by a signal that asks us to end.
static STOPPED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// An error once a signal has come.
fn interrupted() -> Result<(), Failure> {
    if STOPPED
        .get()
        .is_some_and(|stopped| stopped.load(Ordering::Relaxed))
    {
        Err("stopped".into())
    } else {
        Ok(())
    }
}

/// Whether what this name (a prefix, then a process id) was made for is a process that is gone.
fn is_stale(name: &Path, prefix: &str) -> bool {
    let name = name.to_string_lossy();
    let pid = name
        .strip_prefix(prefix)
        .and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

fn measure(args: Args) -> Result<(), Failure> {
    let plan = Plan::new(args)?;
    if plan.list {
        for case in &plan.cases {
            println!("{:<16}{}", case.name, case.title);
        }
        for client in &plan.clients {
            println!("{:<16}{}", client.name(), client.version());
        }
        return Ok(());
    }
    let stopped = STOPPED.get_or_init(Default::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(stopped))?;
    }
    let folder = plan.target.join("bench");
    fs::create_dir_all(&folder)?;
    let place = Place::new(&plan.piece_lengths(), &folder, plan.keep)?;
    let mut report = Report {
        facts: machine::facts(&plan.clients),
        missing: plan.missing.clone(),
        outcomes: Vec::new(),
    };
    let began = Instant::now();
    let done = rounds(&plan, &place, &mut report);
    report.facts.push((
        "measured".into(),
        format!("{} rounds in {} s", plan.rounds, began.elapsed().as_secs()),
    ));
    print!("{}", report.text(&plan.cases, &plan.clients));
    fs::write(folder.join("bench.json"), report.json())?;
    done
}

/// All rounds; every round begins with another client.
fn rounds(plan: &Plan, place: &Place, report: &mut Report) -> Result<(), Failure> {
    for round in 1..=plan.rounds {
        for case in &plan.cases {
            for at in 0..plan.clients.len() {
                let client = &plan.clients[(at + round - 1) % plan.clients.len()];
                if !case.takes(client) || report.settled(case, client) {
                    continue;
                }
                let result = case.run(client, place, round == 1, plan.idle);
                interrupted()?;
                let result = result.map_err(|why| why.to_string());
                let told = match &result {
                    Ok(values) => format!("{values:.3?}"),
                    Err(why) => format!("failed: {why}"),
                };
                eprintln!("round {round}, {}, {}: {told}", case.name, client.name());
                report.outcomes.push(Outcome {
                    case: case.name,
                    client: client.name().into(),
                    round,
                    result,
                });
            }
        }
    }
    Ok(())
}
