//! The sandbox over real sockets, with a client that nobody here wrote.

mod api;
mod control;
mod faults;
mod limits;
mod lists;
mod schema;

use metapatch::json::{self, Value};
use metapatch::sandbox::{self, Config, Quota, Sandbox, user_id};
use reqwest::{Client, Method, Response};

/// A sandbox, a client, and how to talk to one from the other.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("is text"))
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> &str {
        self.body["errors"][0]["code"].as_str().expect("is an error")
    }

    /// The ids of the rows.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let rows = self.body.as_array().or_else(|| self.body["data"].as_array()).expect("is a list");
        rows.iter().map(|row| row["id"].as_str().expect("has an id")).collect()
    }
}

/// A world without limits.
pub(crate) fn unlimited() -> Config {
    Config { limit: Quota::Off, user_limit: None, ..Config::default() }
}

impl Stage {
    pub(crate) async fn new(config: Config) -> Self {
        let sandbox = sandbox::start(config).await.expect("a free port");
        let client = Client::builder().no_proxy().retry(reqwest::retry::never()).build().expect("a client");
        Self { sandbox, client }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&str>) -> reqwest::Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.sandbox.url()));
        let request = request.bearer_auth("sk_test_x").header("clerk-api-version", "2026-05-12");
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_owned()).send().await,
            None => request.send().await,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        read(self.send(Method::GET, path, None).await.expect("an answer")).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: &str) -> Got {
        read(self.send(method, path, Some(body)).await.expect("an answer")).await
    }

    /// Merges into the metadata of user `n`.
    pub(crate) async fn merge(&self, n: u64, body: &str) -> Got {
        self.ask(Method::PATCH, &metadata_path(n), body).await
    }
}

pub(crate) fn metadata_path(n: u64) -> String {
    format!("/v1/users/{}/metadata", user_id(1, n))
}

pub(crate) async fn read(response: Response) -> Got {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    Got { status, headers, body: json::parse(&text).unwrap_or_default() }
}

/// JSON from text.
pub(crate) fn value(text: &str) -> Value {
    json::parse(text).expect("is JSON")
}
