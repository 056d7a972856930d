//! The verbs, one module each.

mod abort;
mod demo;
mod look;
mod pause;
mod plan;
mod reset;
mod run;
mod status;
mod verify;

use crate::args::{Args, Verb};
use crate::exit::{Exit, Failure};

/// Does what was asked for.
pub(crate) async fn execute(args: Args) -> Result<Exit, Failure> {
    let state = args.state.as_deref();
    match &args.verb {
        Verb::Demo { dir, events } => demo::demo(dir, *events, args.json).await,
        Verb::Run { spec, until_caught_up } => {
            run::run(&spec.path, state, *until_caught_up, args.json).await
        }
        Verb::Plan(spec) => plan::plan(&spec.path, state, args.json).await,
        Verb::Status(spec) => status::status(&spec.path, state, args.json, args.verbose > 0).await,
        Verb::Verify { spec, deep, since } => {
            verify::verify(&spec.path, state, *deep, *since, args.json).await
        }
        Verb::Pause(spec) => pause::set(&spec.path, state, true, args.json).await,
        Verb::Resume(spec) => pause::set(&spec.path, state, false, args.json).await,
        Verb::Reset(reset) => reset::run(reset, state, args.json).await,
        Verb::Abort(abort) => abort::run(abort, state, args.json).await,
    }
}
