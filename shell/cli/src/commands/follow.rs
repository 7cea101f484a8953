//! Following a job: a bar by state, a line for each device that ended, Ctrl-C, and the results.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sallyport_api as api;
use sallyport_api::RunState;
use sallyport_model::RunId;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::say;
use crate::screen::{Form, Screen, Tone, remark};

use super::interrupt::{Interrupt, Wish};
use super::results;

/// How often is asked at first, and after the first minute.
const SOON: Duration = Duration::from_millis(300);
const LATER: Duration = Duration::from_secs(2);
/// How long the server may be away before following gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Devices whose lines are printed one by one; beyond, the bar and the groups say enough.
const LINES: usize = 200;

/// Says how to look at a job later.
pub(super) fn detached(client: &mut Client, screen: Screen, id: &str) -> Result<Outcome, Failure> {
    let job: api::Job = client.read(&format!("/v1/jobs/{id}"))?;
    screen.give(&job, |screen| {
        screen.say_in(Tone::Good, format!("{id} runs on {}.", say::devices(count(job.counts.total))));
        screen.say(format!("Look at it with: sallyport jobs follow {id}"));
    });
    Ok(Outcome::Done)
}

/// Follows a job to its end and shows its results.
pub(super) fn follow(client: &mut Client, screen: Screen, id: &str) -> Result<Outcome, Failure> {
    let mut watch =
        Watch { client, screen, id, bar: bar(screen), told: BTreeSet::new(), interrupt: Interrupt::watch(), begun: Instant::now() };
    let over = watch.look_until_over();
    watch.bar.finish_and_clear();
    if let Ok(Some(job)) = over {
        return results::show(client, screen, &job);
    }
    // Whoever stops looking, or can look no more, knows how to look again at what there is.
    if !over.as_ref().is_err_and(|failure| failure.is_refusal(api::Code::NotFound)) {
        remark(format!("The runs go on. Look at them with: sallyport jobs follow {id}"));
    }
    over.map(|_| Outcome::Left)
}

struct Watch<'a> {
    client: &'a mut Client,
    screen: Screen,
    id: &'a str,
    bar: ProgressBar,
    told: BTreeSet<RunId>,
    interrupt: Interrupt,
    begun: Instant,
}

impl Watch<'_> {
    /// The job, once it is over; nothing where its person left before.
    fn look_until_over(&mut self) -> Result<Option<api::Job>, Failure> {
        let mut ended_before = 0;
        loop {
            let job = match self.job() {
                Err(Failure::Unreachable { .. }) if self.interrupt.is_pressed() => return Ok(None),
                other => other?,
            };
            let ended = ended(&job.counts);
            self.draw(&job);
            if ended != ended_before {
                self.tell_ended(&job)?;
                ended_before = ended;
            }
            if ended == job.counts.total {
                return Ok(Some(job));
            }
            match self.pause() {
                Wish::Stay => {}
                Wish::Cancel => self.client.act(Method::POST, &format!("/v1/jobs/{}/cancel", self.id))?,
                Wish::Detach => return Ok(None),
            }
        }
    }

    /// Reads the job; a server that is away for a moment does not end anything.
    fn job(&mut self) -> Result<api::Job, Failure> {
        let since = Instant::now();
        loop {
            match self.client.read(&format!("/v1/jobs/{}", self.id)) {
                Err(Failure::Unreachable { .. }) if since.elapsed() < PATIENCE && !self.interrupt.is_pressed() => {
                    self.bar.set_message("the server does not answer; trying again");
                    sleep(LATER);
                }
                other => return other,
            }
        }
    }

    fn draw(&self, job: &api::Job) {
        let api::RunCounts { total, waiting, running, succeeded, failed, refused, other } = job.counts;
        let states = [
            (running, "running"),
            (waiting, "waiting"),
            (succeeded, "succeeded"),
            (failed, "failed"),
            (refused, "refused"),
            (other, "other"),
        ];
        let told: Vec<String> = states.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}")).collect();
        self.bar.set_length(total);
        self.bar.set_position(ended(&job.counts));
        self.bar.set_message(told.join(", "));
    }

    fn tell_ended(&mut self, job: &api::Job) -> Result<(), Failure> {
        if self.screen.form() == Form::Json || job.counts.total > LINES as u64 {
            return Ok(());
        }
        for run in runs(self.client, self.id)?.iter().filter(|run| results::is_over(run.state)) {
            if self.told.insert(run.id) {
                let line = line(self.screen, run);
                self.bar.suspend(|| self.screen.say(line));
            }
        }
        Ok(())
    }

    /// Waits for the next look, and asks after Ctrl-C.
    fn pause(&self) -> Wish {
        let pause = if self.begun.elapsed() < Duration::from_secs(60) { SOON } else { LATER };
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if self.interrupt.is_pressed() {
                return self.bar.suspend(|| self.interrupt.wish());
            }
            sleep(Duration::from_millis(50));
        }
        Wish::Stay
    }
}

/// Runs that ended; of numbers that do not fit together, none did.
fn ended(counts: &api::RunCounts) -> u64 {
    counts.total.saturating_sub(counts.waiting).saturating_sub(counts.running)
}

/// All runs of a job.
pub(super) fn runs(client: &mut Client, job: &str) -> Result<Vec<api::Run>, Failure> {
    client.read_all(&format!("/v1/jobs/{job}/runs"), &Query::default().with("limit", "1000"))
}

fn line(screen: Screen, run: &api::Run) -> String {
    let time = match (run.started, run.ended) {
        (Some(started), Some(ended)) => format!(", {}", say::took(started, ended)),
        _ => String::new(),
    };
    let mark = if run.state == RunState::Succeeded { screen.painted(Tone::Good, "ok  ") } else { screen.painted(Tone::Bad, "FAIL") };
    format!("{mark} {}  {}{time}, {} of output", one_line(&run.device_name), results::ending(run), say::bytes(run.output_bytes))
}

fn bar(screen: Screen) -> ProgressBar {
    // Hides itself where standard error is no terminal.
    let target = if screen.form() == Form::Json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos}/{len}  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
