//! The subcommands, one file each: arguments with their help, and what they do.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program speaks")]

mod exit;
pub mod user;

use std::fmt;

/// Prints one message for the operator: `error: what: \`value\`` and its hints.
pub fn complain(message: impl fmt::Display) {
    eprintln!("error: {message}");
}
