//! C3: an authorization is for exactly these bytes on exactly these devices, once, for minutes. The agents refuse everything else.
//!
//! The attacker stands where the server is: he holds the link key, has seen genuine offers and other devices' genuine offers, and
//! says what he likes. The real agent is a process of its own; whether a script ran shows in a file and not in what the agent says.

mod forgery;

use std::time::{Duration, Instant};

use sallyport_wire::GrantOffer;

use crate::hostile::{Captive, capture, id_of};
use crate::relay::Mode;
use crate::report::{Attack, Outcome};
use crate::world::{Wanted, World};
use forgery::Forgery;

/// Offers of one grant after it was used, and after the agent's restart.
const REPLAYS: usize = 20;
const DAY_SECS: i64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(30);

/// Genuine offers, as the attacker saw them.
struct Loot {
    first: GrantOffer,
    second: GrantOffer,
    burst: GrantOffer,
    swapped: GrantOffer,
    turned: GrantOffer,
}

pub(crate) async fn attack(world: &mut World) -> Vec<Attack> {
    world.relay.switch(Mode::Keep);
    // Otherwise the server's own link might still deliver what the attacker is to see first.
    world.operator.wait_for("state=offline", 2, PATIENCE).await;
    let loot = Loot {
        first: world.genuine("first", Wanted::Real).await,
        second: world.genuine("second", Wanted::Real).await,
        burst: world.genuine("burst", Wanted::Real).await,
        swapped: world.genuine("swapped", Wanted::Real).await,
        turned: world.genuine("turned", Wanted::Turned).await,
    };
    let mut captive = capture(&mut world.relay, &world.link, &world.real.key).await;
    let mut forged = Vec::new();
    for (id, words, forgeries) in [
        ("A25", "other bytes than the authorized ones", forgery::other_bytes(&loot.first, &loot.second)),
        ("A26", "another device's, another tenant's, other targets", forgery::other_targets(&loot.first, &loot.turned, &world.real.key)),
        ("A33", "signed by whoever is not the attestation key", forgery::other_signers(&loot.first, &loot.second, &world.link)),
    ] {
        forged.push(try_all(world, &mut captive, Attack::new(id, words), forgeries, &loot.turned).await);
    }
    let swap = swapped_content(world, &mut captive, &loot).await;
    let (finished, replay) = replayed(world, captive, &loot).await;
    let strange = strange_device(world, &loot, forged.remove(1)).await;
    forged.insert(1, strange);
    let turned = turned_clock(world, &loot).await;
    world.relay.switch(Mode::Pass);
    // The twin of every forgery is the genuine offer, untouched: it ran.
    let mut attacks: Vec<Attack> = forged.into_iter().map(|attack| attack.control(finished)).collect();
    attacks.extend([replay, swap, turned]);
    attacks
}

async fn try_all(world: &World, captive: &mut Captive, mut attack: Attack, forgeries: Vec<Forgery>, sure: &GrantOffer) -> Attack {
    for (what, offer) in forgeries {
        let begun = Instant::now();
        let said = captive.try_on(offer, sure).await;
        let ran = world.lines("first") + world.lines("second") + world.lines("turned") + world.lines(forgery::EVIL_LINE);
        attack.tried(what, if ran > 0 { Outcome::Through } else { said }, begun);
    }
    attack
}

/// One grant, offered with other content before, between and after; only the authorized content may run, and that once.
async fn swapped_content(world: &World, captive: &mut Captive, loot: &Loot) -> Attack {
    let mut attack = Attack::new("A28", "the content swapped while the grant is on its way");
    let evil = forgery::with_content(&loot.swapped, forgery::evil(&loot.swapped));
    let begun = Instant::now();
    let grant = id_of(&loot.swapped).expect("a genuine offer");
    let before = [evil.clone(), evil.clone()];
    let followed = captive.follow(before.into_iter().chain([loot.swapped.clone(), evil.clone(), evil]), grant).await;
    for number in 0..4 {
        let harmless = world.lines(forgery::EVIL_LINE) == 0 && world.lines("swapped") <= 1;
        let code = followed.refusals.get(number).cloned().unwrap_or_else(|| "not_run".to_owned());
        attack.tried("swapped content", Outcome::unless(harmless, code), begun);
    }
    attack.control(followed.finished == 1 && world.lines("swapped") == 1)
}

