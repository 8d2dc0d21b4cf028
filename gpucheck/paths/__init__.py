"""`gpucheck doctor --fix-paths`: where programs look for CUDA's libraries, put right for this user alone.

wish.py says which folders TensorFlow needs on its way and which are in it; linux.py and windows.py turn that into
changes of a start-up file or of HKCU\\Environment; shell.py and entries.py know those texts. All of them are pure.
writer.py alone writes, and keeps in state.py's file what it takes to undo it. Nothing here is ever machine-wide.
"""
