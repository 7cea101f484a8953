//! What was tried, and what came of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sallyport_testkit::client::Reply;
use serde::Serialize;

/// All claims.
#[derive(Serialize)]
pub(crate) struct Report {
    schema: &'static str,
    commit: String,
    database: &'static str,
    profile: &'static str,
    claims: Vec<Claim>,
}

/// One claim with its attacks.
#[derive(Serialize)]
pub(crate) struct Claim {
    id: &'static str,
    state: State,
    attacks: Vec<Attack>,
    /// Users outside of it by the tenant's own policy, as posture counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    except_users: Option<u64>,
    #[serde(skip)]
    words: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Held,
    Broken,
    NotBuilt,
}

/// One kind of attack, tried many times.
#[derive(Serialize)]
pub(crate) struct Attack {
    id: &'static str,
    attempts: u64,
    refused: u64,
    /// How often was refused with which code.
    codes: BTreeMap<String, u64>,
    /// Whether the legitimate twin succeeded.
    control_ok: bool,
    max_ms: u64,
    #[serde(skip)]
    words: &'static str,
    /// What got through, for people.
    #[serde(skip)]
    through: Vec<String>,
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this code.
    Refused(String),
    Through,
}

impl Outcome {
    /// Whatever is no success was refused.
    pub(crate) fn of(reply: &Reply) -> Self {
        match reply.status {
            200..=299 => Self::Through,
            _ => Self::Refused(code_of(reply)),
        }
    }

    /// An answer that does no harm counts as refused.
    pub(crate) fn unless(harmless: bool, code: impl Into<String>) -> Self {
        if harmless { Self::Refused(code.into()) } else { Self::Through }
    }
}

/// The stable code of an answer, or its status.
pub(crate) fn code_of(reply: &Reply) -> String {
    let code = reply.code();
    if code.is_empty() { format!("http_{}", reply.status) } else { code }
}

impl Attack {
    pub(crate) fn new(id: &'static str, words: &'static str) -> Self {
        Self { id, attempts: 0, refused: 0, codes: BTreeMap::new(), control_ok: false, max_ms: 0, words, through: Vec::new() }
    }

    /// Notes an attempt that began at `begun` and ended now.
    pub(crate) fn tried(&mut self, what: &str, outcome: Outcome, begun: Instant) {
        self.attempts += 1;
        self.max_ms = self.max_ms.max(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        match outcome {
            Outcome::Refused(code) => {
                self.refused += 1;
                *self.codes.entry(code).or_default() += 1;
            }
            Outcome::Through => self.through.push(what.to_owned()),
        }
    }

    /// Says whether the legitimate twin succeeded.
    pub(crate) fn control(mut self, ok: bool) -> Self {
        self.control_ok = ok;
        self
    }

    fn held(&self) -> bool {
        self.control_ok && self.attempts > 0 && self.refused == self.attempts
    }
}

impl Claim {
    /// Holds where all of its attacks were refused.
    pub(crate) fn built(id: &'static str, words: &'static str, attacks: Vec<Attack>) -> Self {
        let held = !attacks.is_empty() && attacks.iter().all(Attack::held);
        Self { id, state: if held { State::Held } else { State::Broken }, attacks, except_users: None, words }
    }

    /// Attacks on what there is of it may break it; they cannot show that it holds.
    pub(crate) fn not_built(id: &'static str, words: &'static str, attacks: Vec<Attack>) -> Self {
        let state = if attacks.iter().all(Attack::held) { State::NotBuilt } else { State::Broken };
        Self { id, state, attacks, except_users: None, words }
    }

    /// Says how many users are outside of it by the tenant's own policy.
    pub(crate) fn except(mut self, users: u64) -> Self {
        self.except_users = (users > 0).then_some(users);
        self
    }

    /// `held`, `held except 3 users (policy)`, `BROKEN`, `not built`.
    fn standing(&self) -> String {
        match (self.state, self.except_users) {
            (State::Held, Some(1)) => "held except 1 user (policy)".to_owned(),
            (State::Held, Some(users)) => format!("held except {users} users (policy)"),
            (State::Held, None) => "held".to_owned(),
            (State::Broken, _) => "BROKEN".to_owned(),
            (State::NotBuilt, _) => "not built".to_owned(),
        }
    }
}

impl Report {
    pub(crate) fn new(claims: Vec<Claim>) -> Self {
        Self { schema: "sallyport.claims/1", commit: commit(), database: "sqlite", profile: "starter", claims }
    }

