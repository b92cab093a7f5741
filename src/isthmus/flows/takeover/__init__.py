"""Live in an account that another writer has filled, so that neither orders nor revenue are there twice.

Read in this order: `sample` looks at a few records before anything is decided; `listing` lists everything that is not
ours; `adopt` finds, as each record is mapped, the id it goes on under; `carry_out` maps again what was mapped before;
`forecast` tells what the account will hold once we write to it.
"""
