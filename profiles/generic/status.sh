#!/usr/bin/env bash
# running | success | failed: the state of one Slurm job by its number, without accounting.
# A job that waits, or waits again after it was preempted, counts as running. So does one that
# squeue cannot be asked about just now: whether it failed is seen the next time.
state=$(squeue --noheader --states=all --format=%T --jobs="$1" 2>&1)
case "$state" in
    COMPLETED) echo success ;;
    BOOT_FAIL | CANCELLED | DEADLINE | FAILED | NODE_FAIL | OUT_OF_MEMORY | TIMEOUT) echo failed ;;
    # Forgotten after MinJobAge; its files, or their absence, say how it ended.
    *"Invalid job id"*) echo success ;;
    *) echo running ;;
esac
