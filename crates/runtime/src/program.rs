//! A module together with its weights: what models and blocks share.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use genesys_axis::Domain;
use genesys_decode::{CallId, Layout, layout};
use genesys_ir::module::{AxisId, Direction, Module, Op, Region};
use genesys_ir::{ParameterInfo, parameters, without_losses};
use genesys_scalar::Role;

use crate::execute::{Executor, constant};
use crate::mask::{Masks, Reach};
use crate::memory::{Graph, Memory};
use crate::named::{Named, Place, Value};
use crate::origin::{Origin, Probe};
use crate::state::{Held, State};
use crate::{RuntimeError, init};

/// Differences between given weights and the module's that an error names.
const DIFFERENCES: usize = 5;

/// A weight of a model.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name: `blocks.3.attention.q.weight`.
    pub name: String,
    /// Its sizes in storage order, row-major.
    pub shape: Vec<usize>,
    /// What it is for; it fixes the optimizer's decay group.
    pub role: Role,
    /// Its value, which an optimizer sets.
    pub var: Var,
}

/// A module that can run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) module: Arc<Module>,
    /// The module as it predicts: without the losses of its units.
    predicts: Arc<Module>,
    layout: Arc<Layout>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) place: Place,
    pasts: BTreeMap<AxisId, Reach>,
    /// The past of every position, which is no axis of the module.
    whole: AxisId,
}

impl Program {
    /// Weights drawn from a seed.
    pub(crate) fn init(module: Module, seed: u64, dtype: DType, device: &Device) -> Result<Self, RuntimeError> {
        let mut vars = Vec::new();
        for info in parameters(&module)? {
            let tensor = Tensor::from_vec(init::draw(&info, seed), info.shape.as_slice(), device)?.to_dtype(dtype)?;
            vars.push((info, tensor));
        }
        Self::new(module, vars, Place { dtype, device: device.clone() })
    }

    /// Weights by name: just the module's, in their shapes.
    pub(crate) fn from_weights(module: Module, mut weights: BTreeMap<String, Tensor>) -> Result<Self, RuntimeError> {
        let infos = parameters(&module)?;
        let found = differences(&infos, &weights);
        if !found.is_empty() {
            return Err(RuntimeError::Weights(found));
        }
        let place = match weights.values().next() {
            Some(tensor) => Place { dtype: tensor.dtype(), device: tensor.device().clone() },
            None => Place { dtype: DType::F32, device: Device::Cpu },
        };
        let take = |info: ParameterInfo| {
            let tensor = weights.remove(&info.name).expect("there is no difference in names");
            (info, tensor)
        };
        let vars = infos.into_iter().map(take).collect();
        Self::new(module, vars, place)
    }

    fn new(module: Module, tensors: Vec<(ParameterInfo, Tensor)>, place: Place) -> Result<Self, RuntimeError> {
        for function in &module.functions {
            supported(&function.body)?;
        }
        let whole = AxisId(module.axes.len() as u32);
        let mut pasts = BTreeMap::from([(whole, Reach::Past { window: None, skip: 0 })]);
        for (i, axis) in module.axes.iter().enumerate() {
            let reach = match &axis.domain {
                Domain::Static(_) => continue,
                Domain::Past { window, skip } => {
                    Reach::Past { window: window.as_ref().map(constant).transpose()?, skip: constant(skip)? }
                }
                Domain::Blocks { size } => Reach::Blocks { size: constant(size)? },
            };
            pasts.insert(AxisId(i as u32), reach);
        }
        let mut parameters = Vec::new();
        for (info, tensor) in tensors {
            let var = Var::from_tensor(&tensor.contiguous()?)?;
            parameters.push(Parameter { name: info.name, shape: info.shape, role: info.role, var });
        }
        let predicts = without_losses(&module);
        let layout = Arc::new(layout(&predicts)?);
        let (module, predicts) = (Arc::new(module), Arc::new(predicts));
        Ok(Self { module, predicts, layout, parameters, place, pasts, whole })
    }

    /// The main function's results over rows of `positions` positions: logits, loss, and the losses of units where they
    /// have any.
    pub(crate) fn run(&self, inputs: Vec<Named>, positions: usize, graph: Graph) -> Result<Vec<Named>, RuntimeError> {
        self.run_with(&self.module, inputs, positions, graph, Watch::default())
    }

    /// Logits and loss alone: what the losses of units read is not computed where nothing else reads it.
    pub(crate) fn predict(
        &self,
        inputs: Vec<Named>,
        positions: usize,
        graph: Graph,
    ) -> Result<Vec<Named>, RuntimeError> {
        self.run_with(&self.predicts, inputs, positions, graph, Watch::default())
    }

