//! Standard output and standard error, which may be closed or full: nobody panics for it.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process;

use super::exit;

/// As the standard library's, for the subcommands: what cannot be written ends the process.
macro_rules! print {
    ($($words:tt)*) => { $crate::cli::output::say(format_args!($($words)*)) };
}

/// Likewise.
macro_rules! println {
    ($($words:tt)*) => { $crate::cli::output::say_line(format_args!($($words)*)) };
}

/// Likewise, but what nobody can be told is not told.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::output::complain_line(format_args!($($words)*)) };
}

/// Standard output. A write that fails ends the process, with 0 if the reader has gone: it has
/// what it wanted.
#[derive(Debug)]
pub(super) struct Standard;

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).or_else(unless_interrupted)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().or_else(unless_interrupted)
    }
}

pub(super) fn say(words: fmt::Arguments<'_>) {
    // What can fail has ended the process.
    let _ = Standard.write_fmt(words);
}

pub(super) fn say_line(words: fmt::Arguments<'_>) {
    let _ = Standard.write_fmt(format_args!("{words}\n"));
}

pub(super) fn complain_line(words: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{words}");
}

fn unless_interrupted<T>(error: io::Error) -> io::Result<T> {
    let code = match error.kind() {
        ErrorKind::Interrupted => return Err(error),
        ErrorKind::BrokenPipe => 0,
        _ => {
            super::complain(format_args!("cannot write to standard output: {error}"));
            exit::OUTPUT
        }
    };
    process::exit(code.into())
}
