//! What is to be measured, as the command line says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Failure;
use super::args::Args;
use super::cases::{CASES, Case, Kind};
use super::clients::Client;

/// How to use it.
pub const USAGE: &str = "\
make bench ARGS=\"[OPTION]...\"

  --quick            three rounds of download-4 and upload-4, without
                     transmission and rtorrent
  --only CASE,...    these cases only; a part of a name stands for all that begin
                     with it
  --clients NAME,... these clients only
  --rounds N         rounds (5)
  --idle SECONDS     how long idle peers are watched (60)
  --brooklet PATH    the build to measure
  --also NAME=PATH   another build of brooklet beside it; repeatable
  --keep             leave content and logs in place
  --list             print cases and clients
Who takes longer than 15 s for a case is measured in its first round only.";

/// What is to be measured.
pub struct Plan {
    /// In the order in which they are reported.
    pub cases: Vec<Case>,
    pub clients: Vec<Client>,
    /// Clients that are not installed.
    pub missing: Vec<String>,
    pub rounds: usize,
    pub idle: Duration,
    pub keep: bool,
    pub list: bool,
    /// The folder for what is built and written.
    pub target: PathBuf,
}

impl Plan {
    /// Reads a command line.
    pub fn new(mut args: Args) -> Result<Plan, Failure> {
        let target = target()?;
        let mut brooklet = target.join("release/brooklet");
        let (mut only, mut wanted, mut also) = (None, None, Vec::new());
        let (mut rounds, mut idle) = (None, None);
        let (mut quick, mut keep, mut list) = (false, false, false);
        while let Some(option) = args.option() {
            match option.as_str() {
                "--quick" => quick = true,
                "--keep" => keep = true,
                "--list" => list = true,
                "--only" => only = Some(args.next("--only CASE")?),
                "--clients" => wanted = Some(args.next("--clients NAME")?),
                "--rounds" => rounds = Some(args.number("--rounds N")? as usize),
                "--idle" => idle = Some(args.number("--idle SECONDS")?),
                "--brooklet" => brooklet = args.next("--brooklet PATH")?.into(),
                "--also" => also.push(args.next("--also NAME=PATH")?),
                other => return Err(format!("{other}: unknown\n{USAGE}").into()),
            }
        }
        if !brooklet.is_file() {
            return Err(format!("{}: not built", brooklet.display()).into());
        }
        let (mut clients, missing) = Client::all(&brooklet, &target);
        for (at, build) in also.iter().enumerate() {
            let (name, path) = build.split_once('=').ok_or("--also wants NAME=PATH")?;
            let (name, program) = (name.into(), path.into());
            clients.insert(at + 1, Client::Brooklet { name, program });
        }
        let standard = if quick { "download-4,upload-4" } else { "" };
        let only = only.unwrap_or_else(|| standard.into());
        let prefix = |name: &str, part: &str| name.starts_with(part);
        let mut cases = CASES.to_vec();
        if quick {
            cases.retain(|case| named(&only, case.name, str::eq))
        } else {
            cases.retain(|case| named(&only, case.name, prefix))
        }
        let wanted = wanted.unwrap_or_default();
        clients.retain(|client| {
            if wanted.is_empty() {
                !(quick && client.is_slow())
            } else {
                named(&wanted, client.name(), str::eq)
            }
        });
        Ok(Plan {
            cases,
            clients,
            missing: if wanted.is_empty() {
                missing
            } else {
                Vec::new()
            },
            rounds: rounds.unwrap_or(if quick { 3 } else { 5 }),
            idle: Duration::from_secs(idle.unwrap_or(if quick { 30 } else { 60 })),
            keep,
            list,
            target,
        })
    }

    /// The lengths of pieces, KiB, that the cases need.
    pub fn piece_lengths(&self) -> Vec<u32> {
        let mut lengths: Vec<u32> = self
            .cases
            .iter()
            .map(|case| match case.kind {
                Kind::Download { piece_kib, .. } => piece_kib,
                _ => 1024,
            })
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    }
}

/// Whether a name is in a comma-separated list; an empty list has every name.
fn named(list: &str, name: &str, same: impl Fn(&str, &str) -> bool) -> bool {
    list.is_empty() || list.split(',').any(|part| same(name, part))
}

/// Cargo's target folder: this program lies in `release/deps` there.
fn target() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).map(Path::to_path_buf);
    Ok(target.ok_or("this program lies in no target folder")?)
}
