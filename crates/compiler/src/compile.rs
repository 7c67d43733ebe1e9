//! From a checked design to a validated IR module at a scale.

use genesys_check::CheckedDesign;
use genesys_diag::Diagnostic;
use genesys_ir::module::Module;
use genesys_ladder::Scale;

/// Why a checked design has no module at a scale.
#[derive(Clone, Debug)]
pub enum CompileError {
    /// The design does not run at the scale.
    Scale(Vec<Diagnostic>),
    /// Our own fault: lowering made what the validator refuses.
    Invalid(Vec<String>),
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CompileError::Scale(diagnostics) => {
                let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
                f.write_str(&messages.join("; "))
            }
            CompileError::Invalid(violations) => write!(f, "lowering broke the IR's rules: {}", violations.join("; ")),
        }
    }
}

impl std::error::Error for CompileError {}

/// Lowers a design at a scale: a module whose sizes are all plain numbers, held to the IR's rules.
pub fn compile(design: &CheckedDesign, scale: &Scale, vocabulary: u64) -> Result<Module, CompileError> {
    let layers = design.at_scale(scale).map_err(CompileError::Scale)?;
    let symbolic = genesys_lower::lower(design, &layers, vocabulary);
    let width = i64::try_from(scale.width).unwrap_or(i64::MAX);
    let mut module =
        genesys_ir::specialize(&symbolic, width).map_err(|error| CompileError::Invalid(vec![error.to_string()]))?;
    genesys_autodiff::expand(&mut module).map_err(|error| CompileError::Invalid(vec![error.to_string()]))?;
    genesys_ir::validate(&module)
        .map_err(|violations| CompileError::Invalid(violations.iter().map(ToString::to_string).collect()))?;
    Ok(module)
}
