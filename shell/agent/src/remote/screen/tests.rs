//! Claims about viewers, shown on real X servers with real programs. What the client has is compared with what `xwd` says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sallyport_grant::body::Access;

use super::find::NoScreen;
use super::rfb::number;
use super::testing::screen::{TestScreen, content, wait_until};
use super::testing::watcher::{Watcher, nothing};
use super::viewer::End;

const CODINGS: [i32; 3] = [number::RAW, number::TIGHT, number::ZRLE];

fn same_as_truth(screen: &TestScreen, watcher: &mut Watcher) {
    watcher.until("the client sees what the screen shows", |watcher| watcher.picture.pixels == screen.truth());
}

#[test]
fn what_is_typed_is_seen_in_every_encoding() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    for (round, coding) in CODINGS.into_iter().enumerate() {
        let mut watcher = Watcher::attach(&screen, Access::Control, &[coding]);
        same_as_truth(&screen, &mut watcher);
        let before = watcher.picture.pixels.clone();
        let text = format!("round {round}: Hello (world) {{~}}\n");
        watcher.type_text(&text);
        wait_until("it is typed", || content(&typed).ends_with(&text));
        watcher.until("the pixels change", |watcher| watcher.picture.pixels != before);
        same_as_truth(&screen, &mut watcher);
    }
}

#[test]
fn what_scrolls_is_copied_and_stays_right() {
    let mut screen = TestScreen::of_size("640x400");
    let folder = tempfile::tempdir().expect("a folder");
    let enough = folder.path().join("enough");
    // Each line scrolls by itself, for as long as it takes: a busy machine sees some of them at once.
    let lines =
        format!("i=0; while [ ! -e '{}' ]; do i=$((i+1)); echo line $i $((i*i*7919)); sleep 0.03; done; sleep 60", enough.display());
    screen.start("xterm", &["+j", "-geometry", "100x30+0+0", "-e", "sh", "-c", &lines]);
    let mut watcher = Watcher::attach(&screen, Access::View, &[number::TIGHT]);
    watcher.until("something scrolls", |watcher| watcher.picture.copied > 5);
    std::fs::write(&enough, "").expect("a file");
    watcher.read_for(Duration::from_secs(2));
    same_as_truth(&screen, &mut watcher);
}

#[test]
fn one_who_may_watch_cannot_do_anything() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let inputs: [&[u8]; 5] = [
        &[4, 1, 0, 0, 0, 0, 0, 0x61],
        &[5, 1, 0, 10, 0, 10],
        &[6, 0, 0, 0, 0, 0, 0, 1, b'x'],
        &[251, 0, 1, 0, 1, 0, 0, 0],
        // The extended clipboard says that it has text.
        &[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 8, 0, 0, 1],
    ];
    for input in inputs {
        let watcher = Watcher::attach(&screen, Access::View, &[number::RAW]);
        watcher.say(input);
        assert!(matches!(watcher.end(), End::ViewOnly), "{input:?}");
    }
    let control = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    control.type_text("only this\n");
    wait_until("the other one types", || content(&typed) == "only this\n");
}

#[test]
fn characters_arrive_on_every_layout() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let mut expected = String::new();
    for layout in ["us", "de", "fr"] {
        screen.run("setxkbmap", &[layout]);
        let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
        let text = format!("{layout} aZ19 @[]{{}}|~\\ \"'$#%&/()=?+*<>;:,.-_ äöüß éèàç € 日本 йц\n");
        expected += &text;
        watcher.type_text(&text);
        wait_until("it is typed", || content(&typed).lines().count() == expected.lines().count());
        assert_eq!(content(&typed), expected);
    }
}

#[test]
fn a_client_with_another_keyboard_types_what_it_means() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    screen.run("setxkbmap", &["de"]);
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    // An American keyboard: Shift and 2 is `@`, which the German layout has on AltGr and Q.
    let (shift, control) = (0xffe1, 0xffe3);
    watcher.key(1, shift);
    watcher.tap(0x40);
    watcher.tap(0x41);
    watcher.key(0, shift);
    watcher.tap(0x61);
    // CapsLock on at the device: capitals stay capitals.
    watcher.tap(0xffe5);
    watcher.tap(0x62);
    watcher.tap(0x42);
    watcher.tap(0xffe5);
    // Control stays with the letter: end of line, erase the line.
    watcher.tap(0x78);
    watcher.key(1, control);
    watcher.tap(0x75);
    watcher.key(0, control);
    watcher.type_text("@Aab\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    assert_eq!(content(&typed), "@Aab\n");
}

