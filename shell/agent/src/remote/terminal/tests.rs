use std::sync::Arc;

use proptest::prelude::*;
use sallyport_grant::body::{RemoteKind, RunAs};
use sallyport_model::{RemoteSessionId, limits};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::disk::{Disk, MemoryDisk};
use crate::remote::kind::rig::{self, Client, Got, Rig};
use crate::remote::recording::{Recorder, Recordings};

const PATIENCE: Duration = Duration::from_secs(10);

fn terminal() -> OpenRemoteSession {
    rig::session(RemoteKind::Terminal)
}

fn mark(name: &str) -> String {
    format!("terminal-test-{name}-{}", std::process::id())
}

/// A shell of this account, with a prompt and an echo that tests can read.
async fn start(name: &str) -> (Rig, Client) {
    let (rig, mut ada) = start_recorded(name, None).await;
    quiet(&mut ada).await;
    (rig, ada)
}

async fn start_recorded(name: &str, recorder: Option<Recorder>) -> (Rig, Client) {
    let session = terminal();
    let kind = open(&session, &mark(name)).expect("a shell");
    let mut rig = Rig::recorded(kind, session, recorder);
    let ada = rig.attach("ada@example.test", Access::Control);
    (rig, ada)
}

/// The same shell on every machine: bash without anybody's start-up files, and no echo of what is typed.
async fn quiet(client: &mut Client) {
    client.data(0, b"exec env -i SALLYPORT_RUN=$SALLYPORT_RUN PATH=$PATH TERM=$TERM LANG=C.UTF-8 bash --norc --noprofile --noediting\n");
    client.data(0, b"PS1=; PS2=; stty -echo; echo quiet$((40+2))\n");
    until(client, "quiet42\r\n").await;
}

