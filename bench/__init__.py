"""The speed of Drawloom, measured beside the engines that people run today.

`python -m bench` runs the workloads and prints the table; docs/reference/speed.md
tells what each workload does and how to read the result. This folder is not part
of the package: only `engines/drawloom.py` imports it.

    __main__   the command line
    peers      installs the peers into an environment of their own
    engines/   one module per engine: the same five programs, written its way
    worker     one workload on one engine, in a process of its own
    measure    clocks, percentiles, memory
    passes     which process runs when; interleaved, one at a time
    recovery   W6 and cold start W5: workloads made of whole processes
    samples    what was measured, and the medians and ratios of it
    targets    what is promised, and whether it was met
    table      how it is shown
"""
