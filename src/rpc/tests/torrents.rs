//! What is shown of torrents.

use super::*;

#[test]
fn torrents_are_shown_with_the_fields_asked_for() {
    let mut run = Run::new();
    run.view.torrents[1] = torrent(2, State::Failed);
    assert_eq!(
        run.answer(
            r#"{"method":"torrent-get","arguments":{"fields":["id","hashString","errorString","leftUntilDone","nonsense","rateDownload","uploadRatio","id"],"ids":[2,1,9]}}"#,
        ),
        r#"{"arguments":{"torrents":[{"id":2,"hashString":"00000000000000000000000000000000000000a2","errorString":"disk: full","leftUntilDone":750,"rateDownload":10,"uploadRatio":0.1},{"id":1,"hashString":"00000000000000000000000000000000000000a1","errorString":"","leftUntilDone":750,"rateDownload":10,"uploadRatio":0.1}]},"result":"success"}"#,
    );
    // The new form knows new names alone; the old form knows both and answers with the old.
    let fields = r#"{"fields":["error_string","hashString","id"],"ids":1}"#;
    assert_eq!(
        run.result("torrent_get", fields).to_string(),
        r#"{"torrents":[{"error_string":"","id":1}]}"#
    );
    assert_eq!(
        run.answer(&format!(
            r#"{{"method":"torrent_get","arguments":{fields}}}"#
        )),
        format!(
            r#"{{"arguments":{{"torrents":[{{"errorString":"","hashString":"{HASH}","id":1}}]}},"result":"success"}}"#
        ),
    );
    let table = r#"{"fields":["id","nonsense","name"],"format":"table"}"#;
    assert_eq!(
        run.result("torrent_get", table).to_string(),
        r#"{"torrents":[["id","name"],[1,"n1"],[2,"n2"]]}"#
    );
}

