use super::*;
use crate::SealedFile;

struct Outcome {
    text: String,
    ending: Ending,
    took: Duration,
}

fn start(script: &str, mark: &str) -> (Running, Stopper, SealedFile) {
    start_as(script, mark, &Account::own().expect("own"))
}

fn start_as(script: &str, mark: &str, account: &Account) -> (Running, Stopper, SealedFile) {
    let file = SealedFile::holding(script.as_bytes()).expect("memory file");
    let launch = Launch {
        program: &find_program("bash").expect("bash"),
        interpreter_arguments: &[],
        script: &file,
        arguments: &["one".to_owned(), "two words".to_owned()],
        environment: &[("PATH".to_owned(), "/usr/bin:/bin".to_owned()), ("GIVEN".to_owned(), "yes".to_owned())],
        account,
        mark,
    };
    let (running, stopper) = Running::launch(&launch).expect("start");
    (running, stopper, file)
}

fn finish(running: &mut Running, mut on_output: impl FnMut(&mut Running, &str)) -> Outcome {
    let began = Instant::now();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        match running.next(&mut buffer, None).expect("next") {
            Activity::Output(_, read) => {
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                on_output(running, &text);
            }
            Activity::StopAsked => running.stop(),
            Activity::Deadline => unreachable!("no deadline was given"),
            Activity::Ended(ending) => return Outcome { text, ending, took: began.elapsed() },
        }
    }
}

fn run(script: &str, mark: &str) -> Outcome {
    let (mut running, _stopper, _file) = start(script, mark);
    finish(&mut running, |_, _| {})
}

fn marked_processes(mark: &str) -> usize {
    let mark = format!("{RUN_VARIABLE}={mark}");
    let entries = std::fs::read_dir("/proc").expect("proc").flatten();
    let environments = entries.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
    environments.filter(|all| all.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())).count()
}

/// A killed process may need a moment to be gone.
fn none_is_left(mark: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(2);
    while marked_processes(mark) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    marked_processes(mark) == 0
}

#[test]
fn a_script_gets_its_arguments_and_a_clean_environment() {
    let outcome = run("echo \"$#:$1:$2:$GIVEN\"; env | cut -d= -f1 | sort | tr '\\n' ' '; exit 7", "clean");
    assert!(outcome.text.starts_with("2:one:two words:yes\n"), "{}", outcome.text);
    for inherited in ["CARGO", "HOME", "USER"] {
        assert!(!outcome.text.contains(inherited), "{}", outcome.text);
    }
    assert_eq!(outcome.ending, Ending::Exited(7));
}

#[test]
fn no_descriptor_of_the_agent_reaches_the_script() {
    let secret = tempfile::tempfile().expect("file");
    rustix::io::fcntl_setfd(&secret, FdFlags::empty()).expect("a library forgot to mark it");
    let outcome = run("for fd in /proc/$$/fd/*; do echo \"${fd##*/}:$(readlink $fd)\"; done", "fds");
    assert!(outcome.text.contains("memfd:sallyport-script"), "{}", outcome.text);
    let foreign: Vec<&str> = outcome.text.lines().filter(|line| line.contains('/') && !line.contains("memfd:sallyport-script")).collect();
    assert_eq!(foreign, ["0:/dev/null"]);
}

#[test]
fn a_signal_is_told_apart_from_an_exit_code() {
    assert_eq!(run("kill -SEGV $$", "signal").ending, Ending::Signalled(11));
}

#[test]
fn a_child_that_keeps_the_pipe_open_does_not_hang_the_run() {
    let outcome = run("(sleep 300; echo late) & echo done", "straggler");
    assert_eq!((outcome.text.as_str(), outcome.ending), ("done\n", Ending::Exited(0)));
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    assert!(none_is_left("straggler"));
}

