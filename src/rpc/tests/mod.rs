//! Requests and their answers as tables, after what Transmission 4.1.4 was seen to answer.

mod actions;
mod forms;
mod torrents;

use std::net::SocketAddr;

use super::*;
use crate::base::{Duration, InfoHash, Time, Totals, limits};
use crate::session::{Change, Command, Pause, PeerView, Rates, State, TorrentView, View, WaysView};
use crate::torrent::Progress;
use crate::tracker::{Counts, Last, Next, TrackerView};
use crate::wire::json::{Json, read};

const HASH: &str = "00000000000000000000000000000000000000a1";

fn torrent(number: u32, state: State) -> TorrentView {
    TorrentView {
        key: number as usize + 10,
        number,
        info_hash: InfoHash(
            [[0; 19].as_slice(), &[0xa0 + number as u8]]
                .concat()
                .try_into()
                .unwrap(),
        ),
        name: format!("n{number}"),
        state,
        pause: (state == State::Paused).then_some(Pause::Ratio),
        failure: (state == State::Failed).then(|| String::from("disk: full")),
        progress: Progress {
            done: 250,
            size: 1_000,
            down_rate: 10,
            up_rate: 20,
            peers: 3,
            web_seeds: 0,
            checking: None,
        },
        size: 2_000,
        totals: Totals { down: 400, up: 100 },
        rates: Rates {
            down: 10,
            up: 20,
            down_limit: None,
            up_limit: Some(2_500),
        },
        exchanging: (2, 1),
        search: None,
        stalled: false,
    }
}

fn view() -> View {
    View {
        torrents: vec![torrent(1, State::Downloading), torrent(2, State::Paused)],
        rates: Rates {
            down: 7,
            up: 8,
            down_limit: Some(524_288),
            up_limit: None,
        },
        active: 5,
    }
}

/// Trackers that answered and failed at the start of time, and when they are asked next.
fn ways(now: Time) -> WaysView {
    let (at, later) = (Time::default(), now + Duration::from_secs(90));
    let answered = Last::Answered {
        at,
        peers: 7,
        counts: Counts {
            seeders: Some(3),
            ..Counts::default()
        },
    };
    let why = String::from("no answer");
    let tracker = |tier, last, next| TrackerView {
        url: format!("udp://t{tier}"),
        tier,
        last,
        next,
    };
    WaysView {
        trackers: vec![
            tracker(0, Some(answered), Next::At(later)),
            tracker(1, Some(Last::Failed { at, why }), Next::Asking),
            tracker(2, None, Next::Spare),
            tracker(3, None, Next::Queued),
        ],
        web_seeds: vec![String::from("http://w/: connected")],
        alone: Some(String::from("of 3 trackers")),
    }
}

/// What one text comes to: the commands performed, what was to be added, and the answer.
struct Run {
    memory: Memory,
    view: View,
    now: Time,
    commands: Vec<Command>,
    adds: Vec<Add>,
    /// How many of them were added together.
    rows: Vec<usize>,
    refused: Vec<String>,
    added: Result<Added, Trouble>,
}

impl Run {
    fn new() -> Run {
        let added = Added {
            number: 3,
            info_hash: InfoHash::from_hex(HASH).unwrap(),
            name: String::from("new"),
            is_duplicate: false,
            merged: Merged::default(),
        };
        Run {
            memory: Memory::default(),
            view: view(),
            now: Time::from_micros(1_000_000),
            commands: Vec::new(),
            adds: Vec::new(),
            rows: Vec::new(),
            refused: Vec::new(),
            added: Ok(added),
        }
    }

    fn send(&mut self, text: &str) -> Option<String> {
        let about = About {
            config_dir: String::from("c"),
            download_dir: String::from("d"),
            peer_port: 6881,
            peer_limit: 200,
        };
        let peers = |torrent: &TorrentView| {
            let client = format!("-AB{}000-", torrent.number);
            vec![PeerView {
                addr: SocketAddr::from(([10, 0, 0, 1], 6881)),
                client,
                has: 0.5,
                down: 5,
                up: 0,
                incoming: true,
                encrypted: true,
            }]
        };
        let mut exchange = Exchange::new(text.as_bytes());
        let mut parts = String::new();
        loop {
            let world = World {
                about: &about,
                view: &self.view,
                peers: &peers,
                dir: &|torrent| (torrent.number == 2).then(|| String::from("/own")),
                ways: &|_| ways(self.now),
                now: self.now,
                unix: 1_000_000,
            };
            match exchange.next(&mut self.memory, world) {
                Step::Part(part) => parts += &part,
                Step::Answer(answer) => return answer.map(|last| parts + &last),
                Step::Command(commands) => {
                    exchange.performed(&self.refused);
                    self.commands.extend(commands);
                }
                Step::Add(adds) => {
                    self.rows.push(adds.len());
                    for (place, add) in adds {
                        self.adds.push(add);
                        assert!(exchange.is_adding());
                        exchange.added(place, self.added.clone());
                    }
                    assert!(!exchange.is_adding());
                }
            }
        }
    }

    /// The answer, which there must be.
    fn answer(&mut self, text: &str) -> String {
        self.send(text)
            .unwrap_or_else(|| panic!("no answer: {text}"))
    }

    /// What a method of the new form gives.
    fn result(&mut self, method: &str, params: &str) -> Json {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let answer = read(self.answer(&text).as_bytes()).unwrap();
        answer
            .get("result")
            .unwrap_or_else(|| panic!("{answer}"))
            .clone()
    }
}

fn check(rows: &[(&str, &str)]) {
    for (request, answer) in rows {
        let got = Run::new().send(request).unwrap_or_default();
        assert_eq!(got, *answer, "{request}");
    }
}
