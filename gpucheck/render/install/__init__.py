"""A plan, why a release is or is not chosen, what came of it, and what happens meanwhile. Nothing here installs."""
