//! The designs whose source is kept in `golden`, as modules of this test.
//!
//! A new one is a line here; `UPDATE_GOLDENS=1 cargo test -p tests --test emitted golden` writes its source.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A model that was emitted, as this test calls it.
pub(crate) trait Emitted {
    /// Scores.
    fn forward(&self, tokens: &Tensor) -> Result<Tensor>;
    /// The loss.
    fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor>;
}

/// A line of the table.
pub(crate) struct Row {
    /// The name of the golden.
    pub(crate) name: &'static str,
    /// The design's file below `designs`, without its ending.
    pub(crate) design: &'static str,
    /// The model over weights.
    pub(crate) new: fn(VarBuilder) -> Result<Box<dyn Emitted>>,
}

macro_rules! table {
    ($($name:ident: $model:ident = $path:literal, $design:literal;)*) => {
        $(
            // As a person would have it in a program: every size and every weight is public, and not all are read.
            #[allow(missing_docs, unreachable_pub, dead_code, clippy::approx_constant, clippy::needless_range_loop)]
            #[path = $path]
            pub(crate) mod $name;

            impl Emitted for $name::$model {
                fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
                    $name::$model::forward(self, tokens)
                }

                fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
                    $name::$model::loss(self, tokens, targets)
                }
            }
        )*

        /// All of them.
        pub(crate) const ALL: &[Row] = &[
            $(Row { name: stringify!($name), design: $design, new: |vb| Ok(Box::new($name::$model::new(vb)?)) },)*
        ];
    };
}

table! {
    alibi: Alibi = "golden/alibi.rs", "mechanisms/alibi";
    differential: Differential = "golden/differential.rs", "mechanisms/differential";
    film: Film = "golden/film.rs", "mechanisms/film";
    fox: Fox = "golden/fox.rs", "mechanisms/fox";
    gla: Gla = "golden/gla.rs", "gla";
    gpt: Gpt = "golden/gpt.rs", "gpt";
    hedgehog: Hedgehog = "golden/hedgehog.rs", "mechanisms/hedgehog";
    path_window: PathWindow = "golden/path_window.rs", "mechanisms/path_window";
    hyper_connections: HyperConnections = "golden/hyper_connections.rs", "mechanisms/hyper_connections";
    mamba2: Mamba2 = "golden/mamba2.rs", "mamba2";
    moba: Moba = "golden/moba.rs", "mechanisms/moba";
    moe: Moe = "golden/moe.rs", "mechanisms/moe";
    moe_balance: MoeBalance = "golden/moe_balance.rs", "mechanisms/moe_balance";
    multiscale: MultiScale = "golden/multiscale.rs", "mechanisms/multiscale";
    nsa: Nsa = "golden/nsa.rs", "mechanisms/nsa";
    octave: Octave = "golden/octave.rs", "octave";
    rare: Rare = "golden/rare.rs", "../tests/tests/emitted/rare";
    retnet: RetNet = "golden/retnet.rs", "retnet";
    rwkv7: Rwkv7 = "golden/rwkv7.rs", "mechanisms/rwkv7";
    sinks: Sinks = "golden/sinks.rs", "mechanisms/sinks";
    slstm: SLstm = "golden/slstm.rs", "mechanisms/slstm";
    titans: Titans = "golden/titans.rs", "mechanisms/titans";
    ttt_mlp: TttMlp = "golden/ttt_mlp.rs", "mechanisms/ttt_mlp";
    value_residual: ValueResidual = "golden/value_residual.rs", "mechanisms/value_residual";
    vq: Vq = "golden/vq.rs", "mechanisms/vq";
}
