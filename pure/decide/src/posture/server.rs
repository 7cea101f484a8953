//! Rules about the server itself. What it cannot see of itself it says.

use super::{Backup, Facts, Finding, Link, Mail, MailFacts, Severity, Verdict, counted};

/// The rule allows a day, and two hours for the copying.
const BACKUP_SECS: i64 = 26 * 60 * 60;
/// One that is older than this is as good as none.
const OLD_BACKUP_SECS: i64 = 7 * 86_400;
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
    let finding = |severity, title: &str, why: String, fix| {
        Verdict::Found(vec![Finding { severity, title: title.into(), why, subjects: Vec::new(), fix: Some(fix) }])
    };
    let mails = || Link::new("Show mails", "/security/mails");
    match &facts.mail {
        Mail::Absent => finding(
            Severity::Warning,
            "No mail server is configured",
            "Nobody is told of a sign-in from a new device, of failures or of changes to their factors. Links have to be handed over."
                .into(),
            Link::new("How it is configured", "/security/mails"),
        ),
        Mail::Configured(MailFacts { failed, last_error, .. }) if *failed > 0 => finding(
            Severity::Critical,
            &format!("{} could not be sent this week", counted(*failed as usize, "mail")),
            format!(
                "People are not told what happens to their accounts.{}",
                last_error.as_ref().map(|said| format!(" The mail server said: {said}")).unwrap_or_default()
            ),
            mails(),
        ),
        Mail::Configured(MailFacts { waiting, last_error: Some(said), .. }) if *waiting > 0 => finding(
            Severity::Warning,
            &format!("{} to be sent", counted_waiting(*waiting)),
            format!("The mail server said: {said}"),
            mails(),
        ),
        Mail::Configured(MailFacts { last_sent: None, .. }) => finding(
            Severity::Warning,
            "No mail was ever sent",
            "Whether the mail server takes them shows with the first one: send an invitation.".into(),
            mails(),
        ),
        Mail::Configured(_) => Verdict::Holds("The mail server takes them; none was given up this week.".into()),
    }
}

fn counted_waiting(waiting: u64) -> String {
    if waiting == 1 { "1 mail waits".to_owned() } else { format!("{waiting} mails wait") }
}

/// No clock says that it is wrong. Two things show it: records from the future, and authenticators that are ahead together.
pub(super) fn clock(facts: &Facts) -> Verdict {
    let finding = |severity, title: String, why: &str| {
        Verdict::Found(vec![Finding { severity, title, why: why.into(), subjects: Vec::new(), fix: None }])
    };
    let ahead = facts.newest_record.map_or(0, |newest| newest.micros_since(facts.now) / 1_000_000);
    let (used, early) = facts.codes;
    if ahead > AHEAD_SECS {
        let why = "The clock went back since: codes, sessions and grants are judged by a wrong time. Run a time service (chrony, systemd-timesyncd).";
        return finding(Severity::Critical, format!("The newest record is {ahead} s in the future"), why);
    }
    if used >= ENOUGH_CODES && early * 2 > used {
        let why = "Phones keep good time, so this server is late. Half a minute more, and no code is right any more. Run a time service (chrony, systemd-timesyncd).";
        return finding(Severity::Warning, format!("{early} of {used} authenticators were ahead of this server today"), why);
    }
    match used >= ENOUGH_CODES {
        true => Verdict::Holds(format!("{used} authenticators agreed with it within the last day.")),
        false => Verdict::Unseen("Too few codes were used within the last day to compare with. No record is from the future.".into()),
    }
}

pub(super) fn backup(facts: &Facts) -> Verdict {
    let finding = |severity, title: String, why: &str| {
        Verdict::Found(vec![Finding { severity, title, why: why.into(), subjects: Vec::new(), fix: None }])
    };
    match facts.backup {
        Backup::Never => finding(
            Severity::Critical,
            "There is no backup".into(),
            "The command sallyport backup never ran here. Without a copy of the database and the master key, every device has to be enrolled again.",
        ),
        Backup::Made(at) => {
            let age = facts.now.micros_since(at) / 1_000_000;
            let hours = age / 3600;
            match age {
                ..=BACKUP_SECS => Verdict::Holds(format!("The last one is {hours} h old. Whether it can be restored shows only by trying.")),
                old => finding(
                    if old > OLD_BACKUP_SECS { Severity::Critical } else { Severity::Warning },
                    format!("The last backup is {} old", if hours < 72 { format!("{hours} h") } else { format!("{} days", hours / 24) }),
                    "The rule allows 26 hours: a copy each day.",
                ),
            }
        }
        Backup::Elsewhere => Verdict::Unseen(
            "PostgreSQL is backed up by its own tools, which tell nobody here. Let the script that runs pg_dump touch the file last-backup in data_dir, and this rule judges it."
                .into(),
        ),
    }
}

pub(super) fn unbound_sessions(facts: &Facts) -> Verdict {
    let (live, unbound) = facts.sessions;
    if unbound == 0 {
        return Verdict::Holds(format!("{} checked: a copied cookie opens none of them.", counted(live as usize, "live session")));
    }
    Verdict::Found(vec![Finding {
        severity: Severity::Critical,
        title: format!("{} bound to no key", if unbound == 1 { "1 session is".to_owned() } else { format!("{unbound} sessions are") }),
        why: "The server makes no such session: somebody wrote into the database. End all sessions, and look at who can reach it.".into(),
        subjects: Vec::new(),
        fix: Some(Link::new("Show users", "/users")),
    }])
}
