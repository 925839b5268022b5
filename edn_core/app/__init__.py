"""Two videos and a button: a page on this machine, and behind it the workflow as it is.

The page knows nothing of training or synthesis. It writes a configuration, starts Snakemake and
shows the files and logs that the jobs leave.
"""
