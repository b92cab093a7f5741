"""The SQL of customer metrics, one module for each thing that is stored."""
