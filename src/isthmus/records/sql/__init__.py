"""The SQL of records, one module for each thing that is stored."""
