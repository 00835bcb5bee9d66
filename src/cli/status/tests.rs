use super::torrent::Torrent;
use super::*;

fn torrents() -> Json {
    let text = r#"[
        {"id":1,"name":"a\u001b[2Jb","hash_string":"ff","status":4,"error":0,"error_string":"",
         "size_when_done":1000,"left_until_done":1,"recheck_progress":0.0,"eta":90,
         "rate_download":2048,"rate_upload":0,"downloaded_ever":1,"uploaded_ever":2,
         "upload_ratio":2.0,"peers_connected":12,"peers_sending_to_us":1,
         "peers_getting_from_us":0,"download_limit":2,"download_limited":true,
         "upload_limit":3,"upload_limited":false,"download_limit_bytes":2048,
         "upload_limit_bytes":null,
         "is_stalled":true,"pause_reason":null,"download_dir":"/c\u001b","peer_search":"its tracker failed (b: c\u001b)",
         "tracker_stats":[
            {"announce":"http://a/x","announce_state":1,"is_backup":false,"tier":0,
             "last_announce_peer_count":1,"last_announce_result":"Success",
             "last_announce_succeeded":true,"last_announce_time":1999800,"leecher_count":-1,
             "next_announce_time":2001600,"seeder_count":3},
            {"announce":"http://b\u001b","announce_state":3,"is_backup":false,"tier":1,
             "last_announce_peer_count":0,"last_announce_result":"no\u001b answer",
             "last_announce_succeeded":false,"last_announce_time":1999990,"leecher_count":-1,
             "next_announce_time":0,"seeder_count":-1},
            {"announce":"http://c","announce_state":0,"is_backup":true,"tier":1,
             "last_announce_time":0},
            {"announce":"http://d","announce_state":0,"is_backup":false,"tier":2,
             "last_announce_time":0},
            {"announce":"http://e","announce_state":2,"is_backup":false,"tier":3,
             "last_announce_time":0,"next_announce_time":0}],
         "peers":[{"address":"::1","port":7,"client_name":"-AB1000-","progress":0.999,
                   "rate_to_client":5,"rate_to_peer":6,"is_encrypted":true}]},
        {"id":10,"name":"c","status":0,"error":3,"error_string":"c: torn",
         "size_when_done":1000,"left_until_done":1000,"eta":-1},
        {"id":11,"name":"d","status":2,"error":0,"recheck_progress":0.4567}]"#;
    json::read(text.as_bytes()).unwrap()
}

#[test]
fn a_line_for_each_torrent_that_fits() {
    let torrents = torrents();
    let torrents = torrents.items().unwrap().iter();
    let torrents: Vec<Torrent<'_>> = torrents.map(|it| Torrent(it, 0)).collect();
    let whole = [
        " #   done        down     up  peers  ratio  state        name",
        " 1  99.9%  2.00 KiB/s  0 B/s     12   2.00  downloading  a\\x1b[2Jb",
        "10   0.0%       0 B/s  0 B/s      0   0.00  failed       c",
        "11  45.6%       0 B/s  0 B/s      0   0.00  checking     d",
        "",
    ]
    .join("\n");
    assert_eq!(table(&torrents, None), whole);
    assert_eq!(table(&torrents, Some(200)), whole);
    for columns in 1..70 {
        let fitted = table(&torrents, Some(columns));
        assert!(fitted.lines().all(|line| line.chars().count() <= columns));
    }
    let narrow = table(&torrents, Some(60));
    assert!(narrow.contains("downloading  a\\…\n"), "{narrow}");
}

#[test]
fn one_torrent_in_words_and_as_json() {
    let torrents = torrents();
    let first = Torrent(&torrents.items().unwrap()[0], 2_000_000);
    assert_eq!(
        first.words(),
        "\
number       1
name         a\\x1b[2Jb
info hash    ff
folder       /c\\x1b
state        downloading, stalled
done         99.9%, 999 of 1000 B
time left    1m 30s
down         2.00 KiB/s (at most 2.00 KiB/s)
up           0 B/s
downloaded   1 B
uploaded     2 B
ratio        2.00
peers        1
no peers     its tracker failed (b: c\\x1b)
  [::1]:7                  -AB1000-    99%  down 5 B/s  up 6 B/s  encrypted
trackers     5
  http://a/x  named 1 peer 3m 20s ago, seeders: 3; next visit in 26m 40s
  http://b\\x1b  failed 10s ago: no\\x1b answer; is being asked
  http://c  not asked yet; is asked when others fail
  http://d  not asked yet; no visit is due
  http://e  not asked yet; waits for its turn
"
    );
    assert_eq!(
        first.object().finish(),
        r#"{"number":1,"name":"a\u001b[2Jb","info_hash":"ff","state":"downloading","paused_by":null,"stalled":true,"dir":"/c\u001b","done":999,"size":1000,"down_rate":2048,"up_rate":0,"downloaded":1,"uploaded":2,"ratio":2.000,"peers":12,"error":null,"down_limit":2048,"up_limit":null,"connected":[{"addr":"[::1]:7","client":"-AB1000-","has":0.999,"down_rate":5,"up_rate":6,"encrypted":true}],"trackers":[{"url":"http://a/x","tier":0,"ok":true,"peers":1,"seeders":3,"leechers":null,"error":null,"last":1999800,"next":2001600,"asking":false},{"url":"http://b\u001b","tier":1,"ok":false,"peers":null,"seeders":null,"leechers":null,"error":"no\u001b answer","last":1999990,"next":null,"asking":true},{"url":"http://c","tier":1,"ok":null,"peers":null,"seeders":null,"leechers":null,"error":null,"last":null,"next":null,"asking":false},{"url":"http://d","tier":2,"ok":null,"peers":null,"seeders":null,"leechers":null,"error":null,"last":null,"next":null,"asking":false},{"url":"http://e","tier":3,"ok":null,"peers":null,"seeders":null,"leechers":null,"error":null,"last":null,"next":null,"asking":false}],"web_seeds":[],"no_peers":"its tracker failed (b: c\u001b)"}"#
    );
    let failed = Torrent(&torrents.items().unwrap()[1], 0).words();
    assert!(
        failed.contains("state        failed\nerror        c: torn\n"),
        "{failed}"
    );
}

#[test]
fn it_is_said_why_a_torrent_is_paused_and_what_limits_all() {
    for (reason, words) in [
        ("\"user\"", "paused by its user"),
        ("\"ratio\"", "paused, its ratio is reached"),
        ("\"time\"", "paused, its seed time is over"),
        ("null", "paused"),
    ] {
        let text = format!("{{\"id\":1,\"status\":0,\"pause_reason\":{reason}}}");
        let torrent = json::read(text.as_bytes()).unwrap();
        let torrent = Torrent(&torrent, 0);
        let line = format!("\nstate        {words}\n");
        assert!(torrent.words().contains(&line), "{}", torrent.words());
        let member = format!("\"paused_by\":{reason},");
        assert!(torrent.object().finish().contains(&member));
    }
    let settings = r#"{"speed_limit_down":524,"speed_limit_down_enabled":true,
                       "speed_limit_up":100,"speed_limit_up_enabled":false,
                       "speed_limit_down_bytes":524288,"speed_limit_up_bytes":null,
                       "download_queue_size":5}"#;
    let settings = json::read(settings.as_bytes()).unwrap();
    assert_eq!(
        footer(&settings),
        "\nlimits of all together: down: 512 KiB/s, up: none; downloads at the same time: 5\n"
    );
    assert_eq!(
        in_force(json::Object::new(), &settings).finish(),
        r#"{"down_limit":524288,"up_limit":null,"active":5}"#
    );
}
