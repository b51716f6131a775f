//! `/metrics` and `/health`, for programs that watch over the gateway.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use serde_json::json;
use tokio::task::AbortHandle;
use tracing::info;

use super::status::{Survey, Warning};
use crate::config::Metrics as Settings;
use crate::net::BindError;
use crate::net::http::{Page, Pages, Server};
use crate::telemetry::CONTENT_TYPE;

/// Where it is asked; dropped, nowhere any more.
#[derive(Default)]
pub(super) struct Office {
    open: Option<(SocketAddr, Closing)>,
}

/// All that a reload or a start needs: nothing of it can fail any more.
pub(super) enum Prepared {
    Same,
    Closed,
    Opened(SocketAddr, Server),
}

struct Closing(AbortHandle);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Office {
    /// Takes the port, if it is another.
    pub(super) fn prepare(&self, settings: Option<&Settings>) -> Result<Prepared, BindError> {
        let before = self.open.as_ref().map(|(address, _)| *address);
        match settings.map(|settings| settings.bind) {
            after if after == before => Ok(Prepared::Same),
            None => Ok(Prepared::Closed),
            Some(after) => Ok(Prepared::Opened(after, Server::bind(after)?)),
        }
    }

    /// Answers there from now on.
    pub(super) fn apply(&mut self, prepared: Prepared, survey: &Arc<Survey>) {
        match prepared {
            Prepared::Same => {}
            Prepared::Closed => self.open = None,
            Prepared::Opened(address, server) => {
                if let Ok(address) = server.local_addr() {
                    info!(%address, "metrics are told");
                }
                let task = tokio::spawn(server.serve(Arc::new(Front(Arc::downgrade(survey)))));
                self.open = Some((address, Closing(task.abort_handle())));
            }
        }
    }
}

/// Knows the gateway as long as there is one.
struct Front(Weak<Survey>);

impl Pages for Front {
    fn page(&self, path: &str) -> Option<Page> {
        let survey = self.0.upgrade()?;
        match path {
            "/metrics" => Some(Page {
                is_well: true,
                content_type: CONTENT_TYPE,
                body: survey.metrics().text(),
            }),
            "/health" => Some(health(&survey)),
            _ => None,
        }
    }
}

/// Well is who does what he is for: one room of five without its sensor is told, and is no reason
/// to start the gateway anew.
fn health(survey: &Survey) -> Page {
    let warnings = survey.status().warnings;
    let (grave, slight): (Vec<_>, Vec<_>) = warnings.into_iter().partition(|it| it.grave);
    let words = |warnings: Vec<Warning>| -> Vec<String> {
        warnings.into_iter().map(|warning| warning.what).collect()
    };
    let is_well = grave.is_empty();
    let body = json!({
        "status": if is_well { "ok" } else { "failing" },
        "reasons": words(grave),
        "warnings": words(slight),
    });
    Page { is_well, content_type: "application/json", body: format!("{body}\n") }
}