/// The genuine offer runs once; then it is offered again and again, also after the agent was killed, and in a burst.
async fn replayed(world: &mut World, mut captive: Captive, loot: &Loot) -> (bool, Attack) {
    let mut attack = Attack::new("A27", "a used grant again, in a burst, after the agent's restart");
    let grant = id_of(&loot.first).expect("a genuine offer");
    let finished = captive.follow([loot.first.clone()], grant).await.finished == 1 && world.lines("first") == 1;
    again(world, &mut captive, &mut attack, loot, REPLAYS).await;

    let begun = Instant::now();
    let grant = id_of(&loot.burst).expect("a genuine offer");
    let burst = captive.follow(std::iter::repeat_n(loot.burst.clone(), REPLAYS), grant).await;
    for _ in 1..REPLAYS {
        attack.tried("in a burst", Outcome::unless(world.lines("burst") <= 1, "known"), begun);
    }
    drop(captive);
    world.machine.kill();
    world.machine.start();
    let mut captive = capture(&mut world.relay, &world.link, &world.real.key).await;
    again(world, &mut captive, &mut attack, loot, REPLAYS).await;
    let begun = Instant::now();
    let once = ["first", "swapped", "burst"].iter().all(|name| world.lines(name) == 1);
    let nothing_else = ["second", "turned", forgery::EVIL_LINE].iter().all(|name| world.lines(name) == 0);
    attack.tried("what the file says in the end", Outcome::unless(once && nothing_else, "once"), begun);
    (finished, attack.control(finished && burst.finished == 1))
}

async fn again(world: &World, captive: &mut Captive, attack: &mut Attack, loot: &Loot, times: usize) {
    for _ in 0..times {
        let begun = Instant::now();
        let said = captive.try_on(loot.first.clone(), &loot.turned).await;
        attack.tried("a used grant", if world.lines("first") > 1 { Outcome::Through } else { said }, begun);
    }
}

/// A device with another key: a neighbour, a clone, or the same machine after it was enrolled anew.
async fn strange_device(world: &mut World, loot: &Loot, mut attack: Attack) -> Attack {
    let mut captive = capture(&mut world.relay, &world.link, &world.turned.key).await;
    for offer in [&loot.first, &loot.second, &loot.burst] {
        let begun = Instant::now();
        let said = captive.try_on(offer.clone(), &loot.first).await;
        attack.tried("a device with another key", if world.turned_fleet.tally().begun() > 0 { Outcome::Through } else { said }, begun);
    }
    attack
}

/// A genuine offer on a device whose clock somebody turned.
async fn turned_clock(world: &mut World, loot: &Loot) -> Attack {
    let mut attack = Attack::new("A22", "the device's clock turned out of the grant's window");
    let mut captive = capture(&mut world.relay, &world.link, &world.turned.key).await;
    for (what, turn_secs) in
        [("a day ahead", DAY_SECS), ("16 minutes ahead", 16 * 60), ("a day behind", -DAY_SECS), ("10 minutes behind", -600)]
    {
        world.clock.advance(turn_secs);
        let begun = Instant::now();
        let said = captive.try_on(loot.turned.clone(), &loot.first).await;
        attack.tried(what, if world.turned_fleet.tally().begun() > 0 { Outcome::Through } else { said }, begun);
        world.clock.advance(-turn_secs);
    }
    let followed = captive.follow([loot.turned.clone()], id_of(&loot.turned).expect("a genuine offer")).await;
    attack.control(followed.finished == 1 && world.turned_fleet.tally().begun() == 1)
}
