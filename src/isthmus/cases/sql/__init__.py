"""The SQL of cases, one module for each thing that is stored."""
