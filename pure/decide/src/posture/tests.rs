use sallyport_model::{InstallerId, Timestamp, UserId};

use super::*;
use crate::networks::{Rules, Trusted, Verification};
use crate::people::{AdminsProve, DeviceCodes, Factorless, MfaPolicy, MfaWho};
use crate::policy::Role;

const DAY: i64 = 86_400;

fn now() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

fn account(name: &str, role: Role) -> Account {
    Account {
        user: UserId::from_bytes([name.len() as u8; 16]),
        name: name.into(),
        state: AccountState::Active,
        rights: Rights::of(role),
        required: false,
        totp: 1,
        passkeys: 1,
        codes_left: 10,
        created: now().plus_secs(-200 * DAY),
        last_sign_in: Some(now().plus_secs(-DAY)),
        expires: None,
        paused_until: None,
    }
}

fn client(name: &str) -> ApiClient {
    ApiClient {
        id: sallyport_model::ApiClientId::from_bytes([name.len() as u8; 16]),
        name: name.into(),
        owner: "Anna".into(),
        networks: vec!["203.0.113.7/32".parse().unwrap()],
        created: now().plus_secs(-100 * DAY),
        last_used: Some(now().plus_secs(-3600)),
        expires: now().plus_secs(90 * DAY),
        rotation: crate::automation::Rotation::Daily,
        key_created: now().plus_secs(-3600),
        stopped: None,
    }
}

/// The facts with this API client alone.
fn with_client(one: ApiClient) -> Facts {
    Facts { clients: vec![one], ..good() }
}

/// A tenant that every rule is content with, as far as it can see.
fn good() -> Facts {
    Facts {
        now: now(),
        mfa: MfaPolicy { admins: AdminsProve::ByPasskey, ..MfaPolicy::default() },
        networks: Rules {
            trusted: vec![Trusted { label: "Office".into(), ranges: vec!["203.0.113.0/28".parse().unwrap()] }],
            verification: Verification::On,
            ..Rules::default()
        },
        accounts: vec![account("Anna", Role::Owner), account("Benno", Role::Owner), account("Carola", Role::Technician)],
        installers: Vec::new(),
        pending: (0, None),
        agents: vec![("0.1.0".into(), 12)],
        version: "0.1.0".into(),
        mail: Mail::Configured(MailFacts { last_sent: Some(now()), ..MailFacts::default() }),
        newest_record: Some(now()),
        codes: (5, 0),
        backup: Backup::Made(now().plus_secs(-3600)),
        sessions: (3, 0),
        clients: vec![client("nightly")],
        breached: BreachedList::Held(now().plus_secs(-30 * DAY)),
    }
}

fn rule(id: &str, facts: &Facts) -> Judged {
    let report = judge(facts, &Rights::of(Role::Owner));
    report.rules.into_iter().find(|judged| judged.rule.id == id).unwrap_or_else(|| panic!("no rule {id}"))
}

/// What a rule found: titles with severities.
fn found(id: &str, facts: &Facts) -> Vec<(Severity, String)> {
    match rule(id, facts).verdict {
        Verdict::Found(findings) => findings.into_iter().map(|one| (one.severity, one.title)).collect(),
        Verdict::Holds(_) | Verdict::Unseen(_) => Vec::new(),
    }
}

/// The facts with one account more.
fn with(one: Account) -> Facts {
    let mut facts = good();
    facts.accounts.push(one);
    facts
}

fn trusting(range: &str) -> Facts {
    let mut facts = good();
    facts.networks.trusted[0].ranges = vec![range.parse().unwrap()];
    facts
}

#[test]
fn a_good_configuration_holds_and_only_the_kit_cannot_be_seen() {
    for judged in judge(&good(), &Rights::of(Role::Owner)).rules {
        match (judged.rule.id, &judged.verdict) {
            ("P-10", Verdict::Unseen(_)) | (_, Verdict::Holds(_)) => {}
            (id, other) => panic!("{id}: {other:?}"),
        }
    }
}

#[test]
fn ids_are_unique_in_order_and_every_rule_says_what_it_wants() {
    let ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert!(RULES.iter().all(|rule| !rule.wants.is_empty()));
}

#[test]
fn az_01_whoever_may_not_read_what_a_rule_is_about_does_not_see_it() {
    let auditor = judge(&good(), &Rights::of(Role::Auditor));
    assert_eq!((auditor.rules.len(), auditor.hidden), (RULES.len(), 0));
    let technician = judge(&good(), &Rights::of(Role::Technician));
    assert!(technician.rules.iter().all(|judged| ["devices.read", "installers.read"].contains(&judged.rule.needs.name)));
    assert_eq!(technician.rules.len() + technician.hidden, RULES.len());
    let scoped = policy::Assignment {
        role: policy::AssignedRole::BuiltIn(Role::Admin),
        scope: policy::Scope::Customer(sallyport_model::CustomerId::from_bytes([1; 16])),
    };
    let scoped = judge(&good(), &Rights::new(vec![scoped]));
    assert_eq!((scoped.rules.len(), scoped.hidden), (0, RULES.len()), "a customer's administrator sees nothing of the tenant");
}

