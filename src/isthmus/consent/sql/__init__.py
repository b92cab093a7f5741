"""The SQL of consent, one module for each thing that is stored."""