/// Reads output until the text comes; what came before it is given back.
async fn until(client: &mut Client, wanted: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        loop {
            if let Got::Data { bytes, channel: 0 } = client.next().await {
                seen.extend(bytes);
                let text = String::from_utf8_lossy(&seen);
                if text.contains(wanted) {
                    return text.into_owned();
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("{wanted:?} does not come"))
}

/// The next control message of this name.
async fn told(client: &mut Client, name: &str) -> Value {
    loop {
        let message = client.next_control().await;
        if message["t"] == name {
            return message;
        }
    }
}

async fn sent_away(client: &mut Client) -> String {
    let mut code = String::new();
    loop {
        match client.next().await {
            Got::Control(message) if message["t"] == "error" => code = message["code"].as_str().expect("a code").to_owned(),
            Got::Bye(_) => return code,
            Got::Control(_) | Got::Data { .. } => {}
        }
    }
}

#[tokio::test]
async fn what_is_typed_is_run_and_the_exit_code_told() {
    let (rig, mut ada) = start("run").await;
    ada.data(0, b"echo $((6*7)) $TERM; exit 3\n");
    until(&mut ada, "42 xterm-256color\r\n").await;
    assert_eq!(told(&mut ada, "exit").await, json!({"t": "exit", "code": 3, "signal": null}));
    assert_eq!(rig.ended().await, Ended::Finished { exit_code: Some(3), signal: None });
}

#[tokio::test]
async fn a_shell_that_is_killed_says_by_which_signal() {
    let (rig, mut ada) = start("signal").await;
    ada.data(0, b"kill -9 $$\n");
    assert_eq!(told(&mut ada, "exit").await, json!({"t": "exit", "code": null, "signal": 9}));
    assert_eq!(rig.ended().await, Ended::Finished { exit_code: None, signal: Some(9) });
}

#[tokio::test]
async fn the_size_is_seen_by_programs_and_told_to_everybody() {
    let (mut rig, mut ada) = start("size").await;
    let mut bob = rig.attach("bob@example.test", Access::View);
    assert_eq!(told(&mut bob, "size").await, json!({"t": "size", "columns": 80, "rows": 24}));
    ada.control(&json!({"t": "resize", "columns": 132, "rows": 50}));
    assert_eq!(told(&mut bob, "size").await, json!({"t": "size", "columns": 132, "rows": 50}));
    ada.data(0, b"stty size\n");
    until(&mut ada, "50 132\r\n").await;
}

#[tokio::test]
async fn impossible_sizes_and_unknown_messages_end_the_attachment_and_not_the_shell() {
    let (mut rig, mut ada) = start("hostile").await;
    let hostile = [
        r#"{"t":"resize","columns":0,"rows":24}"#,
        r#"{"t":"resize","columns":80,"rows":1001}"#,
        r#"{"t":"resize","columns":80,"rows":24,"x":1}"#,
        r#"{"t":"resize","t":"resize","columns":80,"rows":24}"#,
        r#"{"t":"exit","code":0,"signal":null}"#,
        "resize",
        "",
    ];
    for text in hostile {
        let mut eve = rig.attach("eve@example.test", Access::Control);
        eve.text(text);
        assert_eq!(sent_away(&mut eve).await, "bad_message", "{text}");
        eve.leave();
    }
    let mut eve = rig.attach("eve@example.test", Access::Control);
    eve.data(1, b"exit\n");
    assert_eq!(sent_away(&mut eve).await, "bad_message");
    ada.data(0, b"stty size\n");
    until(&mut ada, "24 80\r\n").await;
}

#[tokio::test]
async fn one_who_may_only_watch_can_neither_type_nor_resize() {
    let (mut rig, mut ada) = start("view").await;
    for number in 0..2 {
        let mut eve = rig.attach("eve@example.test", Access::View);
        match number {
            0 => eve.data(0, b"touch /tmp/eve-was-here; exit\n"),
            _ => eve.control(&json!({"t": "resize", "columns": 10, "rows": 10})),
        }
        assert_eq!(sent_away(&mut eve).await, "view_only");
    }
    ada.data(0, b"stty size; ls /tmp/eve-was-here\n");
    let seen = until(&mut ada, "No such file").await;
    assert!(seen.contains("24 80"), "{seen}");
}

#[tokio::test]
async fn several_people_see_the_same_and_who_is_there() {
    let (mut rig, mut ada) = start("several").await;
    ada.data(0, b"echo before\n");
    until(&mut ada, "before\r\n").await;
    let mut bob = rig.attach("bob@example.test", Access::View);
    assert_eq!(told(&mut ada, "viewers").await["names"], json!(["ada@example.test", "bob@example.test"]));
    assert_eq!(told(&mut bob, "viewers").await["names"], json!(["ada@example.test", "bob@example.test"]));
    until(&mut bob, "before\r\n").await;
    ada.data(0, b"echo after\n");
    until(&mut bob, "after\r\n").await;
    bob.leave();
    assert_eq!(told(&mut ada, "viewers").await["names"], json!(["ada@example.test"]));
}

#[tokio::test]
async fn wide_characters_and_cut_ones_pass_unchanged() {
    let (_rig, mut ada) = start("wide").await;
    ada.data(0, "printf '日本語 🦀 e\\u0301\\n'; printf '\\xe6\\x97'; sleep 0.2; printf '\\xa5|\\xff|\\n'\n".as_bytes());
    let mut seen = Vec::new();
    while !seen.ends_with(b"|\r\n") {
        if let Got::Data { bytes, .. } = ada.next().await {
            seen.extend(bytes);
        }
    }
    assert_eq!(seen, ["日本語 🦀 e\u{301}\r\n日".as_bytes(), b"|\xff|\r\n"].concat());
}

#[tokio::test]
async fn an_interrupt_is_not_behind_a_flood() {
    let (_rig, mut ada) = start("flood").await;
    ada.data(0, b"yes\n");
    until(&mut ada, "y\r\ny\r\n").await;
    // The client takes nothing for a while, and the program must stand still.
    tokio::time::sleep(Duration::from_millis(300)).await;
    ada.data(0, b"\x03");
    ada.data(0, b"echo over$((40+2))\n");
    let begun = Instant::now();
    let seen = until(&mut ada, "over42").await;
    assert!(begun.elapsed() < Duration::from_secs(1) && seen.len() < 512 * 1024, "{:?}, {} bytes", begun.elapsed(), seen.len());
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("statm");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
}

#[tokio::test]
async fn a_gigabyte_passes_in_bounded_memory_whole_and_in_order() {
    let (_rig, mut ada) = start("gigabyte").await;
    const BYTES: usize = 1024 * 1024 * 1024;
    ada.data(0, b"stty raw; head -c 1073741824 /dev/zero\n");
    let zeroes = vec![0; limits::STREAM_PAYLOAD_BYTES];
    let (mut seen, mut most) = (0, 0);
    let before = resident_bytes();
    while seen < BYTES {
        if let Got::Data { bytes, .. } = ada.next().await {
            assert!(bytes == zeroes[..bytes.len()]);
            seen += bytes.len();
            most = most.max(resident_bytes().saturating_sub(before));
        }
    }
    assert_eq!(seen, BYTES);
    assert!(most < 16 * 1024 * 1024, "{most} bytes more");
}

#[tokio::test]
async fn one_who_lags_skips_ahead_and_slows_nobody() {
    let (mut rig, mut ada) = start("lag").await;
    let mut slow = rig.attach("slow@example.test", Access::View);
    until(&mut slow, "quiet42").await;
    ada.data(0, b"stty raw; head -c 20000000 /dev/zero | tr '\\0' x; printf '\\nend%d\\n' 42\n");
    let begun = Instant::now();
    until_small(&mut ada, b"end42").await;
    assert!(begun.elapsed() < PATIENCE);
    let (mut seen, mut skipped) = (0, 0);
    let mut tail = Vec::new();
    while !tail.ends_with(b"end42\n") {
        match slow.next().await {
            Got::Data { bytes, .. } => {
                seen += bytes.len() as u64;
                tail.extend(bytes);
                tail.drain(..tail.len().saturating_sub(100));
            }
            Got::Control(message) if message["t"] == "skipped" => skipped += message["bytes"].as_u64().expect("bytes"),
            Got::Control(_) => {}
            Got::Bye(reason) => panic!("{reason}"),
        }
    }
    assert!(skipped > 15_000_000 && seen + skipped >= 20_000_000, "{seen} seen, {skipped} skipped");
}

/// As [`until`], for floods.
async fn until_small(client: &mut Client, wanted: &[u8]) {
    let mut tail = Vec::new();
    while !tail.windows(wanted.len()).any(|window| window == wanted) {
        if let Got::Data { bytes, .. } = client.next().await {
            tail.drain(..tail.len().saturating_sub(wanted.len()));
            tail.extend(bytes);
        }
    }
}

#[tokio::test]
async fn a_shell_goes_on_while_nobody_is_connected_and_its_output_is_there_afterwards() {
    let (rig, mut ada) = start("away").await;
    rig.away(&ada);
    ada.data(0, b"for i in $(seq 1 2000); do echo line $i of the output that nobody sees now; done; echo done$((40+2))\n");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(ada.next_data_within(Duration::from_millis(100)).await.is_none());
    rig.back(&ada);
    let seen = until(&mut ada, "done42").await;
    assert!((1..=2000).all(|i| seen.contains(&format!("line {i} of the output"))));
}

#[tokio::test]
async fn being_told_to_end_kills_what_was_begun() {
    let (rig, mut ada) = start("end").await;
    ada.data(0, b"trap '' HUP; setsid sleep 3001 & sleep 0.2; echo pid=$(pgrep -n -f 'sleep 300[1]').\n");
    let seen = until(&mut ada, ".\r\n").await;
    let pid: u32 = seen.split("pid=").nth(1).and_then(|rest| rest.split('.').next()).and_then(|pid| pid.parse().ok()).expect("pid");
    rig.end();
    assert_eq!(rig.ended().await, Ended::Told);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[tokio::test]
async fn another_account_is_who_it_says() {
    if !sallyport_os::machine::is_privileged() {
        return;
    }
    let session = OpenRemoteSession { run_as: RunAs::parse("nobody").ok(), ..terminal() };
    let mut rig = Rig::open(open(&session, &mark("nobody")).expect("a shell"), session);
    let mut ada = rig.attach("ada@example.test", Access::Control);
    ada.data(0, b"echo I am $(id -un) $USER.\n");
    until(&mut ada, "I am nobody nobody.").await;
    let missing = OpenRemoteSession { run_as: RunAs::parse("nobody-at-all").ok(), ..terminal() };
    assert_eq!(check(&missing), Err(CannotOpen::AccountUnknown));
}

fn recordings() -> (Arc<Recordings>, Arc<MemoryDisk>) {
    let disk = Arc::new(MemoryDisk::default());
    (Arc::new(Recordings::open(disk.clone(), Arc::new(Notify::new()))), disk)
}

fn recorded(disk: &MemoryDisk) -> Vec<Value> {
    let names = disk.names().expect("names");
    let bytes: Vec<u8> =
        names.iter().filter(|name| name.starts_with("recording-")).flat_map(|name| disk.read(name).expect("read").unwrap()).collect();
    let text = String::from_utf8(bytes).expect("a recording is text");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn a_recording_is_an_asciicast_with_output_sizes_and_people_and_without_keystrokes() {
    let (recordings, disk) = recordings();
    let (mut rig, mut ada) = start_recorded("cast", Some(recordings.begin(RemoteSessionId::from_bytes([1; 16])))).await;
    quiet(&mut ada).await;
    ada.data(0, b"read -s secret\nhunter2-is-typed\n");
    ada.control(&json!({"t": "resize", "columns": 100, "rows": 30}));
    let bob = rig.attach("bob@example.test", Access::View);
    ada.data(0, b"printf '\\033[31mred\\033[0m \\xff \\\"quoted\\\"\\n'; echo $((6*7)); exit 5\n");
    until(&mut ada, "42\r\n").await;
    bob.leave();
    rig.ended().await;
    let lines = recorded(&disk);
    assert_eq!((&lines[0]["version"], &lines[0]["width"], &lines[0]["height"]), (&json!(2), &json!(80), &json!(24)));
    assert_eq!(lines[0]["timestamp"], 1_790_000_000);
    let of = |kind: &str| lines[1..].iter().filter(|line| line[1] == kind).map(|line| line[2].as_str().expect("text")).collect::<Vec<_>>();
    let output = of("o").concat();
    assert!(output.contains("\u{1b}[31mred\u{1b}[0m \u{fffd} \"quoted\"\r\n42\r\n"), "{output:?}");
    assert!(!serde_json::to_string(&lines).expect("text").contains("hunter2"));
    assert_eq!(of("r"), ["100x30"]);
    let marks = of("m");
    assert!(marks.contains(&"ada@example.test is here") && marks.contains(&"bob@example.test is here"), "{marks:?}");
    assert_eq!(marks.last(), Some(&"exit 5"));
    let times: Vec<f64> = lines[1..].iter().map(|line| line[0].as_f64().expect("time")).collect();
    assert!(times.is_sorted() && times[0] >= 0.0);
}

#[tokio::test]
async fn a_flood_is_marked_in_the_recording_and_does_not_end_the_session() {
    let (recordings, disk) = recordings();
    let (_rig, mut ada) = start_recorded("cast-flood", Some(recordings.begin(RemoteSessionId::from_bytes([1; 16])))).await;
    quiet(&mut ada).await;
    ada.data(0, b"stty raw; head -c 30000000 /dev/zero | tr '\\0' x; stty -raw; sleep 1; printf '\\nend%d\\n' 42\n");
    until_small(&mut ada, b"end42").await;
    let lines = recorded(&disk);
    let text = |line: &Value| line[2].as_str().unwrap_or_default().to_owned();
    assert!(lines.iter().any(|line| line[1] == "m" && text(line).contains("bytes of output are left out")));
    assert!(lines.iter().any(|line| line[1] == "o" && text(line).contains("end42")));
    assert!(recordings.output(RemoteSessionId::from_bytes([1; 16])).expect("recorded").bytes < 8 * 1024 * 1024);
}

#[tokio::test]
async fn a_session_that_cannot_be_recorded_ends_before_more_is_shown() {
    let (recordings, disk) = recordings();
    let (rig, mut ada) = start_recorded("cast-full", Some(recordings.begin(RemoteSessionId::from_bytes([1; 16])))).await;
    quiet(&mut ada).await;
    disk.limit(Some(0));
    ada.data(0, b"echo not$((40+2))recorded\n");
    assert_eq!(rig.ended().await, Ended::Failed("recording_failed"));
    while let Some(got) = ada.next_within(Duration::from_millis(50)).await {
        assert!(!matches!(got, Got::Data { bytes, .. } if String::from_utf8_lossy(&bytes).contains("not42recorded")));
    }
}

/// A model of what viewers must have seen, whatever the order of things.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Take(usize, usize),
    Away(usize),
    Back(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..200_000).prop_map(Step::Write),
        4 => (0usize..3, 1usize..12).prop_map(|(viewer, pieces)| Step::Take(viewer, pieces)),
        1 => (0usize..3).prop_map(Step::Away),
        1 => (0usize..3).prop_map(Step::Back),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_viewer_sees_the_output_in_order_with_gaps_that_are_told(steps in steps()) {
        use crate::remote::kind::{Attachment, Teller};
        use sallyport_grant::body::Clipboard;
        let (teller, _events) = Teller::pair();
        let (mut ring, mut viewers) = (Ring::default(), Viewers::default());
        let size = Size { columns: 80, rows: 24 };
        let id = |number: usize| AttachmentId(sallyport_model::GrantId::from_bytes([number as u8; 16]));
        let byte = |place: u64| (place / 7) as u8 | 1;
        let mut ends: Vec<_> = (0..3).map(|number| {
            let (outlet, waiting) = teller.outlet(limits::STREAM_UNACKED_BYTES);
            let (name, clipboard) = (format!("{number}"), Clipboard::Off);
            viewers.joined(Attachment { id: id(number), name, access: Access::View, clipboard, outlet }, size, &ring);
            (waiting, 0u64)
        }).collect();
        let take = |end: &mut (crate::remote::kind::Waiting, u64)| match end.0.take() {
            Some(crate::remote::kind::Outgoing::Data { bytes, .. }) => {
                for seen in bytes {
                    assert_eq!(seen, byte(end.1));
                    end.1 += 1;
                }
                true
            }
            Some(crate::remote::kind::Outgoing::Control(text)) => {
                let message: Value = serde_json::from_slice(&text).expect("json");
                if message["t"] == "skipped" {
                    end.1 += message["bytes"].as_u64().expect("bytes");
                }
                true
            }
            _ => false,
        };
        for step in steps {
            match step {
                Step::Write(length) => {
                    let bytes: Vec<u8> = (0..length as u64).map(|at| byte(ring.end() + at)).collect();
                    ring.push(&bytes);
                }
                Step::Take(viewer, pieces) => (0..pieces).for_each(|_| {
                    take(&mut ends[viewer]);
                }),
                Step::Away(viewer) => viewers.away(id(viewer)),
                Step::Back(viewer) => viewers.back(id(viewer), &ring),
            }
            viewers.show(&ring);
        }
        (0..3).for_each(|viewer| viewers.back(id(viewer), &ring));
        for _ in 0..200 {
            viewers.show(&ring);
            ends.iter_mut().for_each(|end| while take(end) {});
        }
        for (_, place) in &ends {
            prop_assert_eq!(*place, ring.end());
        }
    }
}
