//! `maison completions`: what a shell proposes after a tabulator.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Command, ValueEnum};
use clap_complete::generate;
use clap_complete::shells;

use super::exit;

/// Print the completions of a shell
///
/// bash: `maison completions bash > /usr/share/bash-completion/completions/maison`;
/// zsh: `maison completions zsh > /usr/share/zsh/vendor-completions/_maison`;
/// fish: `maison completions fish > /usr/share/fish/vendor_completions.d/maison.fish`
#[derive(Args, Debug)]
pub struct Arguments {
    /// For which shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Writes them on standard output.
pub fn run(arguments: &Arguments, mut command: Command) -> ExitCode {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    match arguments.shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut script),
    }
    match std::io::stdout().lock().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(format_args!("completions not written: {error}"));
            exit::code(exit::FAILED)
        }
    }
}
