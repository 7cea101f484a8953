use std::path::Path;
use std::time::Instant;

use super::*;
use crate::find_program;

const PATIENCE: Duration = Duration::from_secs(10);

/// Without a home: what these shells do hangs on no profile of whoever runs the tests.
fn environment() -> Vec<(String, String)> {
    [("HOME", "/nonexistent"), ("PATH", "/usr/bin:/bin"), ("TERM", "xterm-256color"), ("PS1", "$ "), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

fn login<R>(account: &Account, mark: &str, arguments: &[&str], then: impl FnOnce(Result<Pty, LaunchError>) -> R) -> R {
    let shell = find_program("bash").expect("bash");
    let size = Size { columns: 80, rows: 24 };
    then(Pty::open(&Login { shell: &shell, arguments, environment: &environment(), account, mark, size }))
}

fn bash(arguments: &[&str]) -> Pty {
    let account = Account::own().expect("own");
    let mark = format!("pty-test-{}", std::process::id());
    login(&account, &mark, arguments, |opened| opened.expect("a terminal"))
}

/// Reads until the text appears.
fn read_until(pty: &Pty, wanted: &str) -> String {
    let (begun, mut seen) = (Instant::now(), Vec::new());
    let mut buffer = [0; 4096];
    while begun.elapsed() < PATIENCE {
        match pty.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => seen.extend(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
        let text = String::from_utf8_lossy(&seen);
        if text.contains(wanted) {
            return text.into_owned();
        }
    }
    panic!("{wanted:?} does not come: {:?}", String::from_utf8_lossy(&seen));
}

fn wait_exited(pty: &Pty) -> Ending {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(ending) = pty.exited().expect("asked") {
            return ending;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the shell does not exit");
}

fn lives(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}/stat")).exists()
        && !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") Z ")
}

fn number_after(text: &str, label: &str) -> i32 {
    let from = text.rfind(label).expect("label") + label.len();
    text[from..].split(|c: char| !c.is_ascii_digit()).next().expect("digits").parse().expect("number")
}

fn until(what: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !what() {
        std::thread::sleep(Duration::from_millis(10));
    }
    what()
}

#[test]
fn a_shell_has_a_controlling_terminal_of_the_wanted_size_and_sees_it_change() {
    let pty = bash(&["--norc", "--noprofile", "-c", "tty; stty size; stty -a | grep -o iutf8; read; stty size; cat </dev/tty"]);
    let text = read_until(&pty, "iutf8");
    assert!(text.contains("/dev/pts/") && text.contains("24 80"), "{text}");
    pty.resize(Size { columns: 132, rows: 50 }).expect("resize");
    pty.write(b"\n").expect("type");
    read_until(&pty, "50 132");
    pty.write(b"through the tty\n").expect("type");
    read_until(&pty, "through the tty\r\nthrough the tty");
    pty.end(Sweep::Everything).expect("end");
}

#[test]
fn exit_codes_and_signals_are_told() {
    for (command, ending) in [("exit 7", Ending::Exited(7)), ("exit 0", Ending::Exited(0)), ("kill -9 $$", Ending::Signalled(9))] {
        let pty = bash(&["-c", command]);
        assert_eq!(wait_exited(&pty), ending);
        assert_eq!(pty.end(Sweep::Jobs).expect("end"), ending);
    }
}

#[test]
fn control_c_ends_the_foreground_job_and_not_the_shell() {
    let pty = bash(&["--norc", "--noprofile", "-i"]);
    pty.write(b"sleep 1000; echo over$((40+2))\n").expect("type");
    std::thread::sleep(Duration::from_millis(300));
    pty.write(b"\x03").expect("type");
    pty.write(b"echo alive$((40+2))\n").expect("type");
    read_until(&pty, "alive42");
    pty.end(Sweep::Everything).expect("end");
}

#[test]
fn jobs_end_with_the_shell_and_what_looks_away_stays_until_everything_is_swept() {
    let pty = bash(&["--norc", "--noprofile", "-i"]);
    pty.write(b"sleep 1001 & echo job=$!; nohup sleep 1002 >/dev/null 2>&1 & echo kept=$!\n").expect("type");
    pty.write(b"echo read$((1+1))\n").expect("type");
    let text = read_until(&pty, "read2");
    let (job, kept) = (number_after(&text, "job="), number_after(&text, "kept="));
    pty.write(b"exit\n").expect("type");
    wait_exited(&pty);
    let mark = pty.mark.clone();
    pty.end(Sweep::Jobs).expect("end");
    assert!(until(|| !lives(job)) && lives(kept));
    sweep::end_marked(&mark);
    assert!(until(|| !lives(kept)));
}

#[test]
fn everything_ends_with_a_terminal_that_is_ended_or_dropped() {
    for dropped in [false, true] {
        let pty = bash(&["--norc", "--noprofile", "-i"]);
        pty.write(b"setsid sleep 1003 & trap '' HUP TERM; (trap '' HUP; sleep 1004) & echo a=$!\n").expect("type");
        pty.write(b"sleep 0.3; echo b=$(pgrep -n -f 'sleep 100[3]'); echo read$((1+1))\n").expect("type");
        let text = read_until(&pty, "read2");
        let (stubborn, strayed) = (number_after(&text, "a="), number_after(&text, "b="));
        if dropped {
            drop(pty);
        } else {
            drop(pty.end(Sweep::Everything));
        }
        assert!(until(|| !lives(stubborn) && !lives(strayed)), "{text}");
    }
}

#[test]
fn a_terminal_that_nobody_reads_stops_the_program_and_not_the_agent() {
    let pty = bash(&["-c", "yes"]);
    read_until(&pty, "y\r\ny");
    std::thread::sleep(Duration::from_millis(100));
    let begun = Instant::now();
    pty.end(Sweep::Everything).expect("end");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn input_that_nobody_reads_is_not_taken_without_end() {
    let pty = bash(&["--norc", "--noprofile", "-c", "stty raw -echo; echo ready; sleep 1000"]);
    read_until(&pty, "ready");
    let (mut taken, piece) = (0, [b'x'; 4096]);
    let refused = loop {
        match pty.write(&piece) {
            Ok(written) => taken += written,
            Err(error) => break error.kind(),
        }
        assert!(taken < 4 * 1024 * 1024);
    };
    assert_eq!(refused, io::ErrorKind::WouldBlock);
}

#[test]
fn a_shell_of_somebody_else_has_their_identity_groups_home_and_terminal() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let nobody = Account::named("nobody").expect("nobody");
    login(&nobody, "pty-test-nobody", &["-c", "id -un; id -G; stat -c %U:%G:%a $(tty); pwd; exec 3<>$(tty) && echo opened"], |opened| {
        let pty = opened.expect("a terminal");
        let text = read_until(&pty, "opened");
        assert!(text.contains("nobody\r\n65534\r\n") && text.contains("nobody:tty:620"), "{text}");
        pty.end(Sweep::Everything).expect("end");
    });
}
