//! Rooms for what has none: as the command line says, by touch, or one after the other.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};

use super::file::{self, Named};
use super::interrupt::Promise;
use super::look::{Place, Thing};
use super::touch::Touch;
use super::values::Readers;
use super::{Arguments, exit, show};
use crate::config::Settings;
use crate::sampling::SensorId;
use crate::sensors::catalog::Driver;

/// From one look at all probes to the next; in a simulated house the hand need not be waited for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY_SIMULATED: Duration = Duration::from_millis(250);

/// `28-01131e858aef=Salon`, for a command line. An address has no `=` in it, a name may.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("write an address, `=`, and what it gets".to_owned()),
    }
}

/// Gives rooms, and writes the file. Status 1 where a name or an address is wrong, 2 where nobody
/// can be asked, 77 where the file may not be written.
pub(super) fn name_and_write(
    arguments: &Arguments,
    main: &Path,
    settings: &Settings,
    places: &[Place],
    readers: &Readers,
    promise: &Promise,
) -> Result<ExitCode> {
    // What would be refused in the end is refused before anybody warms a probe.
    match file::draft(main, settings, &[]).map(|draft| draft.check_place()) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Ok(cannot(&error)),
        Err(error) => {
            super::super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    }
    let things: Vec<_> = places.iter().flat_map(|place| &place.things).collect();
    let is_asked = arguments.room.is_empty();
    let named = if !is_asked {
        by_command_line(arguments, &things)?
    } else if !things.iter().any(|thing| thing.is_a_probe()) {
        println!("\nno probe was found: nothing to write");
        return Ok(exit::code(super::code(places, 0)));
    } else if !things.iter().any(|thing| is_nameless(thing)) {
        println!("\nevery probe has its room: nothing to write");
        return Ok(ExitCode::SUCCESS);
    } else if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        super::super::complain(
            "rooms are asked for on a terminal, and this is none\n  hint: \
             `--room 28-01131e858aef=Salon` for each probe",
        );
        return Ok(exit::code(exit::USAGE));
    } else {
        let talk = Talk { lines: lines(), main, settings, things: &things, readers };
        let named = if arguments.in_order { talk.in_order() } else { talk.by_touch() }?;
        let Some(named) = named else {
            println!("\ngiven up: nothing is written");
            return Ok(exit::code(exit::FAILED));
        };
        if named.is_empty() {
            println!("\nno room was named: nothing is written");
            return Ok(ExitCode::SUCCESS);
        }
        if !talk.may_write(&named)? {
            println!("nothing is written");
            return Ok(exit::code(exit::FAILED));
        }
        named
    };
    write(main, settings, &named, is_asked, promise)
}