#[test]
fn ids_are_numbers_hashes_lists_or_absent() {
    let mut run = Run::new();
    let upper = HASH.to_uppercase();
    for (ids, numbers) in [
        ("1", "1"),
        ("[2,1,2]", "2,1"),
        ("[]", ""),
        (&format!("\"{upper}\""), "1"),
        (&format!("[\"{HASH}\",2]"), "1,2"),
        ("null", "1,2"),
        ("-1", ""),
        ("99", ""),
        ("\"none\"", ""),
        ("[1.0,true,{}]", ""),
    ] {
        let params = format!(r#"{{"fields":["id"],"ids":{ids},"format":"table"}}"#);
        let rows = run
            .result("torrent_get", &params)
            .get("torrents")
            .unwrap()
            .clone();
        let rows = rows.items().unwrap()[1..].iter();
        let shown: Vec<String> = rows
            .map(|row| row.items().unwrap()[0].to_string())
            .collect();
        assert_eq!(shown.join(","), numbers, "{ids}");
    }
}

/// The types that clients insist on: an integer is written as one, a part of a whole is not.
#[test]
fn fields_have_the_types_of_the_table() {
    let mut run = Run::new();
    let names: Vec<&str> = [torrent::LISTED.as_slice(), &torrent::DETAILED].concat();
    let all: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let all = all.join(",");
    let result = run.result("torrent_get", &format!(r#"{{"fields":[{all}],"ids":1}}"#));
    let shown = &result.get("torrents").unwrap().items().unwrap()[0];
    assert_eq!(shown.members().unwrap().len(), names.len());
    for (name, value) in [
        ("id", "1"),
        ("status", "4"),
        ("error", "0"),
        ("error_string", "\"\""),
        ("queue_position", "0"),
        ("total_size", "2000"),
        ("size_when_done", "1000"),
        ("left_until_done", "750"),
        ("percent_done", "0.25"),
        ("recheck_progress", "0.0"),
        ("eta", "75"),
        ("rate_upload", "20"),
        ("downloaded_ever", "400"),
        ("uploaded_ever", "100"),
        ("upload_ratio", "0.1"),
        ("download_limit", "100"),
        ("download_limited", "false"),
        ("upload_limit", "3"),
        ("upload_limited", "true"),
        ("download_limit_bytes", "null"),
        ("upload_limit_bytes", "2500"),
        ("peers_connected", "3"),
        ("peers_sending_to_us", "2"),
        ("peers_getting_from_us", "1"),
        (
            "peers",
            r#"[{"address":"10.0.0.1","client_name":"-AB1000-","is_downloading_from":true,"is_encrypted":true,"is_incoming":true,"is_uploading_to":false,"port":6881,"progress":0.5,"rate_to_client":5,"rate_to_peer":0}]"#,
        ),
        ("webseeds_sending_to_us", "0"),
        ("webseed_states", r#"["http://w/: connected"]"#),
        ("is_stalled", "false"),
        ("peer_search", "\"of 3 trackers\""),
        (
            "tracker_stats",
            r#"[{"announce":"udp://t0","announce_state":1,"has_announced":true,"id":0,"is_backup":false,"last_announce_peer_count":7,"last_announce_result":"Success","last_announce_succeeded":true,"last_announce_time":999999,"leecher_count":-1,"next_announce_time":1000090,"seeder_count":3,"tier":0},{"announce":"udp://t1","announce_state":3,"has_announced":true,"id":1,"is_backup":false,"last_announce_peer_count":0,"last_announce_result":"no answer","last_announce_succeeded":false,"last_announce_time":999999,"leecher_count":-1,"next_announce_time":0,"seeder_count":-1,"tier":1},{"announce":"udp://t2","announce_state":0,"has_announced":false,"id":2,"is_backup":true,"last_announce_peer_count":0,"last_announce_result":"","last_announce_succeeded":false,"last_announce_time":0,"leecher_count":-1,"next_announce_time":0,"seeder_count":-1,"tier":2},{"announce":"udp://t3","announce_state":2,"has_announced":false,"id":3,"is_backup":false,"last_announce_peer_count":0,"last_announce_result":"","last_announce_succeeded":false,"last_announce_time":0,"leecher_count":-1,"next_announce_time":0,"seeder_count":-1,"tier":3}]"#,
        ),
    ] {
        assert_eq!(
            shown.get(name).map(Json::to_string).as_deref(),
            Some(value),
            "{name}"
        );
    }
}

#[test]
fn states_have_numbers() {
    for (state, status, error, eta) in [
        (State::Checking, 2, 0, -1),
        (State::Queued, 3, 0, -1),
        (State::Downloading, 4, 0, 75),
        (State::Seeding, 6, 0, -1),
        (State::Paused, 0, 0, -1),
        (State::Stopping, 0, 0, -1),
        (State::Failed, 0, 3, -1),
    ] {
        let mut run = Run::new();
        run.view.torrents = vec![torrent(1, state)];
        let params = r#"{"fields":["status","error","eta"],"format":"table"}"#;
        let rows = run.result("torrent_get", params);
        assert_eq!(
            rows.to_string(),
            format!(r#"{{"torrents":[["status","error","eta"],[{status},{error},{eta}]]}}"#)
        );
    }
    let mut run = Run::new();
    run.view.torrents[0].rates.down = 0;
    let eta = run.result("torrent_get", r#"{"fields":["eta"],"ids":1}"#);
    assert_eq!(eta.to_string(), r#"{"torrents":[{"eta":-2}]}"#);
}

#[test]
fn what_was_active_lately_and_what_is_gone_is_told() {
    let mut run = Run::new();
    let params = r#"{"fields":["id"],"ids":"recently_active"}"#;
    let told = |run: &mut Run| run.result("torrent_get", params).to_string();
    assert_eq!(
        told(&mut run),
        r#"{"removed":[],"torrents":[{"id":1},{"id":2}]}"#
    );
    run.now = run.now + (limits::RECENTLY_ACTIVE - Duration::from_millis(1));
    run.view.torrents[1].totals.up += 1;
    assert_eq!(
        told(&mut run),
        r#"{"removed":[],"torrents":[{"id":1},{"id":2}]}"#
    );
    run.now = run.now + Duration::from_millis(1);
    assert_eq!(told(&mut run), r#"{"removed":[],"torrents":[{"id":2}]}"#);
    run.view.torrents.remove(0);
    assert_eq!(told(&mut run), r#"{"removed":[1],"torrents":[{"id":2}]}"#);
    run.now = run.now + limits::RECENTLY_ACTIVE;
    assert_eq!(told(&mut run), r#"{"removed":[],"torrents":[]}"#);
}

#[test]
fn a_torrent_says_where_it_lies_and_why_it_is_paused() {
    let fields = r#"{"fields":["id","download_dir","is_finished","pause_reason"]}"#;
    assert_eq!(
        Run::new().result("torrent_get", fields).to_string(),
        r#"{"torrents":[{"id":1,"download_dir":"d","is_finished":false,"pause_reason":null},{"id":2,"download_dir":"/own","is_finished":true,"pause_reason":"ratio"}]}"#
    );
    let mut run = Run::new();
    run.view.torrents[1].pause = Some(Pause::User);
    let old =
        r#"{"method":"torrent-get","arguments":{"ids":2,"fields":["downloadDir","isFinished"]}}"#;
    assert_eq!(
        run.answer(old),
        r#"{"arguments":{"torrents":[{"downloadDir":"/own","isFinished":false}]},"result":"success"}"#
    );
    let fields = r#"{"fields":["download_queue_size","download_queue_enabled"]}"#;
    assert_eq!(
        run.result("session_get", fields).to_string(),
        r#"{"download_queue_enabled":true,"download_queue_size":5}"#
    );
}