#[test]
fn a_daemon_with_a_session_of_its_own_outlives_a_run_that_finished() {
    let outcome = run("setsid sleep 300 >/dev/null 2>&1 & sleep 0.2; echo started", "daemon");
    assert_eq!(outcome.ending, Ending::Exited(0));
    assert_eq!(marked_processes("daemon"), 1);
    sweep::end_marked("daemon");
    assert!(none_is_left("daemon"));
}

#[test]
fn stopping_ends_what_ignores_term_and_what_left_the_group() {
    let script = "trap '' TERM; (trap '' TERM; sleep 300) & setsid bash -c \"trap '' TERM; sleep 300 & sleep 300\" & sleep 0.3; echo ready; wait; sleep 300";
    let (mut running, stopper, _file) = start(script, "stubborn");
    let outcome = finish(&mut running, |_, text| {
        if text.contains("ready") {
            stopper.stop();
        }
    });
    assert_eq!(outcome.ending, Ending::Signalled(9));
    assert!(outcome.took >= STOP_GRACE && outcome.took < STOP_GRACE + Duration::from_secs(3), "{:?}", outcome.took);
    assert!(none_is_left("stubborn"));
}

#[test]
fn a_polite_script_ends_at_the_first_signal() {
    let (mut running, stopper, _file) = start("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done", "polite");
    let outcome = finish(&mut running, |_, text| {
        if text == "ready\n" {
            stopper.stop();
        }
    });
    assert!(outcome.text.ends_with("bye\n"), "{}", outcome.text);
    assert_eq!(outcome.ending, Ending::Exited(3));
    assert!(outcome.took < Duration::from_secs(2), "{:?}", outcome.took);
}

#[test]
fn the_deadline_is_told_once_the_script_is_alive_only() {
    let (mut running, _stopper, _file) = start("sleep 300", "deadline");
    let mut buffer = [0; 16];
    let at = Some(Instant::now() + Duration::from_millis(100));
    assert_eq!(running.next(&mut buffer, at).expect("next"), Activity::Deadline);
    running.stop();
    assert_eq!(running.next(&mut buffer, at).expect("next"), Activity::Ended(Ending::Signalled(15)));
}

#[test]
fn dropping_a_run_ends_it() {
    let (running, _stopper, _file) = start("sleep 300 & sleep 300", "dropped");
    drop(running);
    assert!(none_is_left("dropped"));
}

#[test]
fn a28_the_script_that_runs_is_the_sealed_file() {
    let outcome = run("cat \"$0\"; (echo 'echo swapped' >> \"$0\") 2>/dev/null; echo end", "sealed");
    assert!(outcome.text.starts_with("cat \"$0\"") && outcome.text.ends_with("end\n"), "{}", outcome.text);
}

#[test]
fn another_account_is_taken_on_completely() {
    let nobody = Account::named("nobody").expect("nobody");
    if !rustix::process::geteuid().is_root() {
        let (file, program) = (SealedFile::holding(b"id").expect("memory file"), find_program("sh").expect("sh"));
        let launch = Launch {
            program: &program,
            interpreter_arguments: &[],
            script: &file,
            arguments: &[],
            environment: &[],
            account: &nobody,
            mark: "x",
        };
        assert!(matches!(Running::launch(&launch), Err(LaunchError::NotPermitted)));
        return;
    }
    let (mut running, _stopper, _file) = start_as("id -un; id -G; pwd; cat \"$0\" | wc -l", "nobody", &nobody);
    let outcome = finish(&mut running, |_, _| {});
    assert!(outcome.text.starts_with("nobody\n65534\n/\n"), "{}", outcome.text);
}

#[test]
fn a_flood_on_one_stream_does_not_starve_the_other() {
    let (mut running, stopper, _file) = start("yes & echo seen >&2; wait", "flood");
    let outcome = finish(&mut running, |_, text| {
        if text.contains("seen") {
            stopper.stop();
        }
    });
    assert_eq!(outcome.ending, Ending::Signalled(15));
}
