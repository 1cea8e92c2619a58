//! Starting a sandbox, and what its owner can do with it directly.

use std::fs::File;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::fault::Fault;
use super::state::State;
use super::tls::{Authority, Tls};
use super::truth::{SeenBody, Truth};
use super::world::{World, load};
use super::{Config, server};
use crate::json::Value;

/// A running sandbox; it stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    url: String,
    authority: Option<Authority>,
    state: Arc<State>,
    task: Option<JoinHandle<()>>,
}

/// Starts a sandbox on 127.0.0.1. It runs on the runtime this is called in.
pub async fn start(config: Config) -> io::Result<Sandbox> {
    let world = match &config.world {
        None => World::new(config.seed, config.users),
        Some(path) => {
            let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            File::open(path).and_then(|file| load::read(BufReader::new(file), config.seed)).map_err(told)?
        }
    };
    let tls = if config.tls { Some(Tls::new(config.ca_out.as_deref())?) } else { None };
    let (acceptor, authority) = tls.map(|tls| (tls.acceptor, tls.authority)).unzip();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
    let addr = listener.local_addr()?;
    let state = Arc::new(State::new(config, world));
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let task = tokio::spawn(server::run(listener, acceptor, Arc::clone(&state)));
    Ok(Sandbox { addr, url: format!("{scheme}://{addr}"), authority, state, task: Some(task) })
}

impl Sandbox {
    /// Where it listens, without `/v1`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The file with the certificate to trust, where it speaks TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.authority.as_ref().map(|authority| authority.file.as_path())
    }

    /// The certificate to trust as PEM, where it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| authority.pem.as_str())
    }

    /// What it saw so far.
    pub fn truth(&self) -> Truth {
        self.state.truth()
    }

    /// Forgets what it saw so far.
    pub fn reset_truth(&self) {
        self.state.reset_truth();
    }

    /// The users that were written, in that order, one entry for each write that was applied.
    pub fn write_order(&self) -> Vec<String> {
        self.state.write_order()
    }

    /// The writes of metadata to a user, as they came.
    pub fn bodies(&self, user_id: &str) -> Vec<SeenBody> {
        let slot = self.state.world().slot(user_id);
        slot.map_or_else(Vec::new, |slot| self.state.book().bodies(slot))
    }

    /// How many users there are.
    pub fn user_count(&self) -> usize {
        self.state.world().len()
    }

    /// The ids of the first users, oldest first.
    pub fn user_ids(&self, most: usize) -> Vec<String> {
        let world = self.state.world();
        world.by_creation(false, None).take(most).map(|slot| world.profile(slot).id.clone()).collect()
    }

    /// What a user holds: an object with the three metadata fields; `None` where there is no such user.
    pub fn metadata(&self, user_id: &str) -> Option<Value> {
        let world = self.state.world();
        world.slot(user_id).map(|slot| world.metadata(slot).to_value())
    }

    /// Puts the given metadata fields in place of what a user holds, uncounted; `false` where there is no such user.
    pub fn set_metadata(&self, user_id: &str, fields: &Value) -> bool {
        self.state.write_directly(user_id, |metadata| metadata.take_fields(fields)).is_some()
    }

    /// Merges into what a user holds, uncounted; `false` where there is no such user.
    pub fn merge_metadata(&self, user_id: &str, patch: &Value) -> bool {
        self.state.write_directly(user_id, |metadata| metadata.merge_fields(patch)).is_some()
    }

    /// Deletes a user; `false` where there is none.
    pub fn delete_user(&self, user_id: &str) -> bool {
        let mut world = self.state.world();
        world.slot(user_id).is_some_and(|slot| world.delete(slot))
    }

    /// Puts other faults in force.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.state.faults().replace(faults);
    }

    /// Stops it and cuts what is under way.
    pub async fn stop(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The error says that it was stopped, which is what was wanted.
            let _ = task.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
