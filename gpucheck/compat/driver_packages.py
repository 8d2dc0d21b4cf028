"""Debian's packages that belong to an NVIDIA driver: names in Debian, in Ubuntu and in NVIDIA's own repository."""

from __future__ import annotations

PREFIXES = (
    *("nvidia-driver", "nvidia-dkms", "nvidia-kernel", "nvidia-open", "nvidia-headless", "nvidia-utils", "nvidia-smi"),
    *("libnvidia-compute", "libnvidia-ml", "libcuda1", "cuda-drivers", "nvidia-fabricmanager", "linux-modules-nvidia"),
    *("nvidia-compute-utils", "nvidia-prime", "xserver-xorg-video-nvidia", "nvidia-container-toolkit", "cuda-compat"),
)
