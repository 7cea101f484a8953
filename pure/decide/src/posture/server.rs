//! Rules about the server itself. What it cannot see of itself it says.

use super::{Backup, BreachedList, Facts, Finding, Link, Mail, MailFacts, Severity, Verdict, counted};

/// The rule allows a day, and two hours for the copying.
const BACKUP_SECS: i64 = 26 * 60 * 60;
/// One that is older than this is as good as none.
const OLD_BACKUP_SECS: i64 = 7 * 86_400;
/// Within a year, hundreds of millions of passwords become known.
const OLD_LIST_SECS: i64 = 365 * 86_400;
/// The database's latest time may be this far ahead: clocks are set by small steps all the time.
const AHEAD_SECS: i64 = 5;
/// So many authenticators say something about the server's clock.
const ENOUGH_CODES: u64 = 3;

pub(super) fn authority_kit(_: &Facts) -> Verdict {
    Verdict::Unseen(
        "The kit is never on this server, so nobody here can tell. Does each owner know where their copy lies, and is one of them outside of the building?"
            .into(),
    )
}

pub(super) fn mail(facts: &Facts) -> Verdict {
    match &facts.mail {
        Mail::Absent => found(
            Severity::Warning,
            "No mail server is configured".to_owned(),
            "Nobody is told of a sign-in from a new device, of failures or of changes to their factors. Links have to be handed over.",
            Some(Link::new("How it is configured", "/security/mails")),
        ),
        Mail::Configured(mails) => delivered(mails),
    }
}

fn delivered(mails: &MailFacts) -> Verdict {
    let fix = || Some(Link::new("Show mails", "/security/mails"));
    let said = mails.last_error.as_ref().map(|said| format!(" The mail server said: {said}")).unwrap_or_default();
    if mails.failed > 0 {
        let title = format!("{} could not be sent this week", counted(mails.failed as usize, "mail"));
        return found(Severity::Critical, title, &format!("People are not told what happens to their accounts.{said}"), fix());
    }
    if mails.waiting > 0 && mails.last_error.is_some() {
        let title = format!("{} to be sent", counted_waiting(mails.waiting));
        return found(Severity::Warning, title, &format!("It is tried again.{said}"), fix());
    }
    if mails.last_sent.is_none() {
        let why = "Whether the mail server takes them shows with the first one: send an invitation.";
        return found(Severity::Warning, "No mail was ever sent".to_owned(), why, fix());
    }
    Verdict::Holds("The mail server takes them; none was given up this week.".into())
}

fn found(severity: Severity, title: String, why: &str, fix: Option<Link>) -> Verdict {
    Verdict::Found(vec![Finding { severity, title, why: why.to_owned(), subjects: Vec::new(), fix }])
}

fn counted_waiting(waiting: u64) -> String {
    if waiting == 1 { "1 mail waits".to_owned() } else { format!("{waiting} mails wait") }
}

/// No clock says that it is wrong. Two things show it: records from the future, and authenticators that are ahead together.
pub(super) fn clock(facts: &Facts) -> Verdict {
    let ahead = facts.newest_record.map_or(0, |newest| newest.micros_since(facts.now) / 1_000_000);
    let (used, early) = facts.codes;
    if ahead > AHEAD_SECS {
        let why = "The clock went back since: codes, sessions and grants are judged by a wrong time. Run a time service (chrony, systemd-timesyncd).";
        return found(Severity::Critical, format!("The newest record is {ahead} s in the future"), why, None);
    }
    if used >= ENOUGH_CODES && early * 2 > used {
        let why = "Phones keep good time, so this server is late. Half a minute more, and no code is right any more. Run a time service (chrony, systemd-timesyncd).";
        return found(Severity::Warning, format!("{early} of {used} authenticators were ahead of this server today"), why, None);
    }
    match used >= ENOUGH_CODES {
        true => Verdict::Holds(format!("{used} authenticators agreed with it within the last day.")),
        false => Verdict::Unseen("Too few codes were used within the last day to compare with. No record is from the future.".into()),
    }
}

pub(super) fn breached_list(facts: &Facts) -> Verdict {
    let import = "Download one and run sallyport admin passwords import, or configure breached_range_url.";
    match facts.breached {
        BreachedList::Asked => Verdict::Holds("Each password is looked up on a list that is asked over the network.".into()),
        BreachedList::Held(at) => match facts.now.micros_since(at) / 1_000_000 {
            age if age > OLD_LIST_SECS => found(
                Severity::Warning,
                format!("The list of breached passwords is {} days old", age / 86_400),
                &format!("What was stolen since is on none of its pages, and guessed first. {import}"),
                None,
            ),
            age => Verdict::Holds(format!("The imported list is {} old.", counted((age / 86_400).max(0) as usize, "day"))),
        },
        BreachedList::Absent => found(
            Severity::Warning,
            "Only the most common passwords are known".to_owned(),
            &format!("A password that was stolen elsewhere is refused only where a list has it. {import}"),
            None,
        ),
    }
}

pub(super) fn backup(facts: &Facts) -> Verdict {
    match facts.backup {
        Backup::Made(at) => aged(facts.now.micros_since(at) / 1_000_000),
        Backup::Never => found(
            Severity::Critical,
            "There is no backup".to_owned(),
            "The command sallyport backup never ran here. Without a copy of the database and the master key, every device has to be enrolled again.",
            None,
        ),
        Backup::Elsewhere => Verdict::Unseen(
            "The command sallyport backup never ran here, and PostgreSQL may be copied in another way, which tells nobody here. Let the script that does it touch the file last-backup in data_dir, and this rule judges it."
                .into(),
        ),
    }
}

fn aged(secs: i64) -> Verdict {
    let hours = secs / 3600;
    if secs <= BACKUP_SECS {
        return Verdict::Holds(format!("The last one is {hours} h old. Whether it can be restored shows only by trying."));
    }
    let severity = if secs > OLD_BACKUP_SECS { Severity::Critical } else { Severity::Warning };
    let age = if hours < 72 { format!("{hours} h") } else { format!("{} days", hours / 24) };
    found(severity, format!("The last backup is {age} old"), "The rule allows 26 hours: a copy each day.", None)
}

pub(super) fn unbound_sessions(facts: &Facts) -> Verdict {
    let (live, unbound) = facts.sessions;
    if unbound == 0 {
        return Verdict::Holds(format!("{} checked: a copied cookie opens none of them.", counted(live as usize, "live session")));
    }
    let title = format!("{} bound to no key", if unbound == 1 { "1 session is".to_owned() } else { format!("{unbound} sessions are") });
    let why = "The server makes no such session: somebody wrote into the database. End all sessions, and look at who can reach it.";
    found(Severity::Critical, title, why, Some(Link::new("Show users", "/users")))
}
