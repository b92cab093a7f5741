"""The SQL of runs, one module for each thing that is stored."""
