//! How much of the answers is held in memory at once.
//!
//! 500 full users are some 14 MB, and many reads go on in parallel. So each asks for room before it is sent: enough for
//! what most users are. An answer that outgrows its room takes more if there is any; if not, it waits for the one place
//! beyond the bound, which is only ever held by an answer that waits for nothing but the network.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::MAX_ANSWER;
use super::fault::{Fault, fault};

/// Room for all answers together, in KiB.
const ROOM_KIB: u32 = 24 * 1024;

/// Room for one user, in KiB: metadata of ordinary size, and what else a user has.
const USER_KIB: u32 = 8;

/// The smallest step in which a buffer grows.
const STEP: usize = 64 * 1024;

/// The memory that answers may take up.
#[derive(Debug)]
pub(super) struct Intake {
    room: Semaphore,
    beyond: Semaphore,
}

/// Room for one answer; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room<'i> {
    intake: &'i Intake,
    held: Option<SemaphorePermit<'i>>,
    beyond: Option<SemaphorePermit<'i>>,
}

/// An answer, and the room it takes up.
#[derive(Debug)]
pub(super) struct Bytes<'i> {
    pub(super) bytes: Vec<u8>,
    _room: Room<'i>,
}

impl Intake {
    pub(super) const fn new() -> Self {
        Self { room: Semaphore::const_new(ROOM_KIB as usize), beyond: Semaphore::const_new(1) }
    }

    /// Waits for room for an answer of so many users.
    pub(super) async fn admit(&self, users: usize) -> Room<'_> {
        let kib = u32::try_from(users).unwrap_or(u32::MAX).saturating_mul(USER_KIB).clamp(USER_KIB, ROOM_KIB);
        // The semaphore is never closed; without room an answer is just counted as beyond it.
        let held = self.room.acquire_many(kib).await.ok();
        Room { intake: self, held, beyond: None }
    }
}

impl<'i> Room<'i> {
    fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, SemaphorePermit::num_permits) * 1024
    }

    /// Makes room for `bytes` in all.
    async fn grow(&mut self, bytes: usize) {
        if self.beyond.is_some() || bytes <= self.bytes() {
            return;
        }
        let missing = u32::try_from((bytes - self.bytes()).div_ceil(1024)).unwrap_or(u32::MAX);
        match (self.intake.room.try_acquire_many(missing), &mut self.held) {
            (Ok(more), Some(held)) => held.merge(more),
            _ => self.beyond = self.intake.beyond.acquire().await.ok(),
        }
    }

    /// Receives the body of an answer, up to [`MAX_ANSWER`].
    pub(super) async fn receive(mut self, mut response: reqwest::Response) -> Result<Bytes<'i>, Fault> {
        let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if announced.is_some_and(|length| length > MAX_ANSWER) {
            return Err(Fault::TooLarge);
        }
        let mut bytes = Vec::with_capacity(announced.unwrap_or(STEP / 4).min(self.bytes()));
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            let needed = bytes.len() + chunk.len();
            if needed > MAX_ANSWER {
                return Err(Fault::TooLarge);
            }
            if needed > bytes.capacity() {
                let capacity = needed.max(bytes.capacity() + (bytes.capacity() / 4).max(STEP)).min(MAX_ANSWER);
                self.grow(capacity).await;
                bytes.reserve_exact(capacity - bytes.len());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes { bytes, _room: self })
    }
}

/// Receives at most `most` bytes of a body, for what is but an explanation.
pub(super) async fn receive_some(mut response: reqwest::Response, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let left = most - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(left)]);
        if bytes.len() == most {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn reads_wait_for_room_and_all_rooms_come_back() {
        let intake = Intake::new();
        let mut rooms = Vec::new();
        for _ in 0..ROOM_KIB / (100 * USER_KIB) {
            rooms.push(intake.admit(100).await);
        }
        let mut next = Box::pin(intake.admit(100));
        assert!(next.as_mut().now_or_never().is_none());
        rooms.pop();
        assert!(next.as_mut().now_or_never().is_some());
        drop(rooms);
        drop(next);
        assert_eq!(intake.room.available_permits(), ROOM_KIB as usize);
        assert_eq!(intake.admit(usize::MAX).await.bytes(), ROOM_KIB as usize * 1024);
    }

    #[tokio::test]
    async fn an_answer_that_outgrows_its_room_takes_more_and_only_one_goes_beyond() {
        let intake = Intake::new();
        let mut first = intake.admit(1).await;
        first.grow(1024 * 1024).await;
        assert_eq!((first.bytes(), intake.beyond.available_permits()), (1024 * 1024, 1));
        first.grow(MAX_ANSWER).await;
        assert_eq!(intake.beyond.available_permits(), 0);
        first.grow(MAX_ANSWER).await;
        let mut second = intake.admit(1).await;
        let mut growing = Box::pin(second.grow(MAX_ANSWER));
        assert!(growing.as_mut().now_or_never().is_none());
        drop(first);
        growing.await;
        drop(second);
        assert_eq!((intake.room.available_permits(), intake.beyond.available_permits()), (ROOM_KIB as usize, 1));
    }
}
