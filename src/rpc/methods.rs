//! The methods.

use super::action::{Action, Add, Added, Source};
use super::chosen::{Chosen, chosen};
use super::names::Names;
use super::process;
use super::rates::{Remembered, SESSION, TORRENT};
use super::recent::Recent;
use super::request::Request;
use super::torrent::{Subject, is_field};
use super::trouble::Trouble;
use super::world::World;
use crate::base::{SortedMap, SortedSet, TorrentKey};
use crate::session::{Change, Command, TorrentView};
use crate::wire::base64;
use crate::wire::json::Json;

/// What is remembered from one request to another.
#[derive(Debug, Default)]
pub struct Memory {
    remembered: Remembered,
    recent: Recent,
}

impl Memory {
    /// What a request comes to.
    pub fn act(&mut self, request: &Request, world: World<'_>) -> Result<Action, Trouble> {
        let names = request.names;
        match request.method.as_str() {
            "session_get" => {
                let (about, view) = (world.about, world.view);
                let settings = process::settings(request, about, view, &self.remembered);
                Ok(Action::Answer(settings))
            }
            "session_set" => {
                let rates = &world.view.rates;
                let limits = self.remembered.change(None, rates, SESSION, request);
                Ok(Action::Command(limit(None, limits)))
            }
            "session_stats" => Ok(Action::Answer(process::counts(names, world.view))),
            "torrent_get" => self.torrents(request, world).map(Action::Answer),
            "torrent_set" => Ok(Action::Command(self.limit_torrents(request, world))),
            "torrent_add" => add(request).map(Action::Add),
            "torrent_start" => Ok(self.each(request, world, Command::Resume)),
            "torrent_stop" => Ok(self.each(request, world, Command::Pause)),
            "torrent_remove" => {
                let data = request.param("delete_local_data").and_then(Json::truth);
                let data = data.unwrap_or(false);
                Ok(self.each(request, world, |torrent| Command::Remove { torrent, data }))
            }
            _ => Err(Trouble::NoMethod),
        }
    }

    fn chosen<'a>(&mut self, request: &Request, world: World<'a>) -> Vec<&'a TorrentView> {
        match chosen(request, world.view) {
            Chosen::Some(torrents) => torrents,
            Chosen::RecentlyActive => self.recent.look(world.view, world.now),
        }
    }

    fn each(
        &mut self,
        request: &Request,
        world: World<'_>,
        command: impl Fn(TorrentKey) -> Command,
    ) -> Action {
        let chosen = self.chosen(request, world).into_iter();
        Action::Command(chosen.map(|torrent| command(torrent.key)).collect())
    }

    fn limit_torrents(&mut self, request: &Request, world: World<'_>) -> Vec<Command> {
        self.remembered.forget(world.view);
        let chosen = self.chosen(request, world).into_iter();
        let commands = chosen.flat_map(|torrent| {
            let (number, rates) = (Some(torrent.number), &torrent.rates);
            let limits = self.remembered.change(number, rates, TORRENT, request);
            limit(Some(torrent.key), limits)
        });
        commands.collect()
    }

    /// `torrent_get`, in both formats.
    fn torrents(&mut self, request: &Request, world: World<'_>) -> Result<Json, Trouble> {
        let names = request.names;
        let fields = request
            .param("fields")
            .and_then(Json::items)
            .unwrap_or_default();
        let fields = fields.iter().filter_map(Json::text);
        let mut taken = SortedSet::new();
        let fields = fields.map(|name| names.read(name));
        let fields: Vec<String> = fields.filter(|name| taken.insert(name.clone())).collect();
        if fields.is_empty() {
            return Err(Trouble::Params("no fields specified"));
        }
        let is_recent = matches!(chosen(request, world.view), Chosen::RecentlyActive);
        let torrents = self.chosen(request, world);
        let places = world.view.torrents.iter().enumerate();
        let places = places
            .map(|(place, torrent)| (torrent.number, place))
            .collect();
        let rows = Rows {
            world,
            remembered: &self.remembered,
            names,
            places,
        };
        let is_table = request.param("format").and_then(Json::text) == Some("table");
        let rows = if is_table {
            rows.table(&torrents, &fields)
        } else {
            rows.objects(&torrents, &fields)
        };
        let removed = is_recent.then(|| {
            let removed = self.recent.removed().map(Json::count);
            ("removed", Json::List(removed.collect()))
        });
        let members = removed.into_iter().chain([("torrents", rows)]);
        Ok(Json::object(members))
    }
}

