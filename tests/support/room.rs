//! A folder that is a file system of its own, which only a holder and what is started with its
//! namespace see.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::{Bench, SOON};
use super::child::{Child, command};
use super::{installed, root, skip};

/// A mount in a namespace that lasts as long as this.
#[derive(Debug)]
pub struct Room {
    holder: Child,
    folder: PathBuf,
    /// The folder as it is seen from outside.
    pub inside: PathBuf,
}

impl Room {
    /// Whether rooms can be made here; if not, the test is skipped.
    pub fn possible() -> bool {
        root() && installed(&["unshare", "nsenter", "mount"])
    }

    /// Mounts a file system in memory on this folder.
    pub fn make(folder: &Path, options: &str) -> Room {
        Room::with(folder, "mount -t tmpfs -o \"$1\" none \"$2\"", options)
    }

    /// Mounts by a line of shell: `$1` is `argument`, `$2` the folder.
    pub fn with(folder: &Path, mount: &str, argument: &str) -> Room {
        let script = format!("{mount} && echo mounted && exec sleep 600");
        let mut mounting = command(None, "unshare");
        mounting.args(["--mount", "sh", "-c", &script, "sh", argument]);
        let mut holder = Child::spawn("holder", mounting.arg(folder));
        holder.line("mounted", SOON);
        let seen = format!("/proc/{}/root{}", holder.pid(), folder.display());
        Room {
            holder,
            folder: folder.into(),
            inside: seen.into(),
        }
    }

    /// Whether [`Room::bind`] can be had here; if not, the test is skipped.
    pub fn can_bind() -> bool {
        let fuse = Path::new("/dev/fuse").exists();
        if !fuse {
            skip("there is no /dev/fuse");
        }
        fuse && Room::possible() && installed(&["bindfs", "mountpoint"])
    }

    /// Mounts `real` on this folder once more, by bindfs: a file system made with libfuse 2, which
    /// ignores a modification time that is set without the time of access. The kernel asks it for
    /// everything, and answers nothing by what it said before.
    pub fn bind(folder: &Path, real: &Path) -> Room {
        let uncached = "-o attr_timeout=0,entry_timeout=0";
        let bind = format!("setpriv --pdeathsig KILL bindfs -f {uncached} \"$1\" \"$2\" & ");
        let mount = format!("{{ {bind} while ! mountpoint -q \"$2\"; do :; done; }}");
        Room::with(folder, &mount, real.to_str().unwrap())
    }

    /// From here on a mount of [`Room::bind`] answers nothing: calls to it last. None is under way
    /// at that moment: a process that waits for an answer to what bindfs has read already cannot
    /// even be killed.
    pub fn stall(&self) {
        let waiting = "/sys/fs/fuse/connections/${device#*:}/waiting";
        self.run(&format!(
            "device=$(mountpoint -d \"$1\"); \
             [ -e {waiting} ] || mount -t fusectl none /sys/fs/fuse/connections; \
             while {}; [ \"$(cat {waiting} 2>/dev/null || echo 0)\" != 0 ]; do {}; sleep 0.01; done",
            signal("STOP"),
            signal("CONT")
        ));
    }

    /// It answers again.
    pub fn go_on(&self) {
        self.run(&signal("CONT"));
    }

    /// A download into it, with these variables of the environment.
    pub fn get(&self, bench: &Bench, seed: &str, variables: &[(&str, String)]) -> Child {
        let mut command = self.brooklet();
        bench.arguments(&mut command, "get");
        command.args(["--peer", seed]);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        Child::spawn("brooklet", &mut command)
    }

    /// Runs a line of shell; `$1` is the folder.
    pub fn run(&self, script: &str) {
        let mut command = self.enter();
        command.args(["sh", "-c", script, "sh"]).arg(&self.folder);
        Child::spawn("sh", &mut command).success(SOON);
    }

    /// Brooklet, run in it.
    pub fn brooklet(&self) -> Command {
        let mut command = self.enter();
        command.arg(env!("CARGO_BIN_EXE_brooklet"));
        command
    }

    /// A command that is run in it.
    pub fn enter(&self) -> Command {
        let mut command = command(None, "nsenter");
        command.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.pid()));
        command
    }
}

/// A line of shell that sends this room's bindfs a signal: others may be running.
fn signal(signal: &str) -> String {
    format!(
        "for process in /proc/[0-9]*; do \
         if [ \"$(cat $process/comm 2>/dev/null)\" = bindfs ] && \
         [ \"$(readlink $process/ns/mnt)\" = \"$(readlink /proc/$$/ns/mnt)\" ]; \
         then kill -s {signal} ${{process#/proc/}}; fi; done"
    )
}
