//! Bounds of the DHT (BEP 5).

use super::KIB;
use crate::base::time::Duration;

// DHT: messages

/// Bytes of a KRPC transaction id that is answered: real nodes use up to 8, and echo up to 64.
pub const KRPC_TRANSACTION: usize = 64;
/// Bytes of a token that is sent back to its node: real ones have 4 to 20.
pub const KRPC_TOKEN: usize = 64;
/// Nodes taken from the front of one reply: BEP 5 asks for 8; npm's `bittorrent-dht` sends its
/// whole table, the nearest first.
pub const KRPC_NODES: usize = 16;
/// Peers taken of one reply: aria2, libtorrent and Transmission send up to 100, others all that
/// they have.
pub const KRPC_PEERS: usize = 500;

// DHT: routing table and lookups

/// Nodes of a bucket, of an answer, and those that a torrent is announced to (k of BEP 5).
pub const DHT_K: usize = 8;
/// How many times as many nodes the first buckets have: they cover most of the ids, and a lookup
/// begins there, so this saves it a step.
pub const DHT_WIDE_BUCKETS: [usize; 4] = [16, 8, 4, 2];
/// Nodes of one network (/24 of IPv4, /64 of IPv6) in the table. One host may have as many
/// addresses there as it likes, and should not fill the table with them.
pub const DHT_NODES_EACH: usize = 3;
/// The same among those that one lookup asks.
pub const DHT_ASKED_EACH: usize = 8;
/// Queries in a row that a node leaves unanswered before it is dropped: packets get lost.
pub const DHT_FAILURES: u8 = 3;
/// The same if another node waits for the place.
pub const DHT_FAILURES_REPLACED: u8 = 2;
/// A node that was not heard for this long is questionable (BEP 5), and asked something.
pub const DHT_QUESTIONABLE: Duration = Duration::from_secs(15 * 60);
/// Queries to one lookup's nodes at one time (α).
pub const DHT_ALPHA: usize = 4;
/// The same once a node was slow: the next one may be slow, too.
pub const DHT_ALPHA_SLOW: usize = 5;
/// A node that has not answered within this time is slow: it is waited for, and another is asked in
/// its place. As round trips are measured, this shrinks to what answers usually take.
pub const DHT_SLOW: Duration = Duration::from_secs(1);
/// It does not shrink below this: a node may be busy with other work for that long.
pub const DHT_SLOW_LEAST: Duration = Duration::from_millis(100);
/// A node that has not answered within this time counts as silent.
pub const DHT_LOST: Duration = Duration::from_secs(10);
/// The end of a lookup waits this long for slow nodes near its target: most that answer at all do
/// so within it.
pub const DHT_HOLD: Duration = Duration::from_millis(1500);
/// The same while none has answered: then the lookup is begun anew, since a packet was lost.
pub const DHT_HOLD_ALONE: Duration = Duration::from_secs(4);
/// Nodes that a lookup remembers, the nearest ones: it asks some 30 of them.
pub const DHT_CANDIDATES: usize = 100;
/// Queries of one lookup: liars could lead it around for ever. Half of it is enough in a DHT of
/// millions.
pub const DHT_LOOKUP_QUERIES: usize = 100;
/// Lookups at one time: each has its few queries under way, and all together share
/// [`DHT_QUERIES`].
pub const DHT_LOOKUPS: usize = 8;
/// Queries that we send a second: a thousand torrents announce within a quarter of an hour with
/// fewer, and no router at home is troubled by them.
pub const DHT_QUERIES: usize = 50;
/// Addresses that did not answer, which are not asked for [`DHT_SILENT_FOR`]: many nodes name the
/// same dead ones, and a liar may name a victim.
pub const DHT_SILENT: usize = 512;
/// See [`DHT_SILENT`].
pub const DHT_SILENT_FOR: Duration = Duration::from_secs(5 * 60);
/// Ports of one public host that a lookup asks, each named by nodes of another network; and silent
/// ports after which a host is left alone at all of them. The first that name a node may lie about
/// its port, but a victim is not to be asked at many.
pub const DHT_PORTS_EACH: usize = 4;
/// If this many of the nodes that a node named were silent and none answered, the lookup does not
/// trust it: what it names comes last.
pub const DHT_DISTRUST: u8 = 3;
/// Distinct peers counted of one lookup, for the user: there are seldom more.
pub const DHT_COUNTED: usize = 200;
/// Addresses to begin with: bootstrap hosts, nodes of torrents and of peers. One is enough to find
/// the others.
pub const DHT_CONTACTS: usize = 64;
/// With fewer nodes than this in the table, those of the last run are asked too, and other nodes
/// are asked for nodes of both families.
pub const DHT_POOR: usize = 8;
/// Nodes that are saved for the next start, of each family: enough of them live for days.
pub const DHT_SAVED: usize = 128;
/// Bytes of the file of saved nodes: a hundred a node, and more than we write.
pub const DHT_FILE: usize = 64 * KIB;

// DHT: time