    /// The origin of the first loss that is not finite.
    pub(crate) fn origin(&self, inputs: Vec<Named>, positions: usize) -> Result<Option<Origin>, RuntimeError> {
        let probe = Probe::default();
        let watch = Watch { probe: Some(&probe), memory: None };
        let results = self.run_with(&self.module, inputs, positions, Graph::None, watch)?;
        Ok(results.iter().skip(1).find_map(|loss| probe.origin(loss)))
    }

    /// The state of `batch` rows before their first position.
    pub(crate) fn start(&self, batch: usize) -> State {
        let held = vec![Held::Nothing; self.layout.slots().len()];
        State { module: self.predicts.clone(), layout: self.layout.clone(), batch, positions: 0, held }
    }

    /// The main function's results over the next `positions` positions of rows, and the state behind them.
    pub(crate) fn extend(
        &self,
        state: &State,
        inputs: Vec<Named>,
        (batch, positions): (usize, usize),
        graph: Graph,
    ) -> Result<(Vec<Named>, State), RuntimeError> {
        if !Arc::ptr_eq(&state.module, &self.predicts) && state.module != self.predicts {
            return Err(RuntimeError::State(format!("of `{}`, another module", state.module.name)));
        }
        if state.batch != batch {
            return Err(RuntimeError::State(format!("of {} rows, and {batch} go on", state.batch)));
        }
        let memory = Memory::new(state, positions, graph);
        let watch = Watch { probe: None, memory: Some(&memory) };
        let results = self.run_with(&self.predicts, inputs, positions, graph, watch)?;
        Ok((results, memory.finish()))
    }

    fn run_with(
        &self,
        module: &Module,
        inputs: Vec<Named>,
        positions: usize,
        graph: Graph,
        Watch { probe, memory }: Watch<'_>,
    ) -> Result<Vec<Named>, RuntimeError> {
        let weight = |p: &Parameter| {
            let tensor = p.var.as_tensor();
            (p.name.clone(), if graph == Graph::Kept { tensor.clone() } else { tensor.detach() })
        };
        let weights = self.parameters.iter().map(weight).collect();
        let start = memory.map_or(0, Memory::start);
        let masks = Masks::new(&self.place, (start, positions), &self.pasts, self.whole);
        let executor = Executor { module, weights: &weights, place: &self.place, masks, memory, probe };
        let inputs = inputs.into_iter().map(Value::Tensor).collect();
        let values = executor.call(module.main(), inputs, 0, String::new(), CallId::MAIN)?;
        values.iter().map(|value| Ok(value.named(&self.place)?)).collect()
    }
}

/// What accompanies a run.
#[derive(Clone, Copy, Default)]
struct Watch<'a> {
    probe: Option<&'a Probe>,
    memory: Option<&'a Memory<'a>>,
}

/// The first differences between what a module asks for and what is given.
fn differences(infos: &[ParameterInfo], weights: &BTreeMap<String, Tensor>) -> Vec<String> {
    let mut lines = Vec::new();
    for info in infos {
        match weights.get(&info.name) {
            None => lines.push(format!("`{}` {:?} is missing", info.name, info.shape)),
            Some(tensor) if tensor.dims() != info.shape => {
                lines.push(format!("`{}` is {:?}, not {:?}", info.name, tensor.dims(), info.shape));
            }
            Some(_) => {}
        }
    }
    let unknown = weights.keys().filter(|name| !infos.iter().any(|info| info.name == **name));
    lines.extend(unknown.map(|name| format!("`{name}` is not a weight of the model")));
    lines.truncate(DIFFERENCES);
    lines
}

/// Reversed time and document starts are for back ends that have them.
fn supported(region: &Region) -> Result<(), RuntimeError> {
    for instruction in &region.instructions {
        let (direction, reset, body) = match &instruction.op {
            Op::Shift { direction, reset, .. }
            | Op::Window { direction, reset, .. }
            | Op::Pool { direction, reset, .. } => (direction, reset, None),
            Op::Past { direction, reset, body, .. } | Op::Scan { direction, reset, body, .. } => {
                (direction, reset, Some(body))
            }
            _ => continue,
        };
        match (direction, reset) {
            (Direction::Reverse, _) => return Err(RuntimeError::Unsupported("reversed time")),
            (Direction::Forward, Some(_)) => {
                return Err(RuntimeError::Unsupported("document starts within a row"));
            }
            (Direction::Forward, None) => {}
        }
        if let Some(body) = body {
            supported(body)?;
        }
    }
    Ok(())
}
