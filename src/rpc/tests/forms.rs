//! Both forms, batches, notifications and errors.

use super::*;

#[test]
fn both_forms_are_answered_in_their_own_way() {
    check(&[
        (
            r#"{"method":"torrent-start"}"#,
            r#"{"arguments":{},"result":"success"}"#,
        ),
        (
            r#"{"method":"torrent_start","arguments":{"ids":[1]},"tag":39}"#,
            r#"{"arguments":{},"result":"success","tag":39}"#,
        ),
        // A tag that is no integer is left out.
        (
            r#"{"method":"torrent-start","tag":"0f8fad5b"}"#,
            r#"{"arguments":{},"result":"success"}"#,
        ),
        (
            r#"{"method":"session-stats","arguments":21,"tag":4}"#,
            r#"{"arguments":{"activeTorrentCount":1,"downloadSpeed":7,"pausedTorrentCount":1,"torrentCount":2,"uploadSpeed":8},"result":"success","tag":4}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"torrent_start"}"#,
            r#"{"id":1,"jsonrpc":"2.0","result":{}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":"webui","method":"torrent_stop","params":{}}"#,
            r#"{"id":"webui","jsonrpc":"2.0","result":{}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":"torrent_stop"}"#,
            r#"{"id":1.5,"jsonrpc":"2.0","result":{}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"torrent_stop"}"#,
            r#"{"id":null,"jsonrpc":"2.0","result":{}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"session_stats"}"#,
            r#"{"id":1,"jsonrpc":"2.0","result":{"active_torrent_count":1,"download_speed":7,"paused_torrent_count":1,"torrent_count":2,"upload_speed":8}}"#,
        ),
        // A number is not "2.0": the old form.
        (
            r#"{"jsonrpc":2.0,"method":"torrent-start","tag":1}"#,
            r#"{"arguments":{},"result":"success","tag":1}"#,
        ),
    ]);
}

#[test]
fn errors_have_the_numbers_and_words_of_their_form() {
    let error = |code: i64, data: &str, message: &str| {
        let data = if data.is_empty() {
            String::new()
        } else {
            format!(r#""data":{{"error_string":"{data}"}},"#)
        };
        format!(
            r#"{{"error":{{"code":{code},{data}"message":"{message}"}},"id":null,"jsonrpc":"2.0"}}"#
        )
    };
    let nothing = error(-32700, "the data ends too soon at byte 0", "Parse error");
    let broken = error(-32700, "no name begins like this at byte 1", "Parse error");
    let version = error(-32600, r#"jsonrpc is not \"2.0\""#, "Invalid Request");
    let plain = error(-32600, "a request is an object", "Invalid Request");
    let empty = error(-32600, "the batch is empty", "Invalid Request");
    let id = error(
        -32600,
        "an id is a number, a text or null",
        "Invalid Request",
    );
    check(&[
        ("", &nothing),
        ("{x", &broken),
        (r#"{"jsonrpc":"1.0","method":"session_get"}"#, &version),
        ("17", &plain),
        ("[]", &empty),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"session_get"}"#, &id),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"session-get"}"#,
            r#"{"error":{"code":-32601,"message":"Method not found"},"id":2,"jsonrpc":"2.0"}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":2}"#,
            r#"{"error":{"code":-32601,"message":"Method not found"},"id":2,"jsonrpc":"2.0"}"#,
        ),
        (
            r#"{"method":"frobnicate","tag":5}"#,
            r#"{"arguments":{},"result":"no method name","tag":5}"#,
        ),
        (r#"{}"#, r#"{"arguments":{},"result":"no method name"}"#),
        (
            r#"{"method":"torrent-get"}"#,
            r#"{"arguments":{},"result":"no fields specified"}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"torrent_get"}"#,
            r#"{"error":{"code":-32602,"data":{"error_string":"no fields specified"},"message":"Invalid params"},"id":2,"jsonrpc":"2.0"}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"torrent_get","params":[1]}"#,
            r#"{"error":{"code":-32602,"data":{"error_string":"params is not an object"},"message":"Invalid params"},"id":2,"jsonrpc":"2.0"}"#,
        ),
        (
            r#"{"method":"torrent-add","arguments":{"paused":true}}"#,
            r#"{"arguments":{},"result":"no filename or metainfo specified"}"#,
        ),
        (
            r#"{"method":"torrent-add","arguments":{"metainfo":"%"}}"#,
            r#"{"arguments":{},"result":"metainfo is not base64"}"#,
        ),
    ]);
}

#[test]
fn a_notification_has_no_answer_and_its_effect() {
    let mut run = Run::new();
    let text = r#"{"jsonrpc":"2.0","method":"torrent_stop","params":{"ids":1}}"#;
    assert_eq!(run.send(text), None);
    assert_eq!(run.commands, [Command::Pause(11)]);
    assert_eq!(run.send(r#"{"jsonrpc":"2.0","method":"no_such"}"#), None);
}

#[test]
fn a_batch_is_answered_as_a_list_of_what_has_an_id() {
    check(&[
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"torrent_start"},{"jsonrpc":"2.0","method":"torrent_stop"},{"method":"session-get","tag":1},{"jsonrpc":"2.0","id":3,"method":"x"}]"#,
            r#"[{"id":1,"jsonrpc":"2.0","result":{}},{"error":{"code":-32600,"data":{"error_string":"jsonrpc is missing, which each request of a batch has"},"message":"Invalid Request"},"id":null,"jsonrpc":"2.0"},{"error":{"code":-32601,"message":"Method not found"},"id":3,"jsonrpc":"2.0"}]"#,
        ),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"torrent_start"}]"#,
            r#"[{"id":1,"jsonrpc":"2.0","result":{}}]"#,
        ),
        (r#"[{"jsonrpc":"2.0","method":"torrent_start"}]"#, ""),
    ]);
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"torrent_start"}"#;
    let batch = |count: usize| format!("[{}]", vec![one; count].join(","));
    let answers = |count| Run::new().answer(&batch(count));
    assert!(answers(limits::CONTROL_BATCH).starts_with(r#"[{"id":1"#));
    let refused = answers(limits::CONTROL_BATCH + 1);
    assert!(
        refused.contains("too many requests in a batch"),
        "{refused}"
    );
}

#[test]
fn a_batch_with_an_endless_answer_is_cut_short() {
    let mut run = Run::new();
    run.view.torrents[0].name = "x".repeat(limits::CONTROL_ANSWER / 2);
    let one = r#"{"jsonrpc":"2.0","id":1,"method":"torrent_get","params":{"fields":["name"]}}"#;
    let answer = run.answer(&format!("[{}]", [one; 4].join(",")));
    assert!(answer.len() < limits::CONTROL_ANSWER * 2);
    assert!(answer.contains("its answer is too long"));
}

#[test]
fn what_is_not_read_is_refused_and_garbage_is_known() {
    assert_eq!(Exchange::new(b"GET / HTTP/1.1\r").heard(), Heard::Garbage);
    assert_eq!(Exchange::new(b"{}").heard(), Heard::Json);
    assert_eq!(Exchange::new(b"7").heard(), Heard::Json);
    assert_eq!(Exchange::refuse("too long").heard(), Heard::Unread);
}
