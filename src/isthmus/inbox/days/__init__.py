"""The days that bodies lie in, and how they and all that is over are forgotten."""