/// What the rows of an answer have in common.
struct Rows<'a> {
    world: World<'a>,
    remembered: &'a Remembered,
    names: Names,
    /// Places of torrents among all, by their numbers.
    places: SortedMap<u32, usize>,
}

impl Rows<'_> {
    fn subject<'a>(&'a self, torrent: &'a TorrentView) -> Subject<'a> {
        Subject {
            torrent,
            place: self
                .places
                .get(&torrent.number)
                .copied()
                .unwrap_or_default(),
            remembered: self.remembered,
            world: self.world,
            names: self.names,
        }
    }

    /// An object for each torrent.
    fn objects(&self, torrents: &[&TorrentView], fields: &[String]) -> Json {
        let object = |torrent: &&TorrentView| {
            let subject = self.subject(torrent);
            let mut members: Vec<(String, Json)> = Vec::new();
            for name in fields {
                let value = subject.field(name);
                members.extend(value.map(|value| (self.names.joined(name), value)));
            }
            Json::Object(members)
        };
        Json::List(torrents.iter().map(object).collect())
    }

    /// A row of names, then one of values for each torrent.
    fn table(&self, torrents: &[&TorrentView], fields: &[String]) -> Json {
        let known: Vec<&String> = fields.iter().filter(|name| is_field(name)).collect();
        let head = known.iter().map(|name| self.names.joined(name).into());
        let row = |torrent: &&TorrentView| {
            let subject = self.subject(torrent);
            let values = known.iter().filter_map(|name| subject.field(name));
            Json::List(values.collect())
        };
        let rows = torrents.iter().map(row);
        Json::List(
            [Json::List(head.collect())]
                .into_iter()
                .chain(rows)
                .collect(),
        )
    }
}

/// The command that changes limits, if one changes.
fn limit(torrent: Option<TorrentKey>, limits: Change) -> Vec<Command> {
    if limits == Change::default() {
        Vec::new()
    } else {
        vec![Command::Limit { torrent, limits }]
    }
}

fn add(request: &Request) -> Result<Add, Trouble> {
    let text = |name| {
        request
            .param(name)
            .and_then(Json::text)
            .filter(|text| !text.is_empty())
    };
    let source = match (text("metainfo"), text("filename")) {
        (Some(metainfo), _) => {
            let bytes = base64::decode(metainfo);
            Source::Metainfo(bytes.ok_or(Trouble::Params("metainfo is not base64"))?)
        }
        (None, Some(name)) => Source::Named(name.into()),
        (None, None) => return Err(Trouble::Params("no filename or metainfo specified")),
    };
    Ok(Add {
        source,
        paused: request
            .param("paused")
            .and_then(Json::truth)
            .unwrap_or(false),
        download_dir: text("download_dir").map(String::from),
    })
}

/// The answer to `torrent_add`.
pub fn added(names: Names, added: &Added) -> Json {
    let members = [
        ("hash_string", added.info_hash.to_string().into()),
        ("id", Json::count(added.number)),
        ("name", added.name.as_str().into()),
    ];
    let merged = added.merged.words().map(|words| ("merged", words.into()));
    let members = members.into_iter().chain(merged);
    let torrent = Json::object(members.map(|(name, value)| (names.joined(name), value)));
    let name = if added.is_duplicate {
        "torrent_duplicate"
    } else {
        "torrent_added"
    };
    Json::object([(names.dashed(name), torrent)])
}
