"""Hold the store, what we made of it, and Ometria against each other, and put right what may be put right.

Read in this order: `run` walks the steps; `stores`, `ours` and `there` each look at one side; `suspects` gathers who
may differ; `facts` puts together what is known of each; `conclude` names causes, writes findings and starts repairs;
`close` ends cases that are over.
"""