/// The file of saved nodes is written this often, if they have changed: what a crash loses is found
/// again in seconds.
pub const DHT_KEEP: Duration = Duration::from_secs(10 * 60);
/// A torrent is announced this often: nodes forget it after half an hour.
pub const DHT_ANNOUNCE: Duration = Duration::from_secs(15 * 60);
/// A node that has taken an announce is not asked to again before this has passed, though a torrent
/// without peers is looked up more often: a bit less than a lookup's earliest repetition.
pub const DHT_ANNOUNCE_AGAIN: Duration = Duration::from_secs(13 * 60);
/// Nodes remembered for that, of each torrent and family: those of a few lookups.
pub const DHT_TOLD: usize = 32;
/// One lookup in this many is for the torrent that is due longest, though others are urgent.
pub const DHT_FAIR: u32 = 3;
/// The next lookup after one that found nothing that was needed, doubled each time up to
/// [`DHT_ANNOUNCE`].
pub const DHT_AGAIN: Duration = Duration::from_secs(5);
/// The usual hosts to begin with are asked after this time if neither a tracker nor a peer has led
/// a download to another peer, nor a named host or a saved node us to the DHT: most answer sooner.
pub const DHT_HOSTS_SOON: Duration = Duration::from_secs(5);
/// The same while each torrent has peers, or has trackers and nothing to download: peers name nodes
/// meanwhile, and a look-up of names costs 200 KiB of memory.
pub const DHT_HOSTS_LATE: Duration = Duration::from_secs(30);
/// One query of upkeep in this time at most: a find_node of 103 bytes and 28 of its headers is 66
/// bytes a second, and visits a full table in a quarter of an hour.
pub const DHT_UPKEEP: Duration = Duration::from_secs(2);
/// The same while the table has fewer than [`DHT_YOUNG`] nodes.
pub const DHT_UPKEEP_YOUNG: Duration = Duration::from_millis(200);
/// See [`DHT_UPKEEP_YOUNG`].
pub const DHT_YOUNG: usize = 64;
/// If no query comes from an address that we have not sent to for this long, others cannot reach
/// us, and our queries say so (BEP 43): then other nodes do not keep us in their tables.
pub const DHT_UNREACHED: Duration = Duration::from_secs(30 * 60);
/// A router may let in what comes from an address that we have sent to within this time: RFC 4787
/// asks for two minutes at least, and recommends five.
pub const DHT_OPENED: Duration = Duration::from_secs(5 * 60);
/// Addresses that we have sent to, remembered since a query from another one proves that others can
/// reach us.
pub const DHT_WRITTEN_TO: usize = 512;

// DHT: what others ask of us

/// The secret that tokens are made of changes this often (BEP 5); those of the one before count.
pub const DHT_TOKENS: Duration = Duration::from_secs(5 * 60);
/// A stored peer is forgotten after this long: clients announce every 15 to 27 minutes.
pub const DHT_PEER_KEPT: Duration = Duration::from_secs(30 * 60);
/// Peers stored of one info hash: several times as many as fit into an answer.
pub const DHT_PEERS_EACH: usize = 500;
/// Of these, peers of one host (/64 of IPv6): several clients behind one router, but no list that
/// drives out all others.
pub const DHT_PEERS_OF_HOST: usize = 8;
/// Info hashes stored: a node is near to a few hundred of the public DHT's.
pub const DHT_HASHES: usize = 2_000;
/// Peers stored in all: one MiB with 36 bytes each.
pub const DHT_PEERS: usize = 30_000;
/// Peers in an answer, of those stored: some 400 bytes.
pub const DHT_VALUES: usize = 50;
/// Peers, info hashes and nodes of the second family in an answer to an address that has not proved
/// that it receives what it asks for: the answer is at most four times as long as a query, so that
/// forged queries cannot flood a victim through us.
pub const DHT_UNPROVED: usize = 8;
/// Info hashes in an answer to `sample_infohashes` (BEP 51).
pub const DHT_SAMPLES: usize = 20;
/// How often they may be asked for (BEP 51): six hours, as libtorrent says.
pub const DHT_SAMPLE_INTERVAL: Duration = Duration::from_secs(6 * 3600);
/// Answers to one address a second: a client with many torrents asks a node a few times a minute.
pub const DHT_ANSWERS_EACH: u16 = 10;
/// Addresses that are told apart for that; those beyond share.
pub const DHT_ANSWERED: usize = 1_024;
/// Answers a second in all: what a well-known node of the public DHT is asked.
pub const DHT_ANSWERS: u16 = 250;

// DHT: our own address

/// Nodes in different networks that must see us at an address before our id follows it (BEP 42).
pub const DHT_VOTES: usize = 3;
/// Votes that count, the latest of each network.
pub const DHT_VOTES_KEPT: usize = 16;
/// An id is kept for this long before other votes change it: our neighbours know us by it.
pub const DHT_ID_KEPT: Duration = Duration::from_secs(10 * 60);
/// Reports that wait to be taken; later ones are dropped.
pub const DHT_REPORTS: usize = 1_000;
