"""Which bodies are one basket."""
