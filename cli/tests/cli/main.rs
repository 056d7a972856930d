//! The built binary, driven against a broker in this process.

mod change;
mod demo;
mod kill;
mod operator;
mod run;
mod support;
mod trouble;
mod usage;
mod verbs;
mod verify;
