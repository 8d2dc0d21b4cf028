"""Which machines of tests/machines are shipped for `gpucheck doctor --simulate NAME`, and how the file is made."""

from __future__ import annotations

import json
from typing import Any

import machines

from gpucheck.simulating.layers import ABOUT_THE_FILE

# The name of the leading finding, and the machine that has it; "fine" has none, and "unknown" leaves it open.
SHIPPED = {
    "fine": "deep-rtx4090-proven",
    "unknown": "nvml-crashes-at-one-gpu",
    "ok-cpu-expected": "no-gpu-vm",
    # The driver
    "cuda-init-failed": "nvml-hangs",
    "device-node-permission": "device-nodes-closed",
    "device-nodes-missing": "device-nodes-missing",
    "driver-library-unloadable": "libcuda-truncated",
    "driver-library-version-mismatch": "driver-upgraded-not-rebooted",
    "driver-too-old-for-cuda": "t4-driver-470",
    "fabricmanager-not-running": "hgx-fabricmanager-stopped",
    "libcuda-missing": "headless-without-libcuda",
    "libcuda-stub-on-path": "stub-first",
    "nouveau-or-nova-bound": "nova-holds-card",
    "nvidia-driver-not-installed": "fresh-ubuntu-nouveau",
    "nvidia-kernel-module-not-loaded": "module-not-loaded",
    "nvidia-uvm-broken-after-suspend": "laptop-after-suspend",
    "nvidia-uvm-not-loaded": "uvm-not-loaded",
    "secure-boot-unsigned-module": "azure-secure-boot",
    # Containers, schedulers and GPUs
    "container-lost-gpu-after-daemon-reload": "docker-lost-gpu",
    "cuda-visible-devices-hides-gpu": "visible-devices-minus-one",
    "docker-driver-capabilities-missing-compute": "docker-utility-only",
    "docker-no-gpus-flag": "docker-without-gpus-flag",
    "exclusive-compute-mode": "exclusive-mode-taken",
    "gpu-arch-too-new-for-build": "rtx5090-tf218",
    "gpu-arch-too-old-for-build": "gtx750ti-tf218",
    "gpu-lost": "h100x8-one-lost",
    "gpu-throttling": "h100x8-worn",
    "mig-no-instance-visible": "h100x8-mig-without-instance",
    # Python's packages and CUDA's libraries
    "conda-solved-cpu-build": "conda-cpu-build",
    "cpu-only-package": "tensorflow-cpu-on-a-gpu-machine",
    "cuda-lib-missing-partial-install": "cusolver-wheel-uninstalled",
    "cuda-libraries-not-installed": "tf221-without-cuda",
    "cuda-library-broken": "truncated-libcudnn",
    "cudnn-wrong-version": "only-cudnn-8",
    "ld-library-path-other-cuda": "cuda-11-in-ld-library-path",
    "ld-library-path-shadows-bundled-cuda": "older-nvjitlink-in-ld-library-path",
    "numpy2-abi-break": "tf210-with-numpy2",
    "pip-cuda-wheels-not-found": "tf221-and-cuda",
    "python-version-no-wheel": "python-314-without-wheel",
    "tensorflow-not-installed": "ubuntu-system-python-without-tensorflow",
    "torch-cudnn-pin-conflict": "torch-replaced-cudnn",
    "wrong-python-environment": "tensorflow-in-another-environment",
    # What only a computation shows
    "deep-operation-failed": "deep-cudnn-does-not-start",
    "deep-wrong-numbers": "deep-t4-wrong-numbers",
    # Windows and WSL
    "tf-windows-native-no-gpu": "windows-native-tf220",
    "wsl-libcuda-not-on-path": "wsl2-folder-not-searched",
    "wsl-no-windows-driver": "wsl2-without-nvidia",
}


def text() -> str:
    """gpucheck/simulating/machines.json: each machine, and each part that one rests on, a line."""
    shipped = {name: _shipped(machine) for name, machine in SHIPPED.items()}
    parts: dict[str, Any] = {}
    todo = [parent for machine in shipped.values() for parent in machine.get("extends", [])]
    while todo:
        name = todo.pop()
        if name not in parts:
            parts[name] = _shipped(name)
            todo += parts[name].get("extends", [])
    lines = [f' "{kind}": {{\n{_rows(held)}\n }}' for kind, held in (("machines", shipped), ("parts", parts))]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _shipped(name: str) -> dict[str, Any]:
    return {key: value for key, value in machines.raw(name).items() if key not in ABOUT_THE_FILE}


def _rows(held: dict[str, Any]) -> str:
    return ",\n".join(f"  {json.dumps(name)}: {json.dumps(held[name], separators=(',', ':'))}" for name in sorted(held))