#[test]
fn p_01_and_02_say_who_is_outside_of_c1() {
    let bare = Account { totp: 0, passkeys: 0, codes_left: 0, ..account("Dora", Role::Auditor) };
    let refused = with(bare.clone());
    assert_eq!(found("P-01", &refused), [(Severity::Warning, "Dora has no second factor".into())]);
    assert!(found("P-02", &refused).is_empty() && outside_c1(&refused).is_empty());
    let mut allowed = refused;
    allowed.mfa = MfaPolicy { who: MfaWho::Admins, factorless: Factorless::Allowed, ..MfaPolicy::default() };
    assert_eq!(found("P-01", &allowed), [(Severity::Critical, "Dora has no second factor".into())]);
    assert_eq!(found("P-02", &allowed), [(Severity::Critical, "C1: held except 1 user (policy)".into())]);
    allowed.accounts.pop();
    assert_eq!(found("P-02", &allowed), [(Severity::Warning, "The policy allows sign-in without a factor".into())]);
    allowed.accounts.push(Account { state: AccountState::Disabled, ..bare });
    assert!(outside_c1(&allowed).is_empty(), "who cannot sign in is not outside");
}

#[test]
fn p_03_one_owner_is_too_few_and_one_without_a_factor_does_not_count() {
    let mut facts = good();
    facts.accounts[1].rights = Rights::of(Role::Admin);
    assert_eq!(found("P-03", &facts), [(Severity::Critical, "One owner".into())]);
    let mut facts = good();
    (facts.accounts[1].totp, facts.accounts[1].passkeys) = (0, 0);
    assert_eq!(found("P-03", &facts)[0].1, "One owner");
}

#[test]
fn p_04_and_05_look_at_the_factors_of_those_who_administer() {
    let mut facts = good();
    facts.accounts[0].passkeys = 0;
    assert!(found("P-04", &facts).is_empty(), "one has a passkey");
    assert_eq!(found("P-05", &facts), [(Severity::Warning, "Anna has only an authenticator app".into())]);
    facts.accounts[1].passkeys = 0;
    assert_eq!(found("P-04", &facts)[0].0, Severity::Critical);
    assert_eq!(found("P-05", &facts)[0].1, "Anna and Benno have only an authenticator app");
    facts.accounts[2].passkeys = 0;
    assert_eq!(found("P-05", &facts)[0].1, "Anna and Benno have only an authenticator app", "a technician does not administer");
}

#[test]
fn p_06_few_recovery_codes() {
    let few = |codes_left| found("P-06", &with(Account { codes_left, ..account("Dora", Role::Technician) }));
    assert_eq!((few(3).len(), few(2).len(), few(0).len()), (0, 1, 1));
}

#[test]
fn p_07_unused_accounts() {
    let since =
        |days: i64| found("P-07", &with(Account { last_sign_in: Some(now().plus_secs(-days * DAY)), ..account("Dora", Role::Auditor) }));
    assert_eq!((since(89).len(), since(91).len()), (0, 1));
    let never = Account { last_sign_in: None, ..account("Dora", Role::Auditor) };
    assert_eq!(found("P-07", &with(never.clone())).len(), 1);
    assert!(found("P-07", &with(Account { created: now(), ..never })).is_empty(), "it was made today");
}

#[test]
fn p_08_support_that_never_ends() {
    let until = |expires| found("P-08", &with(Account { expires, ..account("Sven", Role::Support) })).len();
    assert_eq!((until(None), until(Some(now().plus_secs(181 * DAY))), until(Some(now().plus_secs(30 * DAY)))), (1, 1, 0));
}

#[test]
fn p_09_invitations_that_nobody_answers() {
    let invited = |days: i64| {
        let created = now().plus_secs(-days * DAY);
        found("P-09", &with(Account { state: AccountState::Invited, created, totp: 0, passkeys: 0, ..account("Eva", Role::Technician) }))
            .len()
    };
    assert_eq!((invited(6), invited(8)), (0, 1));
}