#[test]
fn keys_that_a_client_held_are_let_go_when_it_leaves() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.key(1, 0xffe1);
    watcher.point(1, 100, 100);
    watcher.leave();
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.type_text("lower\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    assert_eq!(content(&typed), "lower\n");
}

#[test]
fn a_key_repeats_as_often_as_the_client_says_and_not_because_the_line_is_slow() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    screen.run("xset", &["r", "rate", "100", "30"]);
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.key(1, 0x61);
    // The word that the key went up is on its way.
    std::thread::sleep(Duration::from_millis(600));
    watcher.key(0, 0x61);
    (0..3).for_each(|_| watcher.key(1, 0x62));
    watcher.key(0, 0x62);
    watcher.type_text("\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    assert_eq!(content(&typed), "abbb\n");
    watcher.leave();
    assert_eq!(repeats(&screen), repeats(&TestScreen::of_size("640x400")), "and the keyboard is as before");
}

/// Which keys the display's server repeats by itself.
fn repeats(screen: &TestScreen) -> String {
    let told = String::from_utf8(screen.run("xset", &["q"])).expect("text");
    let keys: Vec<&str> = told.lines().skip_while(|line| !line.contains("auto repeating keys")).take(4).collect();
    assert_eq!(keys.len(), 4, "{told}");
    keys.join("\n")
}

#[test]
fn the_screen_takes_the_size_that_is_asked_for_or_says_no() {
    let screen = TestScreen::resizable();
    let mut watcher = Watcher::attach(&screen, Access::Control, &[number::TIGHT]);
    watcher.until("the first size is told", |watcher| watcher.picture.sizes.contains(&(0, 0, 640, 480)));
    watcher.say(&[251, 0, 0x03, 0x20, 0x02, 0x58, 0, 0]);
    watcher.until("the new size is there", |watcher| watcher.picture.size == (800, 600));
    same_as_truth(&screen, &mut watcher);
    screen.run("xrandr", &["-s", "1024x768"]);
    watcher.until("the device's own change is told", |watcher| watcher.picture.size == (1024, 768));
    same_as_truth(&screen, &mut watcher);
    let fixed = TestScreen::of_size("640x400");
    let mut watcher = Watcher::attach(&fixed, Access::Control, &[number::TIGHT]);
    watcher.say(&[251, 0, 0x03, 0x20, 0x02, 0x58, 0, 0]);
    watcher.until("it is refused", |watcher| watcher.picture.sizes.contains(&(1, 1, 640, 400)));
}

#[test]
fn the_pointer_has_the_shape_of_where_it_is() {
    let mut screen = TestScreen::of_size("640x400");
    screen.typewriter();
    let mut watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.point(0, 639, 399);
    watcher.until("a shape over the background", |watcher| watcher.picture.cursor.is_some());
    let outside = watcher.picture.cursor;
    // The terminal may not be there yet: whoever waits moves the pointer on.
    for step in 0.. {
        assert!(step < 400, "another one over the text");
        watcher.point(0, 50 + step % 2, 50);
        watcher.read_for(Duration::from_millis(50));
        if watcher.picture.cursor != outside {
            break;
        }
    }
}

