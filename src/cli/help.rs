//! What `--help` prints.

/// `brooklet --version`.
pub const VERSION: &str = concat!("brooklet ", env!("CARGO_PKG_VERSION"), "\n");

/// `brooklet --help`.
pub const PROGRAM: &str = "\
brooklet: a BitTorrent client in one binary, with one thread for the protocol

Usage: brooklet COMMAND [OPTION]... ARGUMENT

Commands:
  get TORRENT...  download, verify and share
  seed TORRENT... upload what is on disk
  create PATH     make a .torrent of a file or folder
  show TORRENT    say what a torrent holds
  check TORRENT   hash what is on disk, offline
  scrape TORRENT  ask the trackers how many peers seed and download it
  peers TORRENT   list its peers, and how each was found
  run DIR         serve many torrents in one process, without a terminal
  status [N]      show what the process that runs in DIR does
  add TORRENT     add a torrent to it
  pause, resume, remove, limit
                  change what it does with its torrents
  explain FILE    every byte of a file of the protocol (not there yet)
  help [COMMAND]  this text, or that of a command (as COMMAND --help)

TORRENT is the path of a .torrent, its http:// URL, - for standard input, a
magnet link (in quotes), or an info hash.

  -h, --help      print this help
  -V, --version   print the version

Examples:
  brooklet show ubuntu.torrent
  brooklet get ubuntu.torrent -d ~/Downloads
  brooklet seed ubuntu.torrent -d ~/Downloads --up 500K

Exit codes:
  0  done
  1  it could not be finished
  2  wrong usage
  3  the torrent is not valid
  4  something is missing or damaged (check), nothing is there (seed)
  129, 130, 143  stopped by SIGHUP, SIGINT, SIGTERM (others: 128 + number)
";

/// Options that say in which ways peers are found.
macro_rules! finding {
    () => {
        "      --no-dht          do not look for peers in the DHT (never done for private
                        torrents)
      --dht-node HOST:PORT
                        begin in the DHT with this node instead of the usual
                        ones; repeatable
      --no-pex          do not exchange addresses of peers with other peers
                        (never done for private torrents)
      --no-lsd          do not search the local network (never done for private
                        torrents)
      --no-utp          speak only TCP with peers: call none over uTP, and
                        refuse those that call
      --no-web-seeds    do not fetch content from the servers that the torrent
                        names (BEP 19)
"
    };
}

/// Whether connections to peers are encrypted.
macro_rules! encryption {
    () => {
        "      --encryption WHAT of connections (MSE; it hides what they are, and keeps
                        nothing secret): off; allow: plain first, encrypted when
                        that fails; prefer: encrypted first; handshake: always
                        encrypted, but for the payload where the peer lets it be
                        plain; require: everything (allow)
"
    };
}

/// `--allow-local`, where others are dialed, too.
macro_rules! allow_local {
    () => {
        "      --allow-local     ask trackers at local addresses whatever their path is,
                        and follow redirects to such addresses
"
    };
}

/// The proxy, with `get`, `seed` and `run`.
macro_rules! proxy {
    () => {
        "\
      --proxy socks5://[USER:PASSWORD@]HOST:PORT
                        reach everybody through this proxy, which looks names
                        up, too; no port is listened on, and the DHT and the
                        local network are left out
"
    };
}

/// What SIZE, RATE and MIN stand for.
macro_rules! units {
    () => {
        "\
SIZE and RATE are bytes; K, M and G are powers of 1024: 512K, 1.5M, 2MiB. MIN
are minutes; 90s, 1h and 1h30m are accepted, too.
"
    };
}

/// What `get` and `seed` have in common, as one text literal.
macro_rules! common {
    () => {
        concat!(
            "  -d, --dir DIR         where the content lies (.)
  -p, --port N          TCP and UDP port to listen on; 0: any
                        (first free of 6881-6889)
      --bind ADDR       local address, or name of an interface, to listen on and
                        connect from (all)
",
            proxy!(),
            "      --peer HOST:PORT  connect to this peer too (IPv6: [ADDR]:PORT), and dial
                        it again and again; repeatable. Peers that a magnet link
                        names (x.pe) are given up after some failures
      --max-peers N     connections at most (60)
      --memory SIZE     budget for buffers (16M)
      --down RATE       limit of what comes in, bytes a second (none)
      --up RATE         limit of what goes out, bytes a second (none)
      --files WHICH     select files, by the numbers that show prints (1,4-) or
                        by a name or path as it prints them, or by a glob
                        ('*.txt', 'folder/**'); repeatable (all)
      --sequential      pieces in order
      --no-trackers     do not ask trackers for peers
",
            allow_local!(),
            finding!(),
            encryption!(),
            "      --timeout MIN     fail after so many minutes without progress (never)
      --state DIR       where resume data and fetched torrents are kept
                        ($XDG_STATE_HOME/brooklet, else ~/.local/state/brooklet)
      --recheck         hash what is on disk, whatever the resume data says
      --overwrite       write over files that are not this torrent's, and cut
                        off files that are too long
      --trace FILE      record every byte sent and received (not there yet)
      --json            events on standard output, one JSON object a line
  -q, --quiet           only errors
  -v, -vv, --verbose    more; every message in words
  -h, --help            print this help

",
            units!()
        )
    };
}

