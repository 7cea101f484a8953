//! Operations on people as they are shown before they are proved. All names came from people: made harmless here.

use sallyport_api as api;

use crate::clock;
use crate::safe::one_line;
use crate::say;
use crate::screen::Screen;

/// Shows what an operation on people or on the policy does.
pub(crate) fn action(screen: Screen, action: &api::ActionDetails) {
    match action {
        api::ActionDetails::InviteUser(invited) => screen.facts(&[
            ("invited", format!("{} <{}>", one_line(&invited.name), one_line(&invited.email))),
            ("roles", assignments(&invited.assignments)),
            ("ends", say::relative_or_dash(invited.expires, clock::now())),
        ]),
        api::ActionDetails::DisableUsers(people) | api::ActionDetails::EnableUsers(people) => persons(screen, &people.users),
        api::ActionDetails::ChangeRole(change) => screen.facts(&[
            ("user", person(&change.user)),
            ("until now", assignments(&change.before)),
            ("from now on", assignments(&change.after)),
            ("ends", say::relative_or_dash(change.expires, clock::now())),
        ]),
        api::ActionDetails::RequireMfa(wanted) => {
            persons(screen, &wanted.users);
            screen.facts(&[("must have a factor", yes_no(wanted.required).to_owned())]);
        }
        api::ActionDetails::ResetFactor(reset) => screen.facts(&[
            ("user", person(&reset.user)),
            ("made sure", if reset.confirmed == api::Confirmed::InPerson { "in person" } else { "by call" }.to_owned()),
            ("takes", takes(reset.takes).to_owned()),
        ]),
        other => settings(screen, other),
    }
}

fn settings(screen: Screen, action: &api::ActionDetails) {
    match action {
        api::ActionDetails::ChangeMfaPolicy(change) => {
            screen.facts(&[("until now", mfa_policy(&change.before)), ("from now on", mfa_policy(&change.after))]);
        }
        api::ActionDetails::ChangeSessionLimits(change) => {
            screen.facts(&[("until now", session_limits(change.before)), ("from now on", session_limits(change.after))]);
        }
        api::ActionDetails::SaveRole(role) | api::ActionDetails::DeleteRole(role) => screen.facts(&[
            ("role", one_line(&role.name)),
            ("users", role.users.to_string()),
            ("until now", one_line(&role.before.join(", "))),
            ("from now on", one_line(&role.after.join(", "))),
        ]),
        _ => {}
    }
}

fn persons(screen: Screen, users: &[api::Person]) {
    for user in users {
        screen.say(format!("  {}", person(user)));
    }
}

fn person(person: &api::Person) -> String {
    format!("{} <{}>", one_line(&person.name), one_line(&person.email))
}

/// `technician of Nordwind, auditor of Example`.
pub(crate) fn assignments(assignments: &[api::Assignment]) -> String {
    let one = |assignment: &api::Assignment| format!("{} of {}", one_line(&assignment.role_name), one_line(&assignment.scope.name));
    assignments.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn yes_no(answer: api::YesNo) -> &'static str {
    if answer == api::YesNo::Yes { "yes" } else { "no" }
}

fn takes(takes: api::ResetTakes) -> &'static str {
    match takes {
        api::ResetTakes::OneAdmin => "one administrator",
        api::ResetTakes::TwoPeople => "two people",
        api::ResetTakes::Hold => "24 h, in which the user can stop it",
    }
}

pub(crate) fn mfa_policy(policy: &api::MfaPolicy) -> String {
    let who = match policy.who {
        api::MfaWho::Admins => "owners and administrators".to_owned(),
        api::MfaWho::All => "everybody".to_owned(),
        api::MfaWho::Roles => format!("owners, administrators, {}", one_line(&policy.roles.join(", "))),
    };
    let until = policy.deadline.map_or_else(String::new, |deadline| format!(", by {}", say::relative(deadline, clock::now())));
    let factorless = if policy.factorless == api::YesNo::Yes { "; the others may read without one" } else { "" };
    let passkey = if policy.admins_passkey == Some(api::YesNo::Yes) { "; owners and administrators use passkeys alone" } else { "" };
    let codes = if policy.device_codes == Some(api::YesNo::Yes) { "; programs may sign in by device code" } else { "" };
    format!("{who} must have a factor{until}{factorless}{passkey}{codes}")
}

pub(crate) fn session_limits(limits: api::SessionLimits) -> String {
    format!("{} unused, {} at most", say::length(i64::from(limits.idle_secs)), say::length(i64::from(limits.lifetime_secs)))
}
