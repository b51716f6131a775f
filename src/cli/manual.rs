//! `maison man`: the manual pages: `maison(8)`, a page for each subcommand, and `maison.toml(5)`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{complain, exit};
use crate::config;

/// Print a manual page, or write all of them
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which page, as in `maison`, `maison-user-add`, `maison.toml`
    #[arg(value_name = "PAGE", default_value = "maison")]
    page: String,
    /// Write all pages into this folder, for `/usr/share/man`
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    output: Option<PathBuf>,
}

/// A page: its name with the section, and what it says in roff.
struct Page {
    name: String,
    text: Vec<u8>,
}

/// Status 1 for a page that there is not, or that cannot be written.
pub fn run(arguments: &Arguments, command: Command) -> ExitCode {
    let pages = match pages(command) {
        Ok(pages) => pages,
        Err(error) => return failed(&error),
    };
    let written = if let Some(folder) = &arguments.output {
        fs::create_dir_all(folder).and_then(|()| {
            pages.iter().try_for_each(|page| fs::write(folder.join(&page.name), &page.text))
        })
    } else {
        let wanted = arguments.page.as_str();
        let Some(page) = pages.iter().find(|page| page.stem() == wanted) else {
            let names: Vec<_> = pages.iter().map(Page::stem).collect();
            let names = names.join(", ");
            complain(format_args!("no such page: `{wanted}`\n  hint: there are {names}"));
            return exit::code(exit::FAILED);
        };
        io::stdout().lock().write_all(&page.text)
    };
    written.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

/// For `…`, which `man` drops with a warning where the locale is C; not to be taken for a request.
const DOTS: &str = "\\&...";

impl Page {
    /// Its name without the section.
    fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(self.name.as_str(), |(stem, _)| stem)
    }
}

fn failed(error: &io::Error) -> ExitCode {
    complain(format_args!("manual pages not written: {error}"));
    exit::code(exit::FAILED)
}

fn pages(mut command: Command) -> io::Result<Vec<Page>> {
    // The same pages of every build.
    command = command.long_version(None);
    command.build();
    let mut pages = Vec::new();
    of_command(&command, &mut pages)?;
    pages.push(Page { name: "maison.toml.5".to_owned(), text: of_configuration()? });
    for page in &mut pages {
        page.text = String::from_utf8_lossy(&page.text).replace('…', DOTS).into_bytes();
    }
    Ok(pages)
}

/// The page of a command, and those of the ones below it.
fn of_command(command: &Command, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut text = Vec::new();
    Man::new(command.clone()).section("8").render(&mut text)?;
    pages.push(Page { name: format!("{name}.8"), text });
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below.filter(|below| !below.is_hide_set()).try_for_each(|below| of_command(below, pages))
}

/// `maison.toml(5)`: every table and key, in the words of the check.
fn of_configuration() -> io::Result<Vec<u8>> {
    let mut page = Roff::new();
    let version = concat!("maison ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["maison.toml", "5", "", version]);
    page.control("SH", ["NAME"]);
    page.text([roman("maison.toml - configuration of the gateway maison(8)")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "The gateway reads /etc/maison/maison.toml, and then the files of /etc/maison/conf.d whose \
         names end in .toml, in their order. They are TOML (https://toml.io). A key that is not \
         known is an error; `maison check` says all that is wrong. Durations are texts with a \
         unit, \"10s\" or \"1h30m\"; sizes are, too: \"1 MiB\".",
    )]);
    for chapter in config::manual() {
        page.control("SH", [chapter.title.to_uppercase().as_str()]);
        if !chapter.about.is_empty() {
            page.text([roman(chapter.about)]);
        }
        for (key, manual) in chapter.keys {
            page.control("TP", []);
            page.text([bold(key)]);
            page.text([roman(manual)]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("maison(8), maison-check(8), maison-schema(8)")]);
    let mut text = Vec::new();
    page.to_writer(&mut text)?;
    Ok(text)
}
