//! Which of several displays is meant.

use super::NoScreen;
use super::facts::{Facts, Server, Session, SessionKind};

/// The server that shows what somebody at the machine sees; otherwise the one with the lowest number.
pub(crate) fn choose(facts: &Facts, account: Option<u32>) -> Result<&Server, NoScreen> {
    let in_front = facts.sessions.iter().find(|session| session.is_in_front());
    let at_front = |server: &&Server| shows(server, in_front, facts.active_vt);
    let mine = |server: &&Server| account.is_none_or(|uid| server.owner == uid || facts.session_of(server).is_some_and(|s| s.uid == uid));
    let mut servers: Vec<&Server> = facts.servers.iter().collect();
    servers.sort_by_key(|server| server.display);
    if let Some(front) = servers.iter().copied().filter(mine).find(at_front) {
        return Ok(front);
    }
    // Behind a Wayland session there may be other servers, but they are not what somebody sees.
    let wayland = in_front.filter(|session| session.kind == SessionKind::Wayland && account.is_none_or(|uid| uid == session.uid));
    if wayland.is_some() {
        return Err(NoScreen::Wayland);
    }
    let none = if servers.is_empty() || account.is_none() { NoScreen::NoDisplay } else { NoScreen::NotOfAccount };
    servers.into_iter().find(mine).ok_or(none)
}

fn shows(server: &Server, in_front: Option<&Session>, active_vt: Option<u32>) -> bool {
    let by_session = in_front.is_some_and(|session| {
        session.kind == SessionKind::X11 && (session.display == Some(server.display) || (server.vt.is_some() && server.vt == session.vt))
    });
    by_session || (active_vt.is_some() && server.vt == active_vt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(display: u32, owner: u32, vt: Option<u32>) -> Server {
        Server { pid: 100 + display, display, owner, vt, authority: None }
    }

    fn session(uid: u32, kind: SessionKind, vt: u32, display: Option<u32>) -> Session {
        Session { uid, kind, vt: Some(vt), display, active: true, seat: Some("seat0".to_owned()) }
    }

    fn facts(servers: Vec<Server>, sessions: Vec<Session>, active_vt: Option<u32>) -> Facts {
        Facts { servers, sessions, active_vt, ..Facts::default() }
    }

    #[test]
    fn the_display_in_front_is_shown() {
        let servers = vec![server(99, 1000, None), server(0, 0, Some(7)), server(1, 0, Some(8))];
        let facts = facts(servers, vec![session(1001, SessionKind::X11, 8, Some(1))], Some(8));
        assert_eq!(choose(&facts, None).map(|server| server.display), Ok(1));
    }

    #[test]
    fn the_greeter_is_shown_where_nobody_signed_in() {
        let facts = facts(vec![server(0, 0, Some(7))], vec![], Some(7));
        assert_eq!(choose(&facts, None).map(|server| server.display), Ok(0));
    }

    #[test]
    fn a_display_without_a_monitor_is_better_than_none() {
        let facts = facts(vec![server(99, 1000, None), server(20, 1000, None)], vec![], Some(1));
        assert_eq!(choose(&facts, None).map(|server| server.display), Ok(20));
    }

    #[test]
    fn wayland_is_said_and_not_worked_around() {
        let wayland = || vec![session(1000, SessionKind::Wayland, 2, None)];
        assert_eq!(choose(&facts(vec![], wayland(), Some(2)), None), Err(NoScreen::Wayland));
        assert_eq!(choose(&facts(vec![server(99, 1000, None)], wayland(), Some(2)), None), Err(NoScreen::Wayland));
        assert_eq!(NoScreen::Wayland.code(), "wayland_no_capture");
        assert!(NoScreen::Wayland.sentence().contains("Wayland"));
    }

    #[test]
    fn an_account_sees_its_own_display_only() {
        let facts = facts(vec![server(0, 0, Some(7)), server(5, 1001, None)], vec![session(1000, SessionKind::X11, 7, Some(0))], Some(7));
        assert_eq!(choose(&facts, Some(1001)).map(|server| server.display), Ok(5));
        assert_eq!(choose(&facts, Some(1000)).map(|server| server.display), Ok(0));
        assert_eq!(choose(&facts, Some(1002)), Err(NoScreen::NotOfAccount));
        assert_eq!(choose(&Facts::default(), None), Err(NoScreen::NoDisplay));
    }
}
