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

/// What is asked for, and why it was asked first.
type Asked = (Urgency, &'static str);

/// The end that asks.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Asked>);

/// The end that is asked.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Asked>);

/// Makes the two ends.
pub fn channel() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel((Urgency::None, ""));
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks for one degree more than before and says which that is; `why` is a lower-case fragment.
    pub fn ask(&self, why: &'static str) -> Urgency {
        self.0.send_modify(|asked| {
            *asked = if asked.0 == Urgency::None { (Urgency::Drain, why) } else { (Urgency::Abandon, asked.1) };
        });
        self.0.borrow().0
    }
}

impl Stop {
    /// What is asked for now.
    pub fn urgency(&self) -> Urgency {
        self.0.borrow().0
    }

    /// Why, once something is asked for.
    pub fn why(&self) -> Option<&'static str> {
        Some(*self.0.borrow()).filter(|(urgency, _)| *urgency > Urgency::None).map(|(_, why)| why)
    }

    /// Waits until more than `than` is asked for.
    pub async fn beyond(&mut self, than: Urgency) -> Urgency {
        match self.0.wait_for(|(urgency, _)| *urgency > than).await.map(|asked| asked.0) {
            Ok(urgency) => urgency,
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    }
}
