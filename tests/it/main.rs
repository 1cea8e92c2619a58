//! The one integration test binary.

mod hostile;
mod sandbox;
mod tidy;
