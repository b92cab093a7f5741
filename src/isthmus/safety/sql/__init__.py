"""The SQL of safety, one module for each thing that is stored."""
