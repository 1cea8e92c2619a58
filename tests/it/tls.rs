//! TLS and HTTP/2, from the certificate to streams that break off.

mod job;
mod streams;
mod wire;
