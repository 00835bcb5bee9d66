//! Limits of rates that a user has set while a run lasts, and that outlive it.

use crate::base::Time;
use crate::session::{Change, Command, Session, command, view};
use crate::wire::json::Json;

/// Limits in bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of what comes in.
    pub down: Option<u64>,
    /// Of what goes out.
    pub up: Option<u64>,
}

/// Limits of all torrents together that a user has set, and what the options said at that time:
/// they hold until the options say something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// What the user has set.
    pub limits: Limits,
    /// What the options said.
    pub options: Limits,
}

impl Limits {
    /// Those of all torrents together.
    pub fn of(session: &Session) -> Limits {
        let [down, up] = view::limits(session);
        Limits { down, up }
    }

    /// Those that are named in an object.
    pub fn read(json: &Json) -> Limits {
        let limit = |name: &str| {
            let limit = json.get(name).and_then(Json::whole);
            limit.and_then(|limit| u64::try_from(limit).ok())
        };
        Limits {
            down: limit("down"),
            up: limit("up"),
        }
    }

    /// The members of an object by which they are named.
    pub fn members(self) -> impl Iterator<Item = (&'static str, Json)> {
        let limits = [("down", self.down), ("up", self.up)].into_iter();
        limits.filter_map(|(name, limit)| Some((name, Json::count(limit?))))
    }
}

impl Chosen {
    /// The members of an object by which they are kept.
    pub fn members(self) -> [(&'static str, Json); 2] {
        let object = |limits: Limits| Json::object(limits.members());
        [
            ("limits", object(self.limits)),
            ("options", object(self.options)),
        ]
    }

    /// Those that are kept in an object.
    pub fn read(line: &Json) -> Option<Chosen> {
        Some(Chosen {
            limits: Limits::read(line.get("limits")?),
            options: Limits::read(line.get("options")?),
        })
    }

    /// Limits all torrents together as the user has chosen, where the options say what they said
    /// then.
    pub fn apply(self, options: Limits, session: &mut Session, now: Time) {
        let holds = |chosen, before, option| (option == before).then_some(chosen);
        let (torrent, limits) = (
            None,
            Change {
                down: holds(self.limits.down, self.options.down, options.down),
                up: holds(self.limits.up, self.options.up, options.up),
            },
        );
        // Limits of all torrents together are never refused.
        let _ = command::perform(session, Command::Limit { torrent, limits }, now);
    }
}
