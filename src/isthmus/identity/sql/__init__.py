"""The SQL of identity, one module for each thing that is stored."""
