//! The table: a line for each mechanism. A new one costs its design, its formula and its line here.

use crate::hold::{Loss, Row};
use crate::math::{Rows, Weights};
use crate::tape::Var;

/// `test: "mechanism", "design", "unit", width, module::formula;`, ` loss formula` where the unit adds a loss,
/// `, estimated` where the gradient is an estimate.
macro_rules! table {
    ($($test:ident: $mechanism:literal, $design:literal, $unit:literal $(in $around:literal)?, $width:literal,
        $module:ident::$formula:ident $(loss $loss:ident)? $(, $estimated:ident)?;)+) => {
        /// Every mechanism that is held to a formula.
        pub(crate) const ROWS: &[Row] = &[$({
            fn taped<'t>(w: &Weights<Var<'t>>, x: &[Vec<Var<'t>>]) -> Rows<Var<'t>> {
                crate::reference::$module::$formula(w, x)
            }
            Row {
                test: stringify!($test),
                mechanism: $mechanism,
                design: $design,
                unit: $unit,
                around: [$($around,)?].first().copied(),
                width: $width,
                formula: concat!(stringify!($module), "::", stringify!($formula)),
                plain: crate::reference::$module::$formula::<f64>,
                taped,
                loss: [$({
                    fn taped<'t>(w: &Weights<Var<'t>>, x: &[Vec<Var<'t>>]) -> Var<'t> {
                        crate::reference::$module::$loss(w, x)
                    }
                    Loss {
                        formula: concat!(stringify!($module), "::", stringify!($loss)),
                        plain: crate::reference::$module::$loss::<f64>,
                        taped,
                    }
                },)?].first().copied(),
                estimated: [$(stringify!($estimated),)?].first().copied(),
            }
        }),+];

        mod held {
            $(
                #[test]
                fn $test() {
                    let row = super::ROWS.iter().find(|row| row.test == stringify!($test));
                    row.expect("a row of this name").hold();
                }
            )+
        }
    };
}

table! {
    gpt: "GPT, the seed: rotary attention and a gated MLP", "gpt", "Block", 32, softmax::gpt;
    mha: "multi-head attention", "mechanisms/mha", "MultiHeadAttention", 16, softmax::multi_head;
    gqa: "grouped-query attention", "mechanisms/gqa", "GroupedQueryAttention", 16, softmax::grouped_query;
    mqa: "multi-query attention", "mechanisms/mqa", "MultiQueryAttention", 16, softmax::multi_query;
    window: "sliding window", "mechanisms/window", "WindowAttention<N = 8>", 16, softmax::window;
    sinks: "learned sinks", "mechanisms/sinks", "SinkAttention", 16, softmax::sinks;
    streaming: "window with first positions as sinks", "mechanisms/streaming", "StreamingAttention<F = 2, N = 8>", 16, softmax::streaming;
    alibi: "ALiBi", "mechanisms/alibi", "AlibiAttention", 16, softmax::alibi;
    rope: "RoPE, interleaved pairs", "mechanisms/rope", "RotaryAttention", 16, softmax::rotary;
    rope_half: "RoPE, halves", "mechanisms/rope_half", "RotaryAttention", 16, softmax::rotary_halves;
    qk_norm: "QK-norm", "mechanisms/qk_norm", "QkNormAttention", 16, softmax::qk_norm;
    soft_cap: "soft-capped scores", "mechanisms/soft_cap", "SoftCappedAttention<C = 2>", 16, softmax::soft_cap;
    mla: "MLA: latent keys and values, decoupled RoPE", "mechanisms/mla", "LatentAttention", 32, softmax::latent;
    fox: "FoX, forgetting attention", "mechanisms/fox", "ForgettingAttention", 16, softmax::forgetting;
    differential: "differential attention", "mechanisms/differential", "DifferentialAttention", 16, softmax::differential;
    path_window: "PaTH over a window", "mechanisms/path_window", "PathAttention", 16, softmax::path_window;
    depth_softmax: "softmax over depth of residual sources", "mechanisms/depth_softmax", "Group", 16, softmax::depth;
    moba: "MoBA, blocks by their mean key", "mechanisms/moba", "BlockAttention<W = 4>", 16, sparse::moba;
    nsa: "NSA: compress, select, window", "mechanisms/nsa", "SparseAttention<W = 4, N = 6>", 16, sparse::nsa;
    linear_attention: "linear attention, elu + 1", "mechanisms/linear_attention", "LinearAttentionMixer", 16, linear::elu;
    performer: "Performer features", "mechanisms/performer", "PerformerAttention", 16, linear::performer;
    hedgehog: "Hedgehog features", "mechanisms/hedgehog", "HedgehogAttention", 16, linear::hedgehog;
    based: "Based: second Taylor polynomial", "mechanisms/based", "TaylorAttention", 16, softmax::taylor;
    rebased: "ReBased features", "mechanisms/rebased", "RebasedAttention", 16, linear::rebased;
    retnet: "RetNet, the seed: retention and a gated MLP", "retnet", "Block", 64, linear::retnet;
    lightning: "Lightning attention", "mechanisms/lightning", "LightningAttention", 16, linear::lightning;
    simple_gla: "simple GLA", "mechanisms/simple_gla", "SimpleGatedLinearAttention", 16, linear::simple_gla;
    gla: "GLA, with a low-rank gate", "gla", "Block", 64, linear::gla;
    hgrn: "HGRN", "mechanisms/hgrn", "GatedRecurrence", 16, linear::hgrn;
    hgrn2: "HGRN2", "mechanisms/hgrn2", "GatedMatrixRecurrence", 16, linear::hgrn2;
    log_linear: "log-linear attention, Fenwick buckets", "mechanisms/log_linear", "LogLinearAttention", 16, linear::log_linear;
    abc: "ABC, bounded memory", "mechanisms/abc", "SlotAttention", 16, linear::abc;
    gsa: "GSA, gated slots", "mechanisms/gsa", "GatedSlotAttention", 16, linear::gsa;
    gated_norm: "gated RMS norm", "mechanisms/gated_norm", "GatedNormRetention", 16, linear::gated_norm;
    mamba: "Mamba", "mechanisms/mamba", "SelectiveState<N = 4>", 16, recurrent::mamba;
    mamba2: "Mamba-2, the seed", "mamba2", "Block", 64, recurrent::mamba2;
    rwkv4: "RWKV-4", "mechanisms/rwkv4", "TimeMix", 16, recurrent::rwkv4;
    rwkv6: "RWKV-6, the seed", "mechanisms/rwkv6", "Block", 32, recurrent::rwkv6;
    griffin: "Griffin's RG-LRU", "mechanisms/griffin", "RecurrentBlock", 16, recurrent::griffin;
    s4d: "S4D", "mechanisms/s4d", "DiagonalStateSpace<N = 4>", 16, recurrent::s4d;
    hyena: "long convolution (Hyena)", "mechanisms/hyena", "HyenaOperator", 16, recurrent::hyena;
    mlstm: "mLSTM", "mechanisms/mlstm", "MatrixLstm", 16, recurrent::mlstm;
    slstm: "sLSTM", "mechanisms/slstm", "ScalarLstm", 16, recurrent::slstm;
    delta_net: "DeltaNet, L2-normalized q and k behind short convolutions", "mechanisms/delta_net", "DeltaRule", 16, delta::delta_net;
    negative_eigenvalues: "negative eigenvalues", "mechanisms/negative_eigenvalues", "ReflectingDelta", 16, delta::reflecting;
    gated_delta_net: "Gated DeltaNet, more v heads than k heads", "mechanisms/gated_delta_net", "GatedDelta", 16, delta::gated;
    kda: "Kimi delta attention, low-rank gates", "mechanisms/kda", "KimiDelta", 16, delta::kimi;
    delta_product: "DeltaProduct", "mechanisms/delta_product", "DeltaProductMixer", 16, delta::product;
    ttt_linear: "TTT-Linear, the seed", "mechanisms/ttt_linear", "Block", 64, memory::ttt_linear;
    ttt_mlp: "TTT-MLP", "mechanisms/ttt_mlp", "TestTimeMlp", 16, memory::two_layers;
    titans: "Titans, a linear memory", "mechanisms/titans", "Memory", 16, memory::titans;
    mesa_net: "MesaNet", "mechanisms/mesa_net", "MesaLayer<N = 4>", 16, delta::mesa;
    rwkv7: "RWKV-7", "mechanisms/rwkv7", "TimeMix", 16, delta::rwkv7;
    short_conv: "short convolution between two gates", "mechanisms/short_conv", "GatedShortConv", 16, shell::gated_short_conv;
    gated_attention: "output gate", "mechanisms/gated_attention", "OutputGatedAttention", 16, softmax::gated;
    swiglu: "SwiGLU", "mechanisms/swiglu", "GatedSilu", 16, shell::swiglu;
    geglu: "GEGLU", "mechanisms/geglu", "GeGlu", 16, shell::geglu;
    relu2: "ReLU^2", "mechanisms/relu2", "Relu2Mlp", 16, shell::relu2;
    token_shift: "token shift", "mechanisms/token_shift", "ShiftedMlp", 16, shell::channel_mix;
    soft_moe: "soft mixture of experts", "mechanisms/soft_moe", "SoftExperts", 16, shell::soft_experts;
    value_residual: "value residual of the first layer", "mechanisms/value_residual", "First, Later" in "
        unit Held<H = 4, E = D / 4>(x: Seq[D]) -> Seq[D] {
            let (first, v1) = First<H = H, E = E>(x)
            let later = Later(first, v1)
            later
        }", 16, softmax::value_residual;
    moe: "top-k mixture of experts", "mechanisms/moe", "Experts", 16, sparse::top_experts;
    moe_balance: "load balance and router z-loss of a mixture of experts", "mechanisms/moe_balance", "BalancedExperts", 16, sparse::balanced_experts loss balance;
    vq_vae: "codebook and commitment losses of vector quantization", "mechanisms/vq_vae", "Codes", 16, sparse::codes loss codebook, estimated;
    vq: "vector quantization, straight-through", "mechanisms/vq", "Quantized", 16, sparse::quantized, estimated;
    multiscale: "causal pool and upsample", "mechanisms/multiscale", "Scales", 16, sparse::scales;
    film: "FiLM", "mechanisms/film", "ModulatedMlp", 16, shell::film;
    scalar_mix: "learned scalar mixture", "mechanisms/scalar_mix", "Group", 16, shell::scalar_mix;
    hyper_connections: "hyper-connections", "mechanisms/hyper_connections", "Read, Write" in "
        unit Held(x: Seq[D]) -> Seq[D] {
            axis N = 2
            let h = stack[N](x, shift(x, 1))
            let first = Read(h)
            let mixed = Write(h, tanh(first))
            let last = Read(mixed)
            last
        }", 16, shell::hyper_connections;
}
