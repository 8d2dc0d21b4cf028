"""What an operation that failed on a GPU died of, by TensorFlow's own words: for the words and commands of
deep-operation-failed. No rules, and no verdict: the causes have rules of their own, which this names.
"""

from __future__ import annotations

from typing import NamedTuple

from gpucheck.facts.deep import Deep, Operation

# A line with one of these tells of a failure; the others of a log are company.
_DECISIVE = (
    *("error", "fail", "could not", "cannot", "not found", "unable", "out of memory", "mismatch"),
    *("but source was compiled with", "incompatible", "skipping registering", "ignoring visible", "not built with"),
)
_MOST_SHOWN = 8


class Cause(NamedTuple):
    """words: what stands in the error or in a line of the log, in lower case. rules: where it is explained."""

    words: tuple[str, ...]
    said: str
    rules: tuple[str, ...]
    fix: tuple[str, ...]


_ROOM = ("nvidia-smi", "export TF_FORCE_GPU_ALLOW_GROWTH=true")
CAUSES = (
    Cause(
        ("but source was compiled with", "cudnn_status_version_mismatch", "cudnn_status_sublibrary_version_mismatch"),
        "the cuDNN that is loaded is not the one that this TensorFlow was built with",
        ("cudnn-wrong-version",),
        (),
    ),
    Cause(
        ("could not load library", "could not load dynamic library", "cannot open shared object file"),
        "a library that is opened only when needed is missing",
        ("cuda-lib-missing-partial-install", "cuda-libs-not-on-loader-path"),
        (),
    ),
    Cause(
        (
            *("invalid_ptx", "no kernel image", "no_binary_for_gpu", "cuda_error_invalid_handle"),
            *("unsupported_ptx_version", "not built with cuda kernel binaries"),
        ),
        "this build has no code that runs on the GPU",
        ("gpu-arch-too-new-for-build", "gpu-arch-too-old-for-build"),
        (),
    ),
    Cause(("libdevice",), "libdevice is not found", ("libdevice-not-found",), ()),
    Cause(
        (
            *("out_of_memory", "out of memory", "resourceexhausted", "resource_exhausted", "oom when allocating"),
            *("status_alloc_failed", "failed to allocate"),
        ),
        "the GPU's memory does not suffice, or other programs have it",
        ("gpu-memory-held-by-other-process",),
        _ROOM,
    ),
    # These say only that it does not start: last, for where nothing above says why.
    Cause(
        ("dnn library is not found", "cudnn_status_not_initialized", "could not create cudnn handle"),
        "cuDNN does not start: one of another version is found first, or no memory is left for it",
        ("cudnn-wrong-version", "gpu-memory-held-by-other-process"),
        _ROOM,
    ),
    Cause(
        ("cublas_status_not_initialized", "failed to create cublas handle"),
        "cuBLAS does not start: mostly no memory is left for it",
        ("gpu-memory-held-by-other-process",),
        _ROOM,
    ),
)


def cause_of(operation: Operation, deep: Deep) -> Cause | None:
    """The first cause that the operation's error names, else the first that the log does."""
    for text in (operation.error or "", "\n".join(deep.log)):
        lower = text.lower()
        named = next((one for one in CAUSES[:-2] if any(words in lower for words in one.words)), None)
        if named:
            return named
    both = f"{operation.error}\n{' '.join(deep.log)}".lower()
    return next((one for one in CAUSES[-2:] if any(words in both for words in one.words)), None)


def fix_of(cause: Cause | None, look: list[str]) -> list[str]:
    """Where the cause is explained, and what helps against it; `look`: how to read the kernel's log here."""
    if cause is None:
        return [
            "# follow the other findings; if there is none, take memory as needed, and read the kernel's log:",
            *_ROOM,
            *look,
        ]
    return [
        f"# most likely {cause.said}; see:",
        *(f"gpucheck explain {name}" for name in cause.rules),
        *cause.fix,
    ]


def shown(log: tuple[str, ...]) -> tuple[str, ...]:
    """The lines that tell of a failure, or where none does the last ones."""
    decisive = [line for line in log if any(word in line.lower() for word in _DECISIVE)]
    return tuple(decisive or log)[-_MOST_SHOWN:]
