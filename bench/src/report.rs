//! Rows as people and programs read them.

use serde::Serialize;

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    schema: &'static str,
    commit: String,
    machine: String,
    rows: Vec<Row>,
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    pub(crate) variant: String,
    pub(crate) unit: &'static str,
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Runs that never had a result.
    pub(crate) lost: u64,
    /// Runs that began twice.
    pub(crate) doubled: u64,
    pub(crate) baseline: Option<Baseline>,
    /// `p50` divided by the baseline's.
    pub(crate) ratio: Option<f64>,
    pub(crate) budget: Option<Budget>,
    /// Absent where the budget is relative to something that was not measured in this run.
    pub(crate) met: Option<bool>,
}

/// What a row is compared with.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Baseline {
    pub(crate) name: &'static str,
    /// Absent where it was not measured.
    pub(crate) p50: Option<f64>,
    pub(crate) same_run: bool,
}

/// A limit: for the ratio where there is a baseline, for `p50` otherwise.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Budget {
    pub(crate) op: Op,
    pub(crate) value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Op {
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">=")]
    AtLeast,
}

impl Row {
    /// A row of values in no order.
    pub(crate) fn of(scenario: &'static str, variant: impl Into<String>, unit: &'static str, values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (p50, p99) = (at(&sorted, 0.50), at(&sorted, 0.99));
        let variant = variant.into();
        Self {
            scenario,
            variant,
            unit,
            n: values.len(),
            p50,
            p99,
            lost: 0,
            doubled: 0,
            baseline: None,
            ratio: None,
            budget: None,
            met: None,
        }
    }

    pub(crate) fn lost(mut self, lost: u64, doubled: u64) -> Self {
        (self.lost, self.doubled) = (lost, doubled);
        self
    }

    /// Compared with something that was measured in this run.
    pub(crate) fn against(mut self, name: &'static str, p50: f64) -> Self {
        self.baseline = Some(Baseline { name, p50: Some(p50), same_run: true });
        self.ratio = (p50 > 0.0).then(|| round(self.p50 / p50));
        self
    }

    /// To be compared with something that is not on this machine.
    pub(crate) fn against_absent(mut self, name: &'static str) -> Self {
        self.baseline = Some(Baseline { name, p50: None, same_run: false });
        self
    }

    /// Compared with the median of what a peer reached in this run, where it ran.
    pub(crate) fn beside(self, name: &'static str, values: Option<&Vec<f64>>) -> Self {
        match values {
            Some(values) => self.against(name, Self::of("", "", "", values).p50),
            None => self.against_absent(name),
        }
    }

    pub(crate) fn budget(mut self, op: Op, value: f64) -> Self {
        self.budget = Some(Budget { op, value });
        let measured = if self.baseline.is_some() { self.ratio } else { Some(self.p50) };
        self.met = measured.map(|measured| match op {
            Op::AtMost => measured <= value,
            Op::AtLeast => measured >= value,
        });
        self
    }
}

/// Nearest rank.
fn at(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().map_or(0.0, round)
}

/// Four digits are more than such measurements are worth.
fn round(value: f64) -> f64 {
    let scale = 10f64.powi(3 - value.abs().max(1e-9).log10().floor() as i32);
    (value * scale).round() / scale
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { schema: "sallyport.bench/1", commit: commit(), machine: machine(), rows: Vec::new() }
    }

    /// Adds rows and shows them at once.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        if self.rows.is_empty() && !rows.is_empty() {
            println!("{}\n{:<9}{:<34}{:>7}{:>12}{:>12}  {:<22}budget", self.machine, "scenario", "variant", "n", "p50", "p99", "unit");
        }
        rows.iter().for_each(|row| println!("{}", line(row)));
        self.rows.extend(rows);
    }

    /// What did not hold, after everything else.
    pub(crate) fn print_last(&self) {
        let missed = self.rows.iter().filter(|row| row.met == Some(false)).count();
        let open = self.rows.iter().filter(|row| row.budget.is_some() && row.met.is_none()).count();
        println!("{} rows, {missed} budgets missed, {open} relative to something that is not on this machine", self.rows.len());
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

fn line(row: &Row) -> String {
    let budget = row.budget.map(|budget| {
        let op = if budget.op == Op::AtMost { "<=" } else { ">=" };
        let of = row.baseline.as_ref().map(|baseline| format!(" of {}", baseline.name)).unwrap_or_default();
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "baseline absent",
        };
        format!("{op} {}{of}: {met}", budget.value)
    });
    let ratio = row.ratio.map(|ratio| format!("ratio {ratio} ")).unwrap_or_default();
    let harm = if row.lost + row.doubled > 0 { format!("lost {} doubled {} ", row.lost, row.doubled) } else { String::new() };
    let text = format!("{:<9}{:<34}{:>7}{:>12}{:>12}  {:<22}", row.scenario, row.variant, row.n, row.p50, row.p99, row.unit);
    format!("{text}{harm}{ratio}{}", budget.unwrap_or_default()).trim_end().to_owned()
}

fn commit() -> String {
    let output = std::process::Command::new("git").args(["rev-parse", "HEAD"]).output();
    output
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = after(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = after(&read("/proc/meminfo"), "MemTotal")
        .and_then(|text| text.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()))
        .unwrap_or(0)
        >> 20;
    let load = read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned();
    format!("{cores} cores, {model}, {memory} GiB, load {load} at the start")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_row_has_the_shape_that_is_promised() {
        let row = Row::of("fanout", "200-real", "ms", &[3.0, 1.0, 2.0]).lost(0, 0).against("raw", 4.0).budget(Op::AtMost, 0.5);
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"scenario":"fanout","variant":"200-real","unit":"ms","n":3,"p50":2.0,"p99":3.0,"lost":0,"doubled":0,"baseline":{"name":"raw","p50":4.0,"same_run":true},"ratio":0.5,"budget":{"op":"<=","value":0.5},"met":true}"#
        );
        let report = Report { schema: "sallyport.bench/1", commit: "c".into(), machine: "m".into(), rows: vec![row] };
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let names: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["commit", "machine", "rows", "schema"].into());
    }

    #[test]
    fn a_baseline_that_is_absent_decides_nothing() {
        let row = Row::of("startup", "fresh", "ms", &[10.0]).against_absent("MeshCentral").budget(Op::AtMost, 0.1);
        assert_eq!((row.ratio, row.met), (None, None));
        assert_eq!(Row::of("agent", "rss", "MB", &[7.0]).budget(Op::AtMost, 6.0).met, Some(false));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let row = Row::of("x", "y", "ms", &values);
        assert_eq!((row.p50, row.p99), (100.0, 198.0));
        assert_eq!(Row::of("x", "y", "ms", &[]).p50, 0.0);
        assert_eq!(round(1_234.56), 1_235.0);
        assert_eq!(round(0.012_345), 0.012_35);
    }
}
