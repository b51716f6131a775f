//! Arguments to action, and exit codes; nothing else.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use maison::cli::{
    self, acl, ca, check, completions, demo, doctor, drivers, import, log, manual, publish, read,
    record, reload, replay, run, scan, schema, simulate, status, store, subscribe, subscriber,
    user, version::version,
};

/// The thermometer and the message hub of a house.
#[derive(Parser)]
#[command(name = "maison", version, long_version = version(), propagate_version = true)]
#[command(arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Demo(demo::Arguments),
    Simulate(simulate::Arguments),
    Check(check::Arguments),
    Doctor(doctor::Arguments),
    Status(status::Arguments),
    Reload(reload::Arguments),
    Log(log::Arguments),
    Scan(scan::Arguments),
    Read(read::Arguments),
    Record(record::Arguments),
    Replay(replay::Arguments),
    Drivers(drivers::Arguments),
    User(user::Arguments),
    Subscriber(subscriber::Arguments),
    Acl(acl::Arguments),
    Ca(ca::Arguments),
    Import(import::Arguments),
    Store(store::Arguments),
    Sub(subscribe::Arguments),
    Pub(publish::Arguments),
    Schema(schema::Arguments),
    Completions(completions::Arguments),
    Man(manual::Arguments),
}

fn main() -> ExitCode {
    cli::end(match &Arguments::parse().command {
        Command::Run(arguments) => run::run(arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Simulate(arguments) => simulate::run(arguments),
        Command::Check(arguments) => Ok(check::run(arguments)),
        Command::Doctor(arguments) => Ok(doctor::run(arguments)),
        Command::Status(arguments) => Ok(status::run(arguments)),
        Command::Reload(arguments) => Ok(reload::run(arguments)),
        Command::Log(arguments) => Ok(log::run(arguments)),
        Command::Scan(arguments) => scan::run(arguments),
        Command::Read(arguments) => Ok(read::run(arguments)),
        Command::Record(arguments) => Ok(record::run(arguments)),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Drivers(arguments) => Ok(drivers::run(arguments)),
        Command::User(arguments) => {
            Ok(cli::with_state_dir(arguments.config(), |state_dir| user::run(arguments, state_dir)))
        }
        Command::Subscriber(arguments) => Ok(subscriber::run(arguments)),
        Command::Acl(arguments) => Ok(acl::run(arguments)),
        Command::Ca(arguments) => Ok(ca::run(arguments)),
        Command::Import(arguments) => Ok(import::run(arguments)),
        Command::Store(arguments) => Ok(store::run(arguments)),
        Command::Sub(arguments) => subscribe::run(arguments),
        Command::Pub(arguments) => publish::run(arguments),
        Command::Schema(arguments) => Ok(schema::run(arguments)),
        Command::Completions(arguments) => Ok(completions::run(arguments, Arguments::command())),
        Command::Man(arguments) => Ok(manual::run(arguments, Arguments::command())),
    })
}
