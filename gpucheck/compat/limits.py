"""Lengths at which Windows and its tools stop. Numbers only.

Sources: Microsoft, "setx" (1024), "Command prompt line string limitation" (8191), "Maximum Path Length Limitation" (260
with the final NUL); 2047 is what the dialog of Windows before 10 and several installers take.
"""

SETX = 1024
OLD_DIALOG = 2047
CMD_LINE = 8191
MAX_PATH = 260

# The longest name below site-packages in tensorflow 2.10.1's win_amd64 wheel (2.20.0: 163), read 2026-11-23.
LONGEST_IN_WHEEL = 169