fn write(
    main: &Path,
    settings: &Settings,
    named: &[Named],
    is_asked: bool,
    promise: &Promise,
) -> Result<ExitCode> {
    let draft = match file::draft(main, settings, named) {
        Ok(draft) => draft,
        Err(error) => {
            super::super::complain(format_args!(
                "nothing is written, since this is wrong:\n{error}"
            ));
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    if draft.is_foreign && !is_asked {
        bail!(
            "`{}` was not written by this program, and nobody can be asked whether to add to it\n  \
             hint: on a terminal, or move it away",
            draft.path.display()
        );
    }
    if let Err(error) = promise.write(|| draft.write()) {
        return Ok(cannot(&error));
    }
    print!("{}", draft.added);
    println!("\nwritten: {}", draft.path.display());
    println!("a gateway at work takes it up by itself, or with `maison reload`");
    Ok(ExitCode::SUCCESS)
}

/// Says why the file cannot be written.
fn cannot(error: &Error) -> ExitCode {
    super::super::complain(format_args!("{error:#}"));
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let is_denied = kind == Some(io::ErrorKind::PermissionDenied);
    exit::code(if is_denied { exit::PERMISSION } else { exit::FAILED })
}

fn is_nameless(thing: &Thing) -> bool {
    thing.is_a_probe() && thing.room.is_none()
}

/// The pairs of the command line, each for one thing that is there and has no room.
fn by_command_line(arguments: &Arguments, things: &[&Thing]) -> Result<Vec<Named>> {
    let mut named: Vec<Named> = Vec::new();
    for (key, room) in &arguments.room {
        let fits = |thing: &&&Thing| {
            thing.shown == *key || format!("{}/{}", thing.bus, thing.shown) == *key
        };
        let found: Vec<_> = things.iter().filter(fits).collect();
        let thing = match found.as_slice() {
            [] => bail!("nobody answers at `{key}`\n  hint: `maison scan` lists who does"),
            [thing] => **thing,
            [first, ..] => {
                bail!("several are at `{key}`\n  hint: with the bus: `{}/{key}`", first.bus)
            }
        };
        if let Some(taken) = &thing.room {
            bail!("`{key}` has a room already: `{taken}`");
        }
        if let Some(fault) = file::room_fault(room) {
            bail!("{fault}");
        }
        let number = things.iter().position(|other| std::ptr::eq(*other, thing)).unwrap_or(0);
        if named.iter().any(|other| other.number == number) {
            bail!("`{key}` gets two rooms");
        }
        let driver = driver(arguments, key, thing)?;
        named.push(Named { number, thing: thing.clone(), driver, room: room.clone() });
    }
    Ok(named)
}

/// The only one that is likely, or the one that was said.
fn driver(arguments: &Arguments, key: &str, thing: &Thing) -> Result<Driver> {
    let names = || {
        let names: Vec<_> = thing.likely.iter().map(|it| it.facts().name).collect();
        names.join(" or ")
    };
    let is_thermometer = |it: &Driver| it.facts().inputs == 0 && it.facts().elements.is_empty();
    if thing.likely.is_empty() || !thing.likely.iter().all(is_thermometer) {
        bail!(
            "what `{key}` measures cannot be seen: {}\n  hint: write it by hand: its page in \
             `hardware/` has the lines",
            thing.what
        );
    }
    let said = arguments.driver.iter().find(|(other, _)| other == key);
    match (said, thing.likely.as_slice()) {
        (None, [only]) => Ok(*only),
        (None, likely) => {
            let first = likely.first().map_or("", |driver| driver.facts().name);
            bail!("`{key}` may be {}\n  hint: `--driver {key}={first}`", names())
        }
        (Some((_, name)), likely) => {
            let found = likely.iter().find(|driver| driver.facts().name == *name);
            found.copied().with_context(|| format!("`{key}` is no `{name}`, but {}", names()))
        }
    }
}

/// What is typed, line by line, so that nobody who looks at probes has to wait for it.
fn lines() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut typed = io::stdin().lock().split(b'\n');
        while let Some(Ok(line)) = typed.next() {
            let line = String::from_utf8_lossy(&line);
            if sender.send(line.trim().to_owned()).is_err() {
                break;
            }
        }
    });
    lines
}

/// Somebody at a terminal.
struct Talk<'a> {
    lines: Receiver<String>,
    main: &'a Path,
    settings: &'a Settings,
    things: &'a [&'a Thing],
    readers: &'a Readers,
}

/// What was typed for a room.
enum Typed {
    Room(Box<Named>),
    None,
    /// There is nobody to type any more.
    Nobody,
}

/// What a round of looking ended with.
enum Felt {
    Warm(SensorId, i32),
    Enough,
    Gone,
}

