"""The SQL of inbox, one module for each thing that is stored."""