// It uses the texts above.
mod unattended;

pub use unattended::{ADD, LIMIT, PAUSE, REMOVE, RESUME, RUN, STATUS};

/// `brooklet get --help`.
pub const GET: &str = concat!(
    "\
Usage: brooklet get [OPTION]... TORRENT...

Downloads, verifies every piece, uploads to others meanwhile, and ends as soon
as everything selected is complete on disk. What is on disk already is checked
and kept. TORRENT is the path of a .torrent, its http:// URL, - for standard
input, a magnet link (in quotes), or an info hash: for a link or a hash, peers
are asked for the torrent. Several torrents share the process, its port and the
limits; if one fails, the others go on, and the command then ends with 1.

      --metadata-only   only fetch the .torrent of a magnet link
  -o FILE               the same, and write it to FILE (NAME.torrent); - is
                        standard output; --overwrite replaces an existing FILE
      --seed            stay and seed until stopped
      --ratio R         seed until R times the content's size has been uploaded,
                        earlier runs counted
      --seed-time MIN   seed for this many minutes
",
    common!(),
    "
Examples:
  brooklet get debian.torrent -d ~/Downloads --up 200K
  brooklet get album.torrent --files 1-3 --files '*.jpg'
  brooklet get debian.torrent --ratio 1.5 --seed-time 60
  brooklet get 'magnet:?xt=urn:btih:...' -d ~/Downloads
"
);

