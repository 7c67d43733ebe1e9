//! IR on candle: the composed, differentiable oracle, as a candle_nn::Module.