#[test]
fn the_clipboard_goes_both_ways() {
    let mut screen = TestScreen::of_size("640x400");
    let mut watcher = Watcher::attach(&screen, Access::Control, &[number::RAW, number::EXTENDED_CLIPBOARD]);
    watcher.until("the clipboard is offered", |watcher| !watcher.copied.is_empty());
    let notice = super::rfb::clipboard::provide("Grüße\n日本");
    watcher.say(&[&[6, 0, 0, 0][..], &(-(notice.len() as i32)).to_be_bytes(), &notice].concat());
    wait_until("programs paste it", || {
        screen.command("xclip").args(["-selection", "clipboard", "-o"]).output().is_ok_and(|out| out.stdout == "Grüße\n日本".as_bytes())
    });
    let file = screen.folder.path().join("copied");
    std::fs::write(&file, "vom Gerät").unwrap();
    screen.start("xclip", &["-selection", "clipboard", "-quiet", "-i", &file.display().to_string()]);
    let notify = [0x08, 0, 0, 1];
    watcher.until("the client is told", |watcher| watcher.copied.iter().any(|body| body[..] == notify));
    watcher.say(&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 0x02, 0, 0, 1]);
    let text = super::rfb::clipboard::Notice::Text("vom Gerät".to_owned());
    watcher
        .until("and gets it", |watcher| watcher.copied.iter().any(|body| super::rfb::clipboard::read_notice(body) == Some(text.clone())));
    let mut plain = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    plain.until("a simple client gets Latin-1", |watcher| watcher.copied.iter().any(|text| text[..] == *b"vom Ger\xe4t"));
}

#[test]
fn a_watcher_s_picture_does_not_wait_for_a_slower_one() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let mut slow = Watcher::attach(&screen, Access::View, &[number::TIGHT]);
    same_as_truth(&screen, &mut slow);
    slow.block(true);
    let mut fast = Watcher::attach(&screen, Access::Control, &[number::ZRLE]);
    fast.type_text("they see the same\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    same_as_truth(&screen, &mut fast);
    assert_ne!(slow.picture.pixels, fast.picture.pixels);
    slow.block(false);
    same_as_truth(&screen, &mut slow);
}

#[test]
fn an_idle_screen_is_not_sent() {
    let screen = TestScreen::of_size("640x400");
    let mut watcher = Watcher::attach(&screen, Access::View, &[number::RAW]);
    same_as_truth(&screen, &mut watcher);
    watcher.read_for(Duration::from_millis(500));
    let updates = watcher.updates;
    watcher.read_for(Duration::from_secs(1));
    assert_eq!(watcher.updates, updates);
}

