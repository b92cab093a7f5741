"""The SQL of drift, one module for each thing that is stored."""
