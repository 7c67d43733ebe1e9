//! From a checked design to a validated IR module at a scale.

use genesys_check::CheckedDesign;
use genesys_check::design::Layer;
use genesys_diag::Diagnostic;
use genesys_ir::module::Module;
use genesys_ladder::Scale;
use genesys_lower::Origins;

/// Why a checked design has no module at a scale.
#[derive(Clone, Debug)]
pub enum CompileError {
    /// The design does not run at the scale.
    Scale(Vec<Diagnostic>),
    /// Our own fault: a pass made what the validator refuses, or met what it does not know.
    Invalid(Vec<String>),
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompileError::Scale(diagnostics) => {
                let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
                f.write_str(&messages.join("; "))
            }
            CompileError::Invalid(violations) => write!(f, "a pass broke the IR's rules: {}", violations.join("; ")),
        }
    }
}

impl std::error::Error for CompileError {}

/// How far a module is on its way to a back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// As lowered: sizes are formulas in the width `D`.
    Lowered,
    /// Sizes are numbers.
    Specialized,
    /// Derivatives within the design (`grad`) are operations: what a back end is given.
    Expanded,
    /// The backward pass of the whole: `main` gives losses and the gradient of each weight.
    Backward,
    /// The backward pass, cheaper to run.
    Optimized,
}

/// Lowers a design at a scale: a module whose sizes are all plain numbers, held to the IR's rules.
///
/// # Errors
/// The design does not run at the scale.
pub fn compile(design: &CheckedDesign, scale: &Scale, vocabulary: u64) -> Result<Module, CompileError> {
    compile_to(Stage::Expanded, design, scale, vocabulary)
}

/// As [`compile`], up to a stage.
///
/// # Errors
/// The design does not run at the scale.
pub fn compile_to(
    stage: Stage,
    design: &CheckedDesign,
    scale: &Scale,
    vocabulary: u64,
) -> Result<Module, CompileError> {
    let (module, _) = traced(stage.min(Stage::Expanded), design, scale, vocabulary)?;
    if stage < Stage::Backward {
        return Ok(module);
    }
    let backward = genesys_autodiff::differentiate(&module).map_err(invalid)?;
    valid(&backward)?;
    if stage < Stage::Optimized {
        return Ok(backward);
    }
    let optimized = genesys_opt::optimize(&backward);
    valid(&optimized)?;
    Ok(optimized)
}

/// As [`compile`], and where the module's values were written.
///
/// # Errors
/// The design does not run at the scale.
pub fn compile_traced(
    design: &CheckedDesign,
    scale: &Scale,
    vocabulary: u64,
) -> Result<(Module, Origins), CompileError> {
    traced(Stage::Expanded, design, scale, vocabulary)
}

fn traced(
    stage: Stage,
    design: &CheckedDesign,
    scale: &Scale,
    vocabulary: u64,
) -> Result<(Module, Origins), CompileError> {
    let scale = &Scale { vocabulary, ..scale.clone() };
    let layers = fitting(design, scale).map_err(CompileError::Scale)?;
    let (mut module, mut origins) = genesys_lower::lower_traced(design, &layers, vocabulary);
    if stage >= Stage::Specialized {
        let width = i64::try_from(scale.width).unwrap_or(i64::MAX);
        module = genesys_ir::specialize(&module, width).map_err(invalid)?;
    }
    if stage >= Stage::Expanded {
        for (function, expanded) in genesys_autodiff::expand(&mut module).map_err(invalid)? {
            let spans = &mut origins[function.0 as usize];
            let kept = spans.iter().filter_map(|(id, span)| Some((*expanded.kept.get(id)?, *span)));
            *spans = kept.collect();
        }
    }
    valid(&module)?;
    Ok((module, origins))
}

fn valid(module: &Module) -> Result<(), CompileError> {
    genesys_ir::validate(module)
        .map_err(|violations| CompileError::Invalid(violations.iter().map(ToString::to_string).collect()))
}

/// The layers of a design at a scale, where it runs there and is within the limits.
///
/// # Errors
/// What does not hold at the scale, or is too large there.
pub fn fitting(design: &CheckedDesign, scale: &Scale) -> Result<Vec<Layer>, Vec<Diagnostic>> {
    let layers = design.at_scale(scale)?;
    match genesys_cost::beyond_limits(design, &layers, scale) {
        None => Ok(layers),
        Some(diagnostic) => Err(vec![diagnostic]),
    }
}

fn invalid(error: impl ToString) -> CompileError {
    CompileError::Invalid(vec![error.to_string()])
}
