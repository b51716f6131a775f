//! Long work: shown by a bar on a terminal, ended cleanly by Ctrl-C.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;
use crate::daemon::signals::Signals;
use crate::store::{Progress, VisitError};

/// Between two looks at how far it is; what is done before the first one shows no bar.
const LOOK: Duration = Duration::from_millis(200);

/// Longest that work is waited for which is no longer wanted: a pipe may never take another byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does the work on a thread of its own and shows on standard error how far it is.
pub(super) fn run<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce(&Progress) -> Result<T, VisitError> + Send + 'static,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::Signals)?;
    let done = runtime.block_on(attend(what, work));
    runtime.shutdown_background();
    done
}

async fn attend<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce(&Progress) -> Result<T, VisitError> + Send + 'static,
) -> Result<T, Failure> {
    let progress = Progress::default();
    let of_work = progress.clone();
    let mut signals = Signals::listen().map_err(Failure::Signals)?;
    let mut working = tokio::task::spawn_blocking(move || work(&of_work));
    let mut bar: Option<ProgressBar> = None;
    let done = loop {
        tokio::select! {
            done = &mut working => break done,
            _ = signals.next() => {
                progress.stop();
                match tokio::time::timeout(PATIENCE, &mut working).await {
                    Ok(done) => break done,
                    Err(_) => return Err(VisitError::Stopped.into()),
                }
            }
            () = tokio::time::sleep(LOOK) => {
                show(bar.get_or_insert_with(|| new_bar(what)), progress.so_far());
            }
        }
    };
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match done {
        Ok(outcome) => Ok(outcome?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Where standard error is no terminal, nothing is drawn.
fn new_bar(what: &'static str) -> ProgressBar {
    ProgressBar::new_spinner().with_message(what)
}

fn show(bar: &ProgressBar, (done, all): (u64, u64)) {
    let template = match all {
        0 => "{spinner} {msg} {elapsed}",
        _ => "{msg} {wide_bar} {percent}% {eta}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_length(all);
    bar.set_position(done);
    bar.tick();
}
