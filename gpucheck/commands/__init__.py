"""What each command does, once its words are understood: one module a command, named as the command is.

No option is declared here: see options.py. Every command gives the exit code: 0 fine, 1 an error was found (with
`strict` a warning, too), 3 could not tell; 2, wrong usage, is raised as `WrongUsage`.
"""
