//! `startup`: how soon the server answers, and what it takes when nobody asks anything.

use std::time::Duration;

use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;

use crate::measure::rss_bytes;
use crate::report::{Op, Row};

const ROUNDS: usize = 10;
/// Long enough for everything that happens once.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) async fn measure() -> Vec<Row> {
    let millis = |installation: &Installation| installation.ready_after.as_secs_f64() * 1000.0;
    let fresh: Vec<f64> = (0..ROUNDS).map(|_| millis(&Installation::plain())).collect();
    let mut installation = Installation::plain();
    drop(Operator::set_up(&installation).await);
    let mut again = Vec::new();
    for _ in 0..ROUNDS {
        installation.kill();
        installation.start();
        again.push(millis(&installation));
    }
    tokio::time::sleep(SETTLE).await;
    let rss = rss_bytes(installation.pid()) as f64 / f64::from(1 << 20);
    vec![
        Row::of("startup", "empty-folder", "ms to first 200", &fresh).against_absent("MeshCentral").budget(Op::AtMost, 0.1),
        Row::of("startup", "set-up", "ms to first 200", &again).against_absent("MeshCentral").budget(Op::AtMost, 0.1),
        Row::of("startup", "rss-idle", "MiB", &[rss]).budget(Op::AtMost, 30.0),
    ]
}
