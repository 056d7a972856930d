//! Calls of this very binary, and what they answered.

use std::path::PathBuf;
use std::process::Stdio;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_core::{Error, Result};
use tokio::process::{Child, Command};

use super::folder::Folder;
use crate::exit::Failure;
use crate::report::RunLine;

/// Calls of this binary on the demo's spec.
#[derive(Debug)]
pub(super) struct Calls {
    binary: PathBuf,
    spec: PathBuf,
}

impl Calls {
    /// Calls on the spec of `folder`.
    pub(super) fn new(folder: &Folder) -> Result<Self, Failure> {
        let binary = std::env::current_exe()
            .map_err(|error| Failure::io("find this binary, to call it", error))?;
        Ok(Self { binary, spec: folder.spec() })
    }

    /// `run`, once or until caught up.
    pub(super) async fn run(&self, until_caught_up: bool) -> Result<Vec<RunLine>, Failure> {
        let more: &[&str] = if until_caught_up { &["--until-caught-up"] } else { &[] };
        self.call("run", more).await
    }

    /// `status`: the first line tells of the pipeline, then its topics.
    pub(super) async fn status(&self) -> Result<Vec<Value>, Failure> {
        self.call("status", &[]).await
    }

    /// `verify --deep`: the last line is the verdict.
    pub(super) async fn verify(&self) -> Result<Value, Failure> {
        let mut lines = self.call("verify", &["--deep"]).await?;
        Ok(lines.pop().unwrap_or(Value::Null))
    }

    /// Starts a `run` and leaves it alone.
    pub(super) fn start_run(&self) -> Result<Child, Failure> {
        self.command("run", &[]).spawn().map_err(|error| Failure::io("start a run", error))
    }

    fn command(&self, verb: &str, more: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg(verb).arg(&self.spec).args(more).arg("--json").kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn call<T: DeserializeOwned>(
        &self,
        verb: &str,
        more: &[&str],
    ) -> Result<Vec<T>, Failure> {
        let ended = self.command(verb, more).output().await;
        let ended = ended.map_err(|error| Failure::io(&format!("call tidegate {verb}"), error))?;
        let said = String::from_utf8_lossy(&ended.stdout);
        if !ended.status.success() {
            let complaint = String::from_utf8_lossy(&ended.stderr);
            return Err(failed(verb, &format!("{}\n{complaint}{said}", ended.status)).into());
        }
        let lines = said.lines().map(|line| {
            serde_json::from_str(line).map_err(|error| failed(verb, &format!("{error}: {line}")))
        });
        Ok(lines.collect::<Result<_>>()?)
    }
}

fn failed(verb: &str, what: &str) -> Error {
    Error::unavailable(format!("tidegate {verb}: {what}"))
}
