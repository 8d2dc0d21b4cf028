"""What TensorFlow does on GPUs: lists those that the driver offers, and computes on each of them."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.plan import Check, Choice
from gpucheck.install.proof.asking import Said
from gpucheck.install.proof.libraries import drivers_own, refused
from gpucheck.install.proof.running import Ran, has_imported, of_cpu, telling, told

_MEMORY = ("resource_exhausted", "resourceexhausted", "out of memory", "out_of_memory", "oom when")


def listed(ran: Ran, driver: Said, choice: Choice) -> Check:
    """TensorFlow lists the GPUs that the driver offers."""
    name = "gpu"
    if choice.cuda is None:
        return Check(name, "skipped", "A build without CUDA lists no GPU.")
    offered = driver.stage("driver")
    none = _no_gpu(driver, offered)
    if none:
        return Check(name, "unproven", f"No GPU here to list: {none}.")
    assert offered is not None
    if not has_imported(ran):
        return Check(name, "skipped", "TensorFlow was not imported.")
    answer = ran.first.stage("devices")
    if answer is None or not isinstance(answer.get("devices"), list):
        error = answer.get("error") if answer else ran.first.words or "it said nothing"
        return Check(name, "failed", f"TensorFlow cannot list its GPUs: {error}.", telling(ran.log))
    devices, count = answer["devices"], int(offered["count"])
    if devices:
        fewer = f" of {count} that the driver offers" if len(devices) < count else ""
        lines = telling(ran.log) if fewer else ()
        return Check(name, "proven", f"TensorFlow lists {', '.join(devices)}{fewer}.", lines)
    lacking = [soname for soname, _why in refused(ran.log)]
    what = f"The driver offers {count} {'GPU' if count == 1 else 'GPUs'}, TensorFlow lists none"
    if lacking and drivers_own(lacking):
        return Check(name, "unproven", f"{what}: the driver's {', '.join(lacking)} is not here.", telling(ran.log))
    state: Any = "failed" if choice.brings_cuda or not lacking else "unproven"
    return Check(name, state, f"{what}{': ' if lacking else ''}{', '.join(lacking)}.", telling(ran.log))


def _no_gpu(driver: Said, offered: Union[dict[str, Any], None]) -> str:
    """Why there is no GPU to run on; "" where there is one."""
    if offered is None:
        return f"NVIDIA's driver does not answer ({driver.words or 'it said nothing'})"
    if not offered.get("library"):
        return "no NVIDIA driver is installed"
    if offered.get("code"):
        return f"the driver answers with CUDA error {offered['code']}"
    return "" if offered.get("count") else "the driver offers none to this process"


def on_the_gpus(ran: Ran, gpu: Check, complete: bool) -> Check:
    """Matrix product and convolution on each listed GPU give the CPU's numbers.

    Parameters
    ----------
    complete: the libraries and TensorFlow's loader were proven.
    """
    name = "gpu operation"
    if gpu.state in ("skipped", "failed"):
        return Check(name, "skipped", "TensorFlow lists no GPU.")
    if gpu.state == "unproven":
        return Check(name, "unproven", f"{'Libraries complete, no' if complete else 'No'} GPU here to run on.")
    tried = [one for one in ran.operations if not of_cpu(one)]
    bad = [one for one in tried if one["status"] != "ok"]
    if not tried:
        return Check(name, "failed", f"Nothing was computed: {ran.first.words or 'it said nothing'}.", telling(ran.log))
    if bad and all(any(word in str(one.get("error")).lower() for word in _MEMORY) for one in bad):
        return Check(name, "unproven", f"{told(bad[0])}: other programs hold the GPU's memory.", telling(ran.log))
    if bad:
        return Check(name, "failed", f"{told(bad[0])}.", (*(told(one) for one in bad[1:]), *telling(ran.log)))
    devices = ", ".join(dict.fromkeys(one["device"] for one in tried))
    worst = max(one["off"] for one in tried)
    return Check(name, "proven", f"Matrix product and convolution on {devices} are right: off by at most {worst:.1e}.")
