//! Gradients, on a thread whose stack is large enough.
//!
//! Candle walks its graph by recursion, forward to sort it and once more to free it, and a
//! recurrence over a long row is a deep graph.

use candle_core::Tensor;

use crate::{Model, RuntimeError};

const STACK: usize = 256 << 20;

/// The gradient of a scalar for each parameter of the model, in their order; `None` where the
/// scalar does not depend on the parameter. Gradients are outside of any graph.
///
/// # Errors
/// Candle fails, or no thread can be started.
pub fn gradients(loss: &Tensor, model: &Model) -> Result<Vec<Option<Tensor>>, RuntimeError> {
    on_large_stack(|| {
        let store = loss.backward()?;
        Ok(model.parameters().iter().map(|p| store.get(&p.var).map(Tensor::detach)).collect())
    })
}

/// Runs `work` with 256 MiB of stack: room for a backward pass, and for dropping a deep graph.
///
/// # Errors
/// Those of `work`; no thread can be started; `work` panics.
pub fn on_large_stack<T: Send>(work: impl FnOnce() -> Result<T, RuntimeError> + Send) -> Result<T, RuntimeError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match thread.map_err(RuntimeError::Thread)?.join() {
            Ok(result) => result,
            Err(panic) => Err(RuntimeError::Backward(
                panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without text".to_string()),
            )),
        }
    })
}
