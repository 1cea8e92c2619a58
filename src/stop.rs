//! Being asked to stop: once to drain, twice to abandon.

use tokio::sync::watch;

/// How urgently the run is to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all.
    #[default]
    None,
    /// Nothing new is sent; what is under way is finished and recorded.
    Drain,
    /// What is under way is given up; the next session finds out what became of it.
    Abandon,
}

/// The end that asks.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Urgency>);

/// The end that is asked.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Urgency>);

/// Makes the two ends.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Urgency::None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks for one degree more than before.
    pub fn ask(&self) -> Urgency {
        self.0.send_modify(|urgency| {
            *urgency = if *urgency == Urgency::None { Urgency::Drain } else { Urgency::Abandon };
        });
        *self.0.borrow()
    }
}

impl Stop {
    /// What is asked for now.
    pub fn urgency(&self) -> Urgency {
        *self.0.borrow()
    }

    /// Waits until more than `than` is asked for.
    pub async fn beyond(&mut self, than: Urgency) -> Urgency {
        match self.0.wait_for(|urgency| *urgency > than).await.map(|urgency| *urgency) {
            Ok(urgency) => urgency,
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    }
}
