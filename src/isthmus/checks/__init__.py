"""The audit's checks: each is shown rows and then asked what it found. One check per file."""
