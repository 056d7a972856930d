//! `demo`: a tour with nothing installed. A small broker in this process, this very binary for
//! every step, and a folder with what it wrote. Each figure shown is one that a call answered, or
//! that was read from the files.

mod calls;
mod events;
mod folder;
mod story;
mod written;

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tidegate_broker::{Answer, Api, Broker, BrokerError, Rule};
use tidegate_core::ports::Clock;
use tidegate_core::{Error, Result};
use tidegate_local::SystemClock;
use tokio::time::{interval, timeout};

use self::calls::Calls;
use self::events::Produced;
use self::folder::Folder;
use self::story::Story;
use crate::exit::{Exit, Failure};

/// How many runs the events take.
const RUNS: u64 = 4;
/// How often it is looked whether the run that is to be killed has begun to read.
const LOOK: Duration = Duration::from_millis(5);
/// A run that does not begin to read in this time never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// Shows the whole job in `dir`.
pub(crate) async fn demo(dir: &Path, events: u64, json: bool) -> Result<Exit, Failure> {
    let folder = Folder::make(dir)?;
    let broker = Broker::start().await.map_err(broken)?;
    let produced = events::produce(&broker, events, SystemClock.now()).map_err(broken)?;
    let spec = json!({
        "pipeline": "demo",
        "kafka": { "bootstrap_servers": [broker.addr().to_string()] },
        "topics": [events::RIDES, events::PAYMENTS],
        "destination": folder.destination(),
        "limits": { "records_per_run": produced.offsets().div_ceil(RUNS) },
    });
    folder.write_spec(&spec)?;
    let calls = Calls::new(&folder)?;
    let story = Story::new(&folder, json);
    story.broker(&broker, &produced, &spec);
    tour(&story, &calls, &broker).await?;
    let verified = calls.verify().await?;
    story.verified(&verified);
    let written = written::look(&folder.lake())?;
    story.written(&written, &produced);
    check(&produced, written.rows)?;
    story.end();
    broker.stop().await;
    Ok(Exit::Done)
}

/// One run, a run that is killed and rolled forward, and then runs until nothing is left.
async fn tour(story: &Story<'_>, calls: &Calls, broker: &Broker) -> Result<(), Failure> {
    story.status("Nothing was read yet.", &calls.status().await?);
    story.runs(story::FIRST, &calls.run(false).await?);
    story.status("", &calls.status().await?);
    kill_in_the_middle(calls, broker).await?;
    story.status(story::KILLED, &calls.status().await?);
    story.runs(story::ROLLED_FORWARD, &calls.run(false).await?);
    story.status("", &calls.status().await?);
    story.runs(story::CAUGHT_UP, &calls.run(true).await?);
    story.status("", &calls.status().await?);
    Ok(())
}

/// Starts a run, lets the broker fall silent when it reads, and kills it (SIGKILL).
async fn kill_in_the_middle(calls: &Calls, broker: &Broker) -> Result<(), Failure> {
    broker.clear_requests();
    broker.script(Rule::new(Api::Fetch, Answer::Silence).always());
    let mut run = calls.start_run()?;
    let reading = async {
        let mut look = interval(LOOK);
        while broker.count(Api::Fetch) == 0 {
            look.tick().await;
        }
    };
    let read = timeout(PATIENCE, reading).await;
    let killed = run.kill().await;
    broker.clear_script();
    killed.map_err(|error| Failure::io("kill a run", error))?;
    read.map_err(|_| Error::out_of_time("the run that was to be killed did not begin to read"))?;
    Ok(())
}

/// Every event that is visible is there, once: `verify` proved the rest.
fn check(produced: &Produced, rows: u64) -> Result<()> {
    if rows == produced.visible() {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "{} events are visible, and {rows} rows were written: please report it",
        produced.visible()
    )))
}

fn broken(error: BrokerError) -> Failure {
    Error::unavailable(format!("the demo's broker: {error}")).with_source(error).into()
}
