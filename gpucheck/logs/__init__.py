"""Logs: what a program printed -> facts -> findings. Pure: chunks of bytes in, no file and no machine touched here.

    bytes --reading--> pages of whole lines --sieve--> the lines that may matter --messages--> clues (facts.log.Log)
    clues --snapshot--> facts of a machine          clues + facts --judging--> findings

`messages` knows what lines say, one module per speaker; `judging` knows what that means, one module per subject.
"""