impl Talk<'_> {
    /// `None`: given up.
    fn by_touch(&self) -> Result<Option<Vec<Named>>> {
        let mut left: BTreeSet<SensorId> = self.nameless().collect();
        let unread = left.iter().filter(|sensor| !self.readers.has(**sensor)).count();
        if unread > 0 {
            println!(
                "\n{unread} cannot be felt, as it is not certain which chip: see `--in-order`"
            );
        }
        left.retain(|sensor| self.readers.has(*sensor));
        let mut touch = Touch::default();
        let mut named = Vec::new();
        while !left.is_empty() {
            let count = match left.len() {
                1 => "1 probe has".to_owned(),
                many => format!("{many} probes have"),
            };
            println!("\n{count} no room. Warm one with your hand … (Enter: enough)");
            match self.feel(&mut touch, &left)? {
                Felt::Warm(sensor, rise) => {
                    let thing = self.thing(sensor)?;
                    let risen = f64::from(rise) / 1000.0;
                    let question = format!("{} rose {risen:.1} °C: which room?", thing.shown);
                    match self.name(&named, sensor, &question)? {
                        Typed::Room(room) => named.push(*room),
                        Typed::None => {}
                        Typed::Nobody => return Ok(None),
                    }
                    left.remove(&sensor);
                    touch.forget(sensor);
                    touch.begin_anew();
                }
                Felt::Enough => break,
                Felt::Gone => return Ok(None),
            }
        }
        Ok(Some(named))
    }

    /// `None`: given up.
    fn in_order(&self) -> Result<Option<Vec<Named>>> {
        let mut named = Vec::new();
        for sensor in self.nameless() {
            let thing = self.thing(sensor)?;
            let value = thing.value.as_ref().map_or_else(|| "no value".to_owned(), show::value);
            let question = format!("\n{} ({}, {value}): which room?", thing.shown, thing.what);
            match self.name(&named, sensor, &question)? {
                Typed::Room(room) => named.push(*room),
                Typed::None => {}
                Typed::Nobody => return Ok(None),
            }
        }
        Ok(Some(named))
    }

    fn nameless(&self) -> impl Iterator<Item = SensorId> {
        let things = self.things.iter().enumerate();
        things.filter(|(_, thing)| is_nameless(thing)).map(|(number, _)| SensorId(number))
    }

    fn thing(&self, sensor: SensorId) -> Result<&Thing> {
        self.things.get(sensor.0).copied().context("a probe that is not in the list")
    }

    /// Looks at all probes again and again until a hand is felt, or a line is typed.
    fn feel(&self, touch: &mut Touch, left: &BTreeSet<SensorId>) -> Result<Felt> {
        let mut every = LOOK_EVERY;
        if let Some(house) = &self.readers.simulated {
            house.hand.hold(left.first().copied(), self.readers.clock.now());
            every = LOOK_EVERY_SIMULATED;
        }
        loop {
            for (sensor, result) in self.readers.read() {
                if let (true, Ok(measured)) = (left.contains(&sensor), result) {
                    let now = self.readers.clock.now();
                    touch.take(sensor, now, measured.temperature.thousandths());
                }
            }
            if let Some((sensor, rise)) = touch.warmed() {
                return Ok(Felt::Warm(sensor, rise));
            }
            match self.lines.recv_timeout(every) {
                Ok(line) if line.is_empty() => return Ok(Felt::Enough),
                Ok(_) => println!("no probe is warm yet: warm one, or press Enter to end"),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Felt::Gone),
            }
        }
    }

    /// The room that is typed. What the configuration would not take beside those that are `named`
    /// is said while it can be answered otherwise.
    fn name(&self, named: &[Named], sensor: SensorId, question: &str) -> Result<Typed> {
        let thing = self.thing(sensor)?;
        loop {
            let Some(room) = self.ask(&format!("{question} (Enter: none) "))? else {
                return Ok(Typed::Nobody);
            };
            if room.is_empty() {
                return Ok(Typed::None);
            }
            if let Some(fault) = file::room_fault(&room) {
                println!("{fault}");
                continue;
            }
            let mut known = self.settings.rooms.iter();
            let known = known.find(|it| file::is_room(&it.slug, &it.name, &room));
            if let Some(known) = known {
                println!("`{}` gets another sensor", known.name);
            }
            let Some(driver) = self.which(thing)? else { return Ok(Typed::Nobody) };
            let new = Named { number: sensor.0, thing: thing.clone(), driver, room };
            let all: Vec<_> = named.iter().chain([&new]).cloned().collect();
            if let Err(error) = file::draft(self.main, self.settings, &all) {
                println!("this cannot be written:\n{error}");
                continue;
            }
            return Ok(Typed::Room(Box::new(new)));
        }
    }

    /// Which of the chips that cannot be told apart it is; the first, unless another is typed.
    fn which(&self, thing: &Thing) -> Result<Option<Driver>> {
        let first = *thing.likely.first().context("a probe that no driver reads")?;
        if thing.likely.len() == 1 {
            return Ok(Some(first));
        }
        let names: Vec<_> = thing.likely.iter().map(|it| it.facts().name).collect();
        let names = names.join(" or ");
        loop {
            let question = format!("{names}? (Enter: {}) ", first.facts().name);
            let Some(name) = self.ask(&question)? else { return Ok(None) };
            let known = thing.likely.iter().find(|it| it.facts().name == name);
            match known {
                Some(driver) => return Ok(Some(*driver)),
                None if name.is_empty() => return Ok(Some(first)),
                None => println!("one of these: {names}"),
            }
        }
    }

    /// Whether a file that somebody else made may get these lines.
    fn may_write(&self, named: &[Named]) -> Result<bool> {
        let Ok(draft) = file::draft(self.main, self.settings, named) else { return Ok(true) };
        if !draft.is_foreign {
            return Ok(true);
        }
        let path = draft.path.display();
        let answer = self.ask(&format!("\n`{path}` is not this program's: add to it? [y/N] "))?;
        Ok(answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes")))
    }

    /// The line that is typed; `None` where there is none any more.
    fn ask(&self, question: &str) -> Result<Option<String>> {
        let mut out = io::stdout().lock();
        if question.starts_with('\n') {
            writeln!(out)?;
        }
        write!(out, "{}", question.trim_start_matches('\n'))?;
        out.flush()?;
        drop(out);
        Ok(self.lines.recv().ok())
    }
}
