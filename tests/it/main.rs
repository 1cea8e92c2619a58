//! The one integration test binary.

mod hostile;
mod large;
mod readme;
mod sandbox;
mod tidy;
