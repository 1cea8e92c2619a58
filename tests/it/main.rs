//! The one integration test binary.

mod hostile;
mod large;
mod openapi;
mod sandbox;
mod sdk;
mod skip;
mod tidy;
