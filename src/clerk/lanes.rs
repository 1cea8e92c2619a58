//! Connections side by side, where one does not carry everything.
//!
//! Over HTTP/2 all requests share one connection, which as a rule takes 100 at once; what comes on top would wait for an
//! answer to come back, and so the latency, not the limit, would set the pace. So each hundred gets a lane of its own, a
//! client with its own connection, once it is needed and the server has answered over HTTP/2. That is known before, for
//! whoever only finds it out while connecting sets up one connection for each request that waits, and drops all but one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Client;

/// How many requests one lane takes: what the standard advises servers to take at least, and most take at most.
const REQUESTS: usize = 100;

/// The most lanes; beyond, the least busy takes more.
const MOST_LANES: usize = 8;

/// The lanes, and the client of the first.
#[derive(Debug)]
pub(super) struct Lanes {
    first: Client,
    all: Vec<Lane>,
    is_http2: AtomicBool,
}

#[derive(Debug, Default)]
struct Lane {
    http: OnceLock<Client>,
    under_way: AtomicUsize,
}

/// A place in a lane for one request, until its answer is there.
#[derive(Debug)]
pub(super) struct Place<'l> {
    lane: &'l Lane,
    pub(super) http: &'l Client,
}

impl Lanes {
    /// A first lane, and others that are not open yet.
    pub(super) fn new(first: Client) -> Self {
        let mut all = vec![Lane { http: first.clone().into(), under_way: AtomicUsize::new(0) }];
        all.resize_with(MOST_LANES, Lane::default);
        Self { first, all, is_http2: AtomicBool::new(false) }
    }

    /// Takes note that the server speaks HTTP/2.
    pub(super) fn speaks_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Takes a place in the first lane that has one. A lane that cannot be `opened` shares the connections of the first.
    pub(super) fn take(&self, opened: impl FnOnce() -> Option<Client>) -> Place<'_> {
        let free = self.usable().iter().find(|lane| lane.enter_if_free());
        let lane = free.unwrap_or_else(|| self.least_busy());
        let http = lane.http.get_or_init(|| opened().unwrap_or_else(|| self.first.clone()));
        Place { lane, http }
    }

    fn usable(&self) -> &[Lane] {
        if self.is_http2.load(Ordering::Relaxed) { &self.all } else { &self.all[..1] }
    }

    /// Enters the lane with the fewest requests.
    fn least_busy(&self) -> &Lane {
        let lane = self.usable().iter().min_by_key(|lane| lane.under_way.load(Ordering::Relaxed));
        let lane = lane.expect("there is at least one lane");
        lane.under_way.fetch_add(1, Ordering::Relaxed);
        lane
    }
}

impl Lane {
    fn enter_if_free(&self) -> bool {
        let entered = |under_way| (under_way < REQUESTS).then_some(under_way + 1);
        self.under_way.fetch_update(Ordering::Relaxed, Ordering::Relaxed, entered).is_ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.lane.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(lanes: &Lanes) -> Vec<usize> {
        lanes.all.iter().map(|lane| lane.under_way.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn each_hundred_gets_a_lane_and_a_free_place_is_taken_again() {
        let lanes = Lanes::new(Client::new());
        lanes.speaks_http2();
        let mut opened = 0;
        let mut places: Vec<_> = (0..250)
            .map(|_| {
                lanes.take(|| {
                    opened += 1;
                    Some(Client::new())
                })
            })
            .collect();
        assert_eq!((&busy(&lanes)[..4], opened), (&[100, 100, 50, 0][..], 2));
        drop(places.drain(..120));
        places.push(lanes.take(|| None));
        assert_eq!(busy(&lanes)[..3], [1, 80, 50]);
    }

    #[test]
    fn beyond_the_last_lane_the_least_busy_takes_more_and_without_http_2_there_is_only_one() {
        for (is_http2, most) in [(true, 125), (false, 1000)] {
            let lanes = Lanes::new(Client::new());
            lanes.is_http2.store(is_http2, Ordering::Relaxed);
            let _places: Vec<_> = (0..1000).map(|_| lanes.take(|| None)).collect();
            assert_eq!(busy(&lanes).iter().max(), Some(&most));
        }
    }
}
