"""Scripts that run in processes of their own, and what they share. Nothing else of gpucheck imports them."""