#[test]
fn p_11_to_13_trusted_ranges() {
    for (range, ids) in [
        ("203.0.113.0/28", &[][..]),
        ("10.0.0.0/8", &["P-11", "P-12"][..]),
        ("10.20.0.0/22", &["P-12"]),
        ("100.64.3.0/24", &["P-12"]),
        ("fd00:1234::/48", &["P-12"]),
        ("2001:db8::/32", &["P-11"]),
        ("2001:db8:1::/48", &[]),
        ("3.5.140.0/22", &["P-13"]),
        ("95.217.12.0/24", &["P-13"]),
        ("34.0.0.0/8", &["P-11", "P-13"]),
        ("2a01:4f8:c2c::/48", &["P-13"]),
    ] {
        let facts = trusting(range);
        let hit: Vec<&str> = ["P-11", "P-12", "P-13"].into_iter().filter(|id| !found(id, &facts).is_empty()).collect();
        assert_eq!(hit, ids, "{range}");
    }
    assert!(found("P-11", &trusting("10.0.0.0/8"))[0].1.contains("10.0.0.0/8"));
}

#[test]
fn p_14_and_15_installers() {
    let installer = |days: i64, left: u32, network: Option<&str>| {
        let mut facts = good();
        facts.installers.push(Installer {
            id: InstallerId::from_bytes([1; 16]),
            label: "Porto".into(),
            created: now(),
            expires: now().plus_secs(days * DAY + 60),
            left,
            network: network.map(str::to_owned),
        });
        (found("P-14", &facts).len(), found("P-15", &facts).len())
    };
    assert_eq!(installer(3, 10, None), (0, 0));
    assert_eq!(installer(20, 10, None), (1, 0));
    assert_eq!(installer(3, 200, None), (0, 1));
    assert_eq!(installer(3, 200, Some("203.0.113.0/24")), (0, 0));
}

#[test]
fn p_16_and_17_addresses() {
    let mut facts = good();
    facts.networks.verification = Verification::Off;
    assert_eq!(found("P-16", &facts).len(), 1);
    let paused =
        |secs| found("P-17", &with(Account { paused_until: Some(now().plus_secs(secs)), ..account("Dora", Role::Technician) })).len();
    assert_eq!((paused(60), paused(0)), (1, 0), "a pause that is over is none");
}

#[test]
fn p_18_mail() {
    let said = |mail| {
        let facts = Facts { mail, ..good() };
        found("P-18", &facts).first().map(|one| one.0)
    };
    let sent = || MailFacts { last_sent: Some(now()), ..MailFacts::default() };
    assert_eq!(said(Mail::Absent), Some(Severity::Warning));
    assert_eq!(said(Mail::Configured(MailFacts::default())), Some(Severity::Warning), "nothing was ever sent");
    assert_eq!(said(Mail::Configured(MailFacts { failed: 1, ..sent() })), Some(Severity::Critical));
    assert_eq!(said(Mail::Configured(MailFacts { waiting: 2, last_error: Some("550".into()), ..sent() })), Some(Severity::Warning));
    assert_eq!(said(Mail::Configured(MailFacts { waiting: 2, ..sent() })), None, "it is on its way");
}

#[test]
fn p_19_clock() {
    let with = |ahead: i64, codes| Facts { newest_record: Some(now().plus_secs(ahead)), codes, ..good() };
    assert_eq!(found("P-19", &with(60, (5, 0)))[0].0, Severity::Critical);
    assert_eq!(found("P-19", &with(0, (5, 3)))[0].0, Severity::Warning);
    assert!(found("P-19", &with(0, (5, 2))).is_empty());
    assert!(matches!(rule("P-19", &with(0, (2, 2))).verdict, Verdict::Unseen(_)), "two say nothing");
}

#[test]
fn p_20_backup() {
    let said = |backup| found("P-20", &Facts { backup, ..good() }).first().map(|one| one.0);
    let hours = |hours: i64| Backup::Made(now().plus_secs(-hours * 3600));
    assert_eq!((said(hours(25)), said(hours(27)), said(hours(8 * 24))), (None, Some(Severity::Warning), Some(Severity::Critical)));
    assert_eq!(said(Backup::Never), Some(Severity::Critical));
    assert!(matches!(rule("P-20", &Facts { backup: Backup::Elsewhere, ..good() }).verdict, Verdict::Unseen(_)));
}

#[test]
fn p_21_and_22_devices() {
    let agents =
        |agents: &[(&str, u64)]| Facts { agents: agents.iter().map(|(version, count)| ((*version).into(), *count)).collect(), ..good() };
    assert_eq!(found("P-21", &agents(&[("0.0.9", 3), ("0.1.0", 5)]))[0].1, "3 devices have older agents");
    assert!(found("P-21", &agents(&[("0.1.0", 5), ("0.2.0", 1)])).is_empty());
    let waits = |days: i64| found("P-22", &Facts { pending: (2, Some(now().plus_secs(-days * DAY))), ..good() });
    assert!(waits(2).is_empty());
    assert_eq!(waits(4)[0].1, "2 devices wait for approval, the first for 4 days");
}

