//! `maison schema`: a JSON Schema of the configuration, for editors and other programs.

use std::process::ExitCode;

use clap::Args;

use crate::config;

/// Print a JSON Schema of the configuration, for editors and other programs
#[derive(Args, Debug)]
pub struct Arguments {}

/// Always status 0.
pub fn run(_: &Arguments) -> ExitCode {
    println!("{:#}", config::json_schema());
    ExitCode::SUCCESS
}
