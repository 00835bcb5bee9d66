//! What requests change, and settings.

use super::*;

#[test]
fn actions_become_commands() {
    for (method, params, commands) in [
        ("torrent_start", r#"{"ids":[2]}"#, vec![Command::Resume(12)]),
        (
            "torrent_stop",
            "{}",
            vec![Command::Pause(11), Command::Pause(12)],
        ),
        ("torrent_stop", r#"{"ids":7}"#, vec![]),
        (
            "torrent_remove",
            r#"{"ids":1}"#,
            vec![Command::Remove {
                torrent: 11,
                data: false,
            }],
        ),
        (
            "torrent_remove",
            r#"{"ids":1,"delete_local_data":true}"#,
            vec![Command::Remove {
                torrent: 11,
                data: true,
            }],
        ),
    ] {
        let mut run = Run::new();
        run.result(method, params);
        assert_eq!(run.commands, commands, "{method} {params}");
    }
    let mut run = Run::new();
    let text = r#"{"method":"torrent-remove","arguments":{"ids":[2],"delete-local-data":true}}"#;
    run.answer(text);
    assert_eq!(
        run.commands,
        [Command::Remove {
            torrent: 12,
            data: true
        }]
    );
    assert!(run.answer(text).contains("success"));
    let line = |number| format!("{number}, n: it is being stopped");
    run.refused = vec![line(2)];
    assert_eq!(
        run.answer(text),
        r#"{"arguments":{},"result":"2, n: it is being stopped"}"#
    );
    run.refused = (2..5).map(line).collect();
    assert_eq!(
        run.answer(text),
        r#"{"arguments":{},"result":"2, n: it is being stopped (and 2 more)"}"#
    );
}

#[test]
fn limits_are_numbers_that_count_or_do_not() {
    let limit = |torrent, down, up| Command::Limit {
        torrent,
        limits: Change { down, up },
    };
    for (method, params, commands) in [
        // The view has 524,288 bytes a second in, and no limit out.
        (
            "session_set",
            r#"{"speed_limit_down":100}"#,
            vec![limit(None, Some(Some(100_000)), None)],
        ),
        (
            "session_set",
            r#"{"speed_limit_down":0.5}"#,
            vec![limit(None, Some(Some(500)), None)],
        ),
        (
            "session_set",
            r#"{"speed_limit_down_enabled":false}"#,
            vec![limit(None, Some(None), None)],
        ),
        (
            "session_set",
            r#"{"speed_limit_down_enabled":true}"#,
            vec![],
        ),
        ("session_set", r#"{"speed_limit_up":100}"#, vec![]),
        (
            "session_set",
            r#"{"speed_limit_up":5,"speed_limit_up_enabled":true}"#,
            vec![limit(None, None, Some(Some(5_000)))],
        ),
        (
            "session_set",
            r#"{"speed_limit_up_enabled":true}"#,
            vec![limit(None, None, Some(Some(100_000)))],
        ),
        // The wrong type, and names of the old form in the new one.
        (
            "session_set",
            r#"{"speed_limit_down":"1","speed-limit-down":1,"x":-1}"#,
            vec![],
        ),
        ("session_set", r#"{"speed_limit_down":-1}"#, vec![]),
        (
            "torrent_set",
            r#"{"ids":2,"download_limit":7,"download_limited":true,"upload_limited":false}"#,
            vec![limit(Some(12), Some(Some(7_000)), Some(None))],
        ),
        ("torrent_set", r#"{"ids":2}"#, vec![]),
    ] {
        let mut run = Run::new();
        run.result(method, params);
        assert_eq!(run.commands, commands, "{method} {params}");
    }
    // A number that does not count yet is remembered.
    let mut run = Run::new();
    run.result("session_set", r#"{"speed_limit_up":42}"#);
    run.result("session_set", r#"{"speed_limit_up_enabled":true}"#);
    assert_eq!(run.commands, [limit(None, None, Some(Some(42_000)))]);
}

#[test]
fn settings_are_all_or_those_asked_for() {
    let mut run = Run::new();
    assert_eq!(
        run.result(
            "session_get",
            r#"{"fields":["speed_limit_down","speed_limit_down_enabled","speed_limit_up","speed_limit_up_enabled","speed_limit_down_bytes","speed_limit_up_bytes"]}"#,
        )
            .to_string(),
        r#"{"speed_limit_down":524,"speed_limit_down_enabled":true,"speed_limit_up":100,"speed_limit_up_enabled":false,"speed_limit_down_bytes":524288,"speed_limit_up_bytes":null}"#
    );
    let all = run.result("session_get", "{}");
    assert_eq!(run.result("session_get", r#"{"fields":["no_such"]}"#), all);
    assert_eq!(all.get("rpc_version"), Some(&Json::Whole(19)));
    assert_eq!(all.get("rpc_version_semver"), Some(&"6.0.1".into()));
    assert_eq!(all.get("download_dir"), Some(&"d".into()));
    let old = read(run.answer(r#"{"method":"session-get"}"#).as_bytes()).unwrap();
    let old = old.get("arguments").unwrap();
    assert_eq!(old.members().unwrap().len(), all.members().unwrap().len());
    assert_eq!(old.get("rpc-version"), Some(&Json::Whole(19)));
    assert_eq!(
        old.get("units").unwrap().get("speed-bytes"),
        Some(&Json::Whole(1000))
    );
}

#[test]
fn a_torrent_is_added_by_name_or_bytes() {
    let mut run = Run::new();
    let arguments = r#"{"metainfo":"Zm9vYmFy","paused":true,"download-dir":"e"}"#;
    assert_eq!(
        run.answer(&format!(
            r#"{{"method":"torrent-add","arguments":{arguments}}}"#
        )),
        format!(
            r#"{{"arguments":{{"torrent-added":{{"hashString":"{HASH}","id":3,"name":"new"}}}},"result":"success"}}"#
        ),
    );
    let result = run.result("torrent_add", r#"{"filename":"a.torrent"}"#);
    assert_eq!(
        result.to_string(),
        format!(r#"{{"torrent_added":{{"hash_string":"{HASH}","id":3,"name":"new"}}}}"#)
    );
    let adds = [
        Add {
            source: Source::Metainfo(b"foobar".to_vec()),
            paused: true,
            download_dir: Some(String::from("e")),
        },
        Add {
            source: Source::Named(String::from("a.torrent")),
            paused: false,
            download_dir: None,
        },
    ];
    assert_eq!(run.adds, adds);
    run.added = run.added.map(|added| Added {
        is_duplicate: true,
        merged: Merged::default(),
        ..added
    });
    let result = run.result("torrent_add", r#"{"filename":"a.torrent"}"#);
    assert!(result.get("torrent_duplicate").is_some(), "{result}");
    run.added = Err(Trouble::NoTorrent(String::from("a: why")));
    let add = r#"{"jsonrpc":"2.0","id":1,"method":"torrent_add","params":{"filename":"a"}}"#;
    assert_eq!(
        run.answer(add),
        r#"{"error":{"code":4,"data":{"error_string":"a: why"},"message":"unrecognized info"},"id":1,"jsonrpc":"2.0"}"#
    );
    run.added = Err(Trouble::Failed(String::from("a: full")));
    assert!(run.answer(add).contains(r#""code":5"#));
    let old = r#"{"method":"torrent-add","arguments":{"filename":"a"}}"#;
    assert_eq!(run.answer(old), r#"{"arguments":{},"result":"a: full"}"#);
}

#[test]
fn torrents_that_stand_in_a_row_are_added_together() {
    let mut run = Run::new();
    let request = |id: u32, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    };
    let add = |id| request(id, "torrent_add", r#"{"filename":"a"}"#);
    // One that cannot be begun keeps its place; what is no add sees those before it.
    let requests = [
        add(1),
        request(2, "torrent_add", "{}"),
        add(3),
        request(4, "torrent_stop", "{}"),
        request(5, "torrent_add", r#"{"metainfo":"%"}"#),
        request(6, "session_stats", "{}"),
        add(7),
    ];
    let answer = run.answer(&format!("[{}]", requests.join(",")));
    assert_eq!(run.rows, [2, 1]);
    assert_eq!(run.commands.len(), 2);
    let answers = read(answer.as_bytes()).unwrap();
    let answers = answers.items().unwrap();
    let id = |answer: &Json| answer.get("id").and_then(Json::whole).unwrap();
    assert_eq!(
        answers.iter().map(id).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    let failed = answers
        .iter()
        .filter(|answer| answer.get("error").is_some());
    assert_eq!(failed.map(id).collect::<Vec<_>>(), [2, 5]);
}