#[test]
fn p_23_sessions_without_a_key() {
    assert_eq!(found("P-23", &Facts { sessions: (3, 1), ..good() })[0].0, Severity::Critical);
}

#[test]
fn p_24_api_clients_that_work_from_too_many_addresses() {
    let from = |ranges: &[&str]| {
        let networks = ranges.iter().map(|range| range.parse().unwrap()).collect();
        found("P-24", &with_client(ApiClient { networks, ..client("nightly") }))
    };
    assert_eq!(from(&[]), [(Severity::Critical, "API client “nightly” works from everywhere".into())]);
    assert_eq!(
        from(&["203.0.113.7/32", "128.0.0.0/1"]),
        [(Severity::Warning, "API client “nightly” works from all of 128.0.0.0/1".into())]
    );
    assert!(from(&["198.51.0.0/20", "2001:db8:1::/48"]).is_empty());
}

#[test]
fn p_25_api_clients_that_nobody_uses() {
    let used = |created: i64, last: Option<i64>| {
        let last_used = last.map(|days| now().plus_secs(-days * DAY));
        found("P-25", &with_client(ApiClient { created: now().plus_secs(-created * DAY), last_used, ..client("nightly") })).len()
    };
    assert_eq!((used(13, None), used(15, None), used(300, Some(59)), used(300, Some(61))), (0, 1, 0, 1));
    let stopped = Some((crate::automation::Stopped::ByPerson, now()));
    assert!(found("P-25", &with_client(ApiClient { last_used: None, stopped, ..client("nightly") })).is_empty(), "it does not work");
}

#[test]
fn p_26_api_clients_that_end_soon() {
    let ends = |days: i64| found("P-26", &with_client(ApiClient { expires: now().plus_secs(days * DAY), ..client("nightly") }));
    assert_eq!(ends(3), [(Severity::Warning, "API client “nightly” ends soon".into())]);
    assert!(ends(15).is_empty());
    assert!(ends(-1).is_empty(), "it has ended");
}

#[test]
fn p_27_keys_that_were_not_replaced_and_keys_that_came_back() {
    use crate::automation::{Rotation, Stopped};
    let aged = |rotation, days: i64| {
        let one = ApiClient { rotation, key_created: now().plus_secs(-days * DAY), ..client("nightly") };
        found("P-27", &with_client(one)).len()
    };
    assert_eq!((aged(Rotation::Daily, 0), aged(Rotation::Daily, 2)), (0, 1));
    assert_eq!((aged(Rotation::ByHand, 2), aged(Rotation::ByHand, 89), aged(Rotation::ByHand, 90)), (0, 0, 1));
    let stopped =
        |why, days: i64| found("P-27", &with_client(ApiClient { stopped: Some((why, now().plus_secs(-days * DAY))), ..client("nightly") }));
    assert_eq!(
        stopped(Stopped::KeyReused, 0),
        [(Severity::Critical, "API client “nightly” was stopped: a key that it had replaced came back".into())]
    );
    assert_eq!(stopped(Stopped::RotationMissed, 2)[0].0, Severity::Warning);
    assert!(stopped(Stopped::KeyReused, 15).is_empty() && stopped(Stopped::ByPerson, 0).is_empty());
}

#[test]
fn p_28_a_list_of_breached_passwords_is_there_and_not_old() {
    let held = |breached| found("P-28", &Facts { breached, ..good() });
    assert_eq!(held(BreachedList::Absent), [(Severity::Warning, "Only the most common passwords are known".into())]);
    assert_eq!(
        held(BreachedList::Held(now().plus_secs(-366 * DAY))),
        [(Severity::Warning, "The list of breached passwords is 366 days old".into())]
    );
    assert!(held(BreachedList::Held(now().plus_secs(-365 * DAY))).is_empty() && held(BreachedList::Asked).is_empty());
}

#[test]
fn p_29_a_code_of_an_administrator_is_too_little() {
    let facts = Facts { mfa: MfaPolicy::default(), ..good() };
    assert_eq!(found("P-29", &facts), [(Severity::Warning, "Administrators may sign in with a code".into())]);
    assert!(found("P-29", &good()).is_empty());
}

#[test]
fn oa_22_p_30_device_codes_are_found_while_they_are_on() {
    let facts = Facts { mfa: MfaPolicy { device_codes: DeviceCodes::Allowed, ..good().mfa }, ..good() };
    assert_eq!(found("P-30", &facts), [(Severity::Warning, "Programs may sign in by device code".into())]);
    assert!(found("P-30", &good()).is_empty());
}
