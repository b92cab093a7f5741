"""The SQL of outbox, one module for each thing that is stored."""
