//! The one integration test binary.

mod hostile;
mod large;
mod sandbox;
mod tidy;
mod tls;
