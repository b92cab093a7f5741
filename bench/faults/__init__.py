"""What the world does to a running installation, and whether everything comes right by itself.

`python -m bench faults [--only NAME] [--json]`. Real processes, a real PostgreSQL, Shopify and Ometria simulated in a
process of their own while things happen in the shops. Each fault is held for a while; then it ends, the shops fall
silent, and nobody touches anything until both sides are at rest. Exit code 1 if a promise is not kept, or a fault could
not be had on this machine.
"""
