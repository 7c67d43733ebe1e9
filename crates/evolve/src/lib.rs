//! Generations, parents, workers and the leaderboard of a run.
