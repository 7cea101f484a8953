//! Integration tests: one binary, a module for each area.

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod automation;
#[cfg(test)]
mod bridge;
#[cfg(test)]
mod browser_login;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod fanout;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod logging;
#[cfg(test)]
mod on_a_terminal;
#[cfg(test)]
mod people;
#[cfg(test)]
mod posture;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod seeded;
#[cfg(test)]
mod story;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod webhooks;