/// `brooklet seed --help`.
pub const SEED: &str = concat!(
    "\
Usage: brooklet seed [OPTION]... TORRENT...

Checks what is on disk and uploads it until stopped. Missing pieces are not
downloaded; with nothing at all on disk it ends with 4. The content is looked
for at DIR/NAME (the torrent's name), then directly in DIR, then beside the
.torrent. TORRENT is the path of a .torrent, its http:// URL, - for standard
input, a magnet link or an info hash. Several torrents share the process, its
port and the limits.

      --ratio R         stop when R times the content's size has been uploaded,
                        earlier runs counted
      --seed-time MIN   stop after this many minutes
",
    common!(),
    "
Examples:
  brooklet seed debian.torrent -d ~/Downloads
  brooklet seed debian.torrent -d /srv --port 51413 --up 1M --json
"
);

/// `brooklet create --help`.
pub const CREATE: &str = "\
Usage: brooklet create [OPTION]... PATH

Makes a .torrent of a file or folder, and prints its info hash and magnet link.

  -o FILE                   where to write it; - is standard output
                            (NAME.torrent)
      --force               replace FILE if it exists
      --exclude GLOB        leave out files and folders by name ('*.tmp') or by
                            path ('folder/*.txt'); repeatable
      --tracker URL         announce URL; repeatable, each a tier of its own
      --piece-length BYTES  a power of two, 16K to 16M (chosen by size)
      --private             peers from the trackers only (BEP 27)
      --web-seed URL        HTTP address of the content (BEP 19); repeatable
      --comment TEXT        a comment
      --no-date             leave the creation date out
      --json                what was made as one JSON object
  -q, --quiet               no remarks and no progress
  -h, --help                print this help

Examples:
  brooklet create photos/ --tracker http://tracker.example/announce
  brooklet create disk.img -o disk.torrent --piece-length 1M --private
";

/// `brooklet show --help`.
pub const SHOW: &str = "\
Usage: brooklet show [OPTION]... TORRENT

Says in words what a torrent holds. TORRENT is the path of a .torrent, its
http:// URL, - for standard input, a magnet link (in quotes), or an info hash.
For a link or a hash only what it says itself is shown, or with --fetch what
peers know. If a file cannot have its name on disk, both names are shown: the
one that it gets, and the one in the torrent.

  -d, --dir DIR  where the content lies or will lie: decides whether names that
                 differ only by capitals are two files there (.)
      --json     one JSON object
      --fetch    ask peers for the torrent of a link; takes the options of get
                 that say how they are reached (--peer, --port, --bind,
                 --no-trackers, --timeout, --state and the like)
  -h, --help     print this help

Examples:
  brooklet show debian.torrent
  brooklet show --json - < debian.torrent | jq .files
  brooklet show 'magnet:?xt=urn:btih:...'
";

/// `brooklet check --help`.
pub const CHECK: &str = "\
Usage: brooklet check [OPTION]... TORRENT

Hashes what is on disk, offline, on all cores, and prints a line for each file
and a sum. Ends with 0 if the content is whole, with 4 if something is missing
or damaged. The content is looked for at DIR/NAME (the torrent's name), then
directly in DIR, then beside the .torrent. TORRENT is the path of a .torrent,
its http:// URL, - for standard input, or a magnet link or info hash whose
torrent was fetched before.

  -d, --dir DIR      where the content lies (.)
      --files WHICH  these files alone, chosen as for brooklet get; repeatable
      --state DIR    where get kept bytes of files that were not chosen
                     ($XDG_STATE_HOME/brooklet, else ~/.local/state/brooklet)
      --json         one JSON object
  -q, --quiet        only errors: the exit code says the rest
  -h, --help         print this help

Example:
  brooklet check debian.torrent -d ~/Downloads
";

/// `brooklet scrape --help`.
pub const SCRAPE: &str = "\
Usage: brooklet scrape [OPTION]... TORRENT

Asks each tracker how many seeders, leechers and completed downloads it knows.
Ends with 0 if at least one tracker answers. TORRENT is the path of a .torrent,
its http:// URL, - for standard input, or a magnet link (in quotes) or info hash
that names trackers or was fetched before.

      --json         one JSON object for each tracker, a line each
      --state DIR    where get kept torrents that it fetched by a link
      --bind ADDR    local address, or name of an interface, to ask from
      --proxy socks5://[USER:PASSWORD@]HOST:PORT
                     ask through this proxy
      --allow-local  ask trackers at local addresses whatever their path
  -h, --help         print this help

Other options of brooklet get about the network are accepted and ignored.

Example:
  brooklet scrape debian.torrent
";

/// `brooklet peers --help`.
pub const PEERS: &str = "\
Usage: brooklet peers [OPTION]... TORRENT

Lists the peers of a torrent: asks its trackers, the DHT and the local network
once, and prints a line for each address with its sources (LSD: the local
network, for whose answers it waits 7 seconds). The peers that a magnet link
names come first. No peer is dialed. Ends with 0 if there is an address. TORRENT
is the path of a .torrent, its http:// URL, - for standard input, a magnet link
(in quotes), or an info hash. For a private torrent only its trackers are asked.

  -p, --port N          UDP port to ask from, TCP port to listen on for the
                        local network, and the port that trackers are told
      --bind ADDR       local address, or name of an interface, to ask from
      --proxy socks5://[USER:PASSWORD@]HOST:PORT
                        ask trackers through this proxy, and nobody else
      --peer HOST:PORT  put this peer on the list, too; repeatable
      --no-trackers     do not ask trackers
      --no-dht          do not ask the DHT
      --dht-node HOST:PORT
                        begin in the DHT with this node instead of the usual
                        ones; repeatable
      --no-lsd          do not ask the local network
      --allow-local     ask trackers at local addresses whatever their path
      --timeout MIN     wait no longer than so many minutes
      --state DIR       where nodes of the DHT are kept
                        ($XDG_STATE_HOME/brooklet, else ~/.local/state/brooklet)
      --json            one JSON object for each line
  -q, --quiet           no sum, and no line for a tracker that failed
  -v, --verbose         each question to the DHT: the node, how far it is from
                        the torrent, and what came after how long
  -h, --help            print this help

Other options of brooklet get about the network are accepted and ignored.

Examples:
  brooklet peers debian.torrent
  brooklet peers -v --no-trackers 'magnet:?xt=urn:btih:...'
";

/// `brooklet explain --help`.
pub const EXPLAIN: &str = "\
Usage: brooklet explain FILE

Will print every byte of a .torrent, a tracker's response or a recorded trace
with its meaning. It is not there yet.
";

/// Every command.
pub const COMMANDS: [&str; 16] = [
    "get", "seed", "create", "show", "check", "scrape", "peers", "run", "status", "add", "pause",
    "resume", "remove", "limit", "explain", "help",
];

/// The text of a command, by its name.
pub fn text_of(command: &str) -> Option<&'static str> {
    Some(match command {
        "get" => GET,
        "seed" => SEED,
        "create" => CREATE,
        "show" => SHOW,
        "check" => CHECK,
        "scrape" => SCRAPE,
        "peers" => PEERS,
        "run" => RUN,
        "status" => STATUS,
        "add" => ADD,
        "pause" => PAUSE,
        "resume" => RESUME,
        "remove" => REMOVE,
        "limit" => LIMIT,
        "explain" => EXPLAIN,
        "help" => PROGRAM,
        _ => return None,
    })
}
