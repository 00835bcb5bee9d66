//! What `--help` prints of `run` and of the commands that steer it.

/// `brooklet run --help`.
pub const RUN: &str = concat!(
    "\
Usage: brooklet run [OPTION]... DIR

Downloads and seeds the torrents of DIR in one process, without a terminal,
until stopped. brooklet add gives it torrents, brooklet status shows what it
does; see also pause, resume, remove and limit. DIR is made if it is missing:
torrents/ in it holds the torrents and their state, downloads/ the content, and
control is the socket by which the other commands find the process.
A torrent in watch/ whose name ends in .torrent, or a file with a magnet link
whose name ends in .magnet, is added and then deleted from there. What cannot be
added goes to watch/failed/, with the reason beside it; so does a symbolic link.
Files whose names begin with a dot are left alone.

  -d, --dir DIR         where the content lies (DIR/downloads)
  -p, --port N          TCP and UDP port to listen on; 0: any
                        (first free of 6881-6889)
      --bind ADDR       local address, or name of an interface, to listen on and
                        connect from (all)
",
    proxy!(),
    "      --peer HOST:PORT  connect each torrent to this peer too; repeatable
      --active N        torrents that download at the same time (5); a torrent
                        that got nothing for 5 minutes does not count
      --ratio R         a torrent is paused when R times its content's size has
                        been uploaded, earlier runs counted
      --seed-time MIN   a torrent is paused when it has seeded for this long
      --on-complete COMMAND
                        run this, without a shell, for each torrent that was
                        downloaded; BROOKLET_NAME, BROOKLET_DIR (the folder that
                        NAME lies in), BROOKLET_INFO_HASH and BROOKLET_SIZE are
                        in its environment
      --max-peers N     connections at most (200)
      --memory SIZE     budget for buffers (16M)
      --down RATE       limit of what comes in, bytes a second (none)
      --up RATE         limit of what goes out, bytes a second (none)
      --no-trackers     do not ask trackers for peers
",
    allow_local!(),
    finding!(),
    encryption!(),
    "      --files WHICH     of each torrent only these files, as brooklet get --help
                        says; a torrent that has none of them is refused;
                        repeatable (all)
      --sequential      pieces in order
      --timeout MIN     a torrent fails after so many minutes without progress,
                        and the others go on (never)
      --state DIR       where torrents and their resume data are kept
                        (DIR/torrents)
      --recheck         hash what is on disk when a torrent is opened, whatever
                        the resume data says
      --overwrite       write over files that are not the torrent's, and cut off
                        files that are too long
      --trace FILE      record every byte sent and received (not there yet)
      --json            events on standard output, one JSON object a line
  -q, --quiet           only errors
  -v, -vv, --verbose    more; every message in words
  -h, --help            print this help

",
    units!(),
    "
DIR/config holds such options, too: one a line, without the dashes ('up 500K').
Options on the command line override it. SIGHUP has the file read again; changed
options apply from then on, except those that only a start can change.

Example:
  brooklet run ~/torrents --up 500K --ratio 2
"
);

/// `brooklet status --help`.
pub const STATUS: &str = "\
Usage: brooklet status [OPTION]... [N]

Shows what the process that runs in DIR does: a line for each torrent with its
number, percent, rates (of the last seconds), peers, ratio, state and name; with
N, everything about torrent number N: where it lies, why it is paused or has no
peers, its peers, and what each of its trackers said last and when it is asked
next. On a terminal, and with -v, a last line has the limits of all together.

  -C DIR         the folder of brooklet run ($BROOKLET_DIR, else .); it may
                 stand before the command, too
      --json     one JSON object
  -v, --verbose  everything about each torrent
  -h, --help     print this help

Examples:
  brooklet status -C ~/torrents
  brooklet status 3
";

/// `brooklet add --help`.
pub const ADD: &str = "\
Usage: brooklet add [OPTION]... TORRENT...

Gives torrents to the brooklet that runs in DIR, and prints the number and name
of each. TORRENT is the path of a .torrent, its http:// URL, - for standard
input, a magnet link (in quotes), or an info hash: for a link or a hash, peers
are asked for the torrent.

  -C DIR         the folder of brooklet run ($BROOKLET_DIR, else .)
  -d, --dir DIR  where the content lies (the -d of brooklet run)
      --paused   wait until they are resumed
  -h, --help     print this help

Examples:
  brooklet add -C ~/torrents debian.torrent
  brooklet add -C ~/torrents 'magnet:?xt=urn:btih:...'
";

/// `brooklet pause --help`.
pub const PAUSE: &str = "\
Usage: brooklet pause [OPTION]... N...|all

Has torrents leave their swarms; brooklet run keeps them. N is a number that
brooklet status prints, or several in a row: 3-7.

  -C DIR      the folder of brooklet run ($BROOKLET_DIR, else .)
  -h, --help  print this help

Examples:
  brooklet pause 3
  brooklet pause all
";

/// `brooklet resume --help`.
pub const RESUME: &str = "\
Usage: brooklet resume [OPTION]... N...|all

Lets paused torrents go on, and opens failed torrents anew; brooklet status N
says why one has failed. N is a number that brooklet status prints, or several
in a row: 3-7.

  -C DIR      the folder of brooklet run ($BROOKLET_DIR, else .)
  -h, --help  print this help

Example:
  brooklet resume all
";

/// `brooklet remove --help`.
pub const REMOVE: &str = "\
Usage: brooklet remove [OPTION]... N...

Removes torrents. Their content stays where it is; with --data it is deleted,
and the command ends once that is done. N is a number that brooklet status
prints, or several in a row: 3-7.

  -C DIR      the folder of brooklet run ($BROOKLET_DIR, else .)
      --data  delete the content, too
  -h, --help  print this help

Example:
  brooklet remove 3 --data
";

/// `brooklet limit --help`.
pub const LIMIT: &str = "\
Usage: brooklet limit [OPTION]... [N]...

Limits rates: of the torrents with these numbers, or of all torrents together.
Without a limit, prints those that are in force. N may name several: 3-7.

  -C DIR           the folder of brooklet run ($BROOKLET_DIR, else .)
      --down RATE  download limit in bytes a second; none lifts it
      --up RATE    upload limit in bytes a second; none lifts it
  -h, --help       print this help

K, M and G are powers of 1024: 512K is 524288 bytes a second.

Examples:
  brooklet limit --down 2M --up 500K
  brooklet limit --up none 3
";
