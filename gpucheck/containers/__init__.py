"""Dockerfiles and compose files: text -> facts -> findings. Pure: gpucheck.commands.container_files
opens the files.

    text --dockerfile, shell, installs, lists--> images      text --tree, compose--> services   (facts.containers)
    an image --contents, stack--> what would be in it        --rules--> findings                 (report)

No parser of Dockerfiles that is kept up reads them whole: dockerfile-parse 2.0.1 (the newest) takes a heredoc's lines
for instructions and does not know the escape directive; `dockerfile` needs Go to build. So the reader is our own.
"""