#[test]
fn continuous_updates_come_without_being_asked_for() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let mut watcher = Watcher::attach(&screen, Access::Control, &[number::TIGHT, number::FENCE, number::CONTINUOUS_UPDATES]);
    watcher.say(&[150, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    watcher.type_text("first\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    same_as_truth(&screen, &mut watcher);
    watcher.say(&[150, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    watcher.ask(1);
    watcher.type_text("second\n");
    same_as_truth(&screen, &mut watcher);
}

#[test]
fn when_somebody_signs_out_the_next_screen_is_shown() {
    let (mut first, second) = (TestScreen::of_size("640x400"), TestScreen::of_size("500x300"));
    let seat = Arc::new(Mutex::new(first.seat()));
    let found = seat.clone();
    let mut watcher = Watcher::attach_by(Arc::new(move || Ok(found.lock().unwrap().clone())), Access::Control, &[number::TIGHT]);
    same_as_truth(&first, &mut watcher);
    *seat.lock().unwrap() = second.seat();
    first.end_server();
    watcher.until("the other one is shown", |watcher| watcher.picture.size == (500, 300));
    same_as_truth(&second, &mut watcher);
}

#[test]
fn displays_are_told_and_chosen() {
    let screen = TestScreen::of_size("640x400");
    let watcher = Watcher::attach(&screen, Access::View, &[number::RAW]);
    let (displays, shown) = watcher.displays.recv_timeout(Duration::from_secs(10)).expect("told");
    assert_eq!((displays[0].name.as_str(), shown.as_str()), ("all", "all"));
    assert_eq!((displays[1].name.as_str(), displays[1].place.width), ("screen", 640));
    watcher.remote.show("screen".to_owned());
    let (_, shown) = watcher.displays.recv_timeout(Duration::from_secs(10)).expect("told again");
    assert_eq!(shown, "screen");
}

#[test]
fn one_of_several_monitors_is_shown_alone() {
    let mut screen = TestScreen::of_size("640x400");
    screen.run("xrandr", &["--setmonitor", "left", "320/100x400/100+0+0", "screen"]);
    screen.run("xrandr", &["--setmonitor", "right", "320/100x400/100+320+0", "none"]);
    screen.typewriter();
    let mut watcher = Watcher::attach(&screen, Access::Control, &[number::TIGHT]);
    watcher.remote.show("right".to_owned());
    watcher.until("its size is told", |watcher| watcher.picture.size == (320, 400));
    watcher.until("its part is shown", |watcher| {
        let truth = screen.truth();
        let right: Vec<u32> = truth.chunks(640).flat_map(|row| row[320..].to_vec()).collect();
        watcher.picture.pixels == right
    });
    watcher.point(0, 10, 10);
    wait_until("the pointer is within it", || {
        String::from_utf8(screen.run("xdotool", &["getmouselocation"])).unwrap().starts_with("x:330 y:10 ")
    });
}

#[test]
fn nonsense_ends_the_attachment_and_nothing_else() {
    let screen = TestScreen::of_size("640x400");
    let mut other = Watcher::attach(&screen, Access::View, &[number::RAW]);
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.say(&[99; 300]);
    assert!(matches!(watcher.end(), End::Client(_)));
    same_as_truth(&screen, &mut other);
    assert!(!other.has_ended());
}

#[test]
fn no_screen_is_said_with_its_reason() {
    let (over, ended) = std::sync::mpsc::channel();
    let powers = super::viewer::Powers { hands: Access::View, clipboard: super::viewer::Clipboard::Off };
    let _remote =
        super::viewer::start::<_, Vec<u8>>(Silent, powers, nothing(NoScreen::Wayland), move |_, end| over.send(end).unwrap()).unwrap();
    let end = ended.recv_timeout(Duration::from_secs(10)).expect("ended");
    assert_eq!((end.code(), end.sentence().contains("Xorg")), ("wayland_no_capture", true));
}

struct Silent;

impl super::viewer::Sink for Silent {
    fn offer(&mut self, bytes: &[u8]) -> Result<usize, End> {
        Ok(bytes.len())
    }

    fn displays(&mut self, _: &[super::x11::Display], _: &str) {}
}

#[test]
fn a_virtual_display_lets_in_who_has_its_cookie_and_ends_with_the_session() {
    let account = sallyport_os::Account::own().expect("account");
    let display = super::virtual_display::VirtualDisplay::start(&account, "rms_test@virtual-display").expect("started");
    let seat = display.seat();
    let socket = seat.socket.clone();
    let stranger = super::find::Seat { cookie: None, ..seat.clone() };
    assert!(super::x11::Link::connect(&stranger).is_err(), "nobody without the cookie");
    let mut watcher = Watcher::attach_by(Arc::new(move || Ok(seat.clone())), Access::Control, &[number::TIGHT]);
    watcher.until("it is shown", |watcher| watcher.picture.size == (1280, 800) && watcher.updates > 0);
    watcher.leave();
    drop(display);
    wait_until("it is over", || !socket.exists());
}

/// Another program's client, which shares no line with this one: it draws, we compare.
#[test]
fn other_people_s_clients_see_the_same() {
    let mut screen = TestScreen::of_size("640x400");
    let typed = screen.typewriter();
    let watcher = Watcher::attach(&screen, Access::Control, &[number::RAW]);
    watcher.type_text("other people's clients see the same\n");
    wait_until("it is typed", || content(&typed).ends_with('\n'));
    screen.draw_photo();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seat = screen.seat();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = super::local::serve(seat.clone(), stream.unwrap());
        }
    });
    // It never ends with the last rectangle that it asks for beside Tight, whoever the server is.
    for encodings in ["raw", "zrle"] {
        let picture = screen.folder.path().join("picture.jpg").display().to_string();
        let server = format!("127.0.0.1::{port}");
        screen.run(
            "timeout",
            &["20", "vncsnapshot", "-quiet", "-allowblank", "-quality", "100", "-nocursor", "-encodings", encodings, &server, &picture],
        );
        let seen = screen.run("djpeg", &["-pnm", &picture]);
        let seen = &seen[seen.len() - 640 * 400 * 3..];
        let truth = screen.truth();
        let near = |truth: u32, seen: &[u8]| {
            [truth >> 16, truth >> 8, truth].iter().zip(seen).all(|(part, seen)| (part & 0xff).abs_diff(u32::from(*seen)) <= 60)
        };
        let wrong = truth.iter().zip(seen.chunks(3)).filter(|(truth, seen)| !near(**truth, seen)).count();
        assert!(wrong < 640 * 400 / 200, "{encodings}: {wrong} pixels differ");
    }
}
