"""cublasStatus_t. Source: cublas_api.h of nvidia-cublas-cu12 12.3.4, 12.5.3 and 12.9.3 (the same in all)."""

from __future__ import annotations

from gpucheck.compat.codes import Code
from gpucheck.compat.codes import advice as a

CODES: tuple[Code, ...] = (
    Code(0, "CUBLAS_STATUS_SUCCESS", "success", a.NOTHING),
    Code(1, "CUBLAS_STATUS_NOT_INITIALIZED", "cuBLAS could not start, mostly for want of GPU memory", a.CUDNN_START),
    Code(3, "CUBLAS_STATUS_ALLOC_FAILED", "cuBLAS got no memory on the GPU", a.MEMORY),
    Code(7, "CUBLAS_STATUS_INVALID_VALUE", "a size or value is out of range", a.PROGRAM),
    Code(8, "CUBLAS_STATUS_ARCH_MISMATCH", "this GPU lacks what the operation needs", a.ARCHITECTURE),
    Code(11, "CUBLAS_STATUS_MAPPING_ERROR", "the GPU's memory could not be accessed", a.ACCESS),
    Code(13, "CUBLAS_STATUS_EXECUTION_FAILED", "a kernel failed, often an earlier one", a.ACCESS),
    Code(14, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed, often one of CUDA's", a.CUDNN_START),
    Code(15, "CUBLAS_STATUS_NOT_SUPPORTED", "these types or sizes are not supported on this GPU", a.UNSUPPORTED),
    Code(16, "CUBLAS_STATUS_LICENSE_ERROR", "a licence check failed", a.LICENCE),
)
