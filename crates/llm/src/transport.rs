//! What answers.

use crate::error::LlmError;
use crate::message::{Reply, Request};

/// What answers requests. Calls block; many threads may call at once.
pub trait Transport: Send + Sync {
    /// Asks, and waits for the whole reply. `hear` is told pieces of its text as they come, where they come in pieces; where a try
    /// failed and another follows, they come anew.
    ///
    /// # Errors
    /// Why there is no reply.
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError>;
}

impl<T: Transport + ?Sized> Transport for &T {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        (**self).ask(request, hear)
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        (**self).ask(request, hear)
    }
}

impl<T: Transport + ?Sized> Transport for std::sync::Arc<T> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        (**self).ask(request, hear)
    }
}
