//! The `tidegate` binary: planner, readers and finalizer in one process, and the verbs around
//! them. It only wires and shows; what happens is decided in `tidegate-core`.

mod args;
mod commands;
mod console;
mod deployment;
mod driver;
mod exit;
mod interrupt;
mod ports;
mod progress;
mod report;
mod table;

use std::process::ExitCode;

use clap::Parser;
use tidegate_allocator as _;

use crate::args::Args;
use crate::exit::{Exit, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    console::log_to_stderr(args.verbose);
    let exit = run(args).unwrap_or_else(|failure| {
        console::complain(&failure.error.to_string());
        failure.exit
    });
    // Whoever reads the output must not take a part of it for the whole.
    let cut = matches!(exit, Exit::Done | Exit::DoneBut) && !console::said_all();
    if cut { Exit::Failed } else { exit }.into()
}

/// Runs the command on its own task, so that an interrupt is noticed whatever it computes.
fn run(args: Args) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(driver::cores())
        .enable_all()
        .build()
        .map_err(|error| Failure::io("start the runtime", error))?;
    let command = runtime.spawn(commands::execute(args));
    let exit = runtime.block_on(async {
        tokio::select! {
            ended = command => ended.unwrap_or_else(|error| Err(Failure::bug(&error))),
            interrupted = interrupt::interrupted() => interrupted,
        }
    });
    // Whatever is under way is left where it is: the protocol allows for it at any point.
    runtime.shutdown_background();
    exit
}
