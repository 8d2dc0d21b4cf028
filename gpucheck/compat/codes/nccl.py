"""ncclResult_t. Source: nccl.h of NCCL 2.19, 2.25 and 2.32 (nvidia-nccl-cu12); 8 is new in 2.32, 7 came with 2.14."""

from __future__ import annotations

from gpucheck.compat.codes import Code
from gpucheck.compat.codes import advice as a

CODES: tuple[Code, ...] = (
    Code(0, "ncclSuccess", "success", a.NOTHING),
    Code(1, "ncclUnhandledCudaError", "a call of CUDA failed: NCCL_DEBUG=INFO names it", a.MEMORY),
    Code(2, "ncclSystemError", "a call of the operating system or the network failed", a.NETWORK),
    Code(3, "ncclInternalError", "an internal check failed: a defect, or memory that was overwritten", a.PROGRAM),
    Code(4, "ncclInvalidArgument", "an argument is invalid", a.PROGRAM),
    Code(5, "ncclInvalidUsage", "NCCL was used wrongly: two processes on one GPU, mostly", a.WRONG_DEVICE),
    Code(6, "ncclRemoteError", "another process ended, or the network to it broke", a.OTHER_RANK),
    Code(7, "ncclInProgress", "the operation is not finished yet: no error", a.NOTHING),
    Code(8, "ncclTimeout", "the operation took longer than allowed", a.OTHER_RANK),
)