    /// 0 held, 1 broken, 3 something not built.
    pub(crate) fn exit_code(&self) -> u8 {
        let any = |state| self.claims.iter().any(|claim| claim.state == state);
        match (any(State::Broken), any(State::NotBuilt)) {
            (true, _) => 1,
            (false, true) => 3,
            (false, false) => 0,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(crate) fn print(&self, took: Duration) {
        for claim in &self.claims {
            println!("{} {}: {}", claim.id, claim.standing(), claim.words);
            claim.attacks.iter().for_each(print_attack);
        }
        println!("profile {}, database {}, {:.0} s", self.profile, self.database, took.as_secs_f64());
    }
}

fn print_attack(attack: &Attack) {
    let codes: Vec<String> = attack.codes.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let control = if attack.control_ok { "control ok" } else { "CONTROL FAILED" };
    let (refused, attempts) = (attack.refused, attack.attempts);
    println!(
        "  {:<8}{refused:>4}/{attempts:<5}{:<68}{control}, at most {} ms; {}",
        attack.id,
        attack.words,
        attack.max_ms,
        codes.join(", ")
    );
    attack.through.iter().for_each(|what| println!("          GOT THROUGH: {what}"));
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(refused: u64, control: bool) -> Attack {
        let mut attack = Attack::new("A23", "words");
        for number in 0..3 {
            let outcome = if number < refused { Outcome::Refused("used".to_owned()) } else { Outcome::Through };
            attack.tried("this", outcome, Instant::now());
        }
        attack.control(control)
    }

    #[test]
    fn the_report_has_the_shape_that_is_promised() {
        let report =
            Report { commit: "c".into(), ..Report::new(vec![Claim::built("C2", "words", vec![Attack { max_ms: 41, ..attack(3, true) }])]) };
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let wanted = serde_json::json!({
            "schema": "sallyport.claims/1", "commit": "c", "database": "sqlite", "profile": "starter",
            "claims": [{ "id": "C2", "state": "held", "attacks": [
                { "id": "A23", "attempts": 3, "refused": 3, "codes": { "used": 3 }, "control_ok": true, "max_ms": 41 },
            ] }],
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn c1_users_outside_of_a_claim_are_counted_beside_it() {
        let claim = |users| Claim::built("C1", "words", vec![attack(3, true)]).except(users);
        assert_eq!(
            [claim(0), claim(1), claim(4)].map(|claim| claim.standing()),
            ["held", "held except 1 user (policy)", "held except 4 users (policy)"]
        );
        assert_eq!(Claim::built("C1", "words", vec![attack(2, true)]).except(4).standing(), "BROKEN");
        assert_eq!(serde_json::to_value(claim(4)).unwrap()["except_users"], serde_json::json!(4));
    }

    #[test]
    fn a_claim_holds_only_if_everything_was_refused_and_every_control_succeeded() {
        let state = |attacks| Claim::built("C1", "", attacks).state;
        assert_eq!(state(vec![attack(3, true)]), State::Held);
        assert_eq!(state(vec![attack(3, true), attack(2, true)]), State::Broken);
        assert_eq!(state(vec![attack(3, false)]), State::Broken);
        assert_eq!(state(Vec::new()), State::Broken, "nothing was tried");
        assert_eq!(Claim::not_built("C4", "", Vec::new()).state, State::NotBuilt);
        assert_eq!(Claim::not_built("C5", "", vec![attack(2, true)]).state, State::Broken);
    }

    #[test]
    fn exit_codes_say_broken_before_not_built() {
        let claims = |built: u64| vec![Claim::built("C1", "", vec![attack(built, true)]), Claim::not_built("C4", "", Vec::new())];
        assert_eq!(Report::new(claims(3)).exit_code(), 3);
        assert_eq!(Report::new(claims(2)).exit_code(), 1);
        assert_eq!(Report::new(vec![Claim::built("C1", "", vec![attack(3, true)])]).exit_code(), 0);
    }
}
