"""cudnnStatus_t. Source: cudnn_graph.h of nvidia-cudnn-cu12 9.3.0 and 9.28.0, cudnn_ops_infer.h of 8.9.7.

cuDNN 9 gave the codes new numbers and many of them finer names; programs print names. `BEFORE_9` has the old numbers.
"""

from __future__ import annotations

from gpucheck.compat.codes import Code
from gpucheck.compat.codes import advice as a

_S = "CUDNN_STATUS_"

CODES: tuple[Code, ...] = (
    Code(0, f"{_S}SUCCESS", "success", a.NOTHING),
    Code(1001, f"{_S}NOT_INITIALIZED", "cuDNN could not start", a.CUDNN_START),
    Code(1002, f"{_S}SUBLIBRARY_VERSION_MISMATCH", "cuDNN's own parts have different versions", a.CUDNN_MIX),
    Code(1003, f"{_S}SERIALIZATION_VERSION_MISMATCH", "a saved plan is of another cuDNN", a.CUDNN_MIX),
    Code(1004, f"{_S}DEPRECATED", "the call is deprecated and switched off", a.PROGRAM),
    Code(1005, f"{_S}LICENSE_ERROR", "a licence check failed", a.LICENCE),
    Code(1006, f"{_S}RUNTIME_IN_PROGRESS", "work is still running: no error", a.NOTHING),
    Code(1007, f"{_S}RUNTIME_FP_OVERFLOW", "a number overflowed in a kernel", a.PROGRAM),
    Code(1008, f"{_S}SUBLIBRARY_LOADING_FAILED", "one of cuDNN's own parts could not be loaded", a.CUDNN_MIX),
    Code(2000, f"{_S}BAD_PARAM", "a parameter is wrong", a.PROGRAM),
    Code(2002, f"{_S}BAD_PARAM_NULL_POINTER", "a pointer is null", a.PROGRAM),
    Code(2003, f"{_S}BAD_PARAM_MISALIGNED_POINTER", "a pointer is misaligned", a.PROGRAM),
    Code(2004, f"{_S}BAD_PARAM_NOT_FINALIZED", "a descriptor is not finished", a.PROGRAM),
    Code(2005, f"{_S}BAD_PARAM_OUT_OF_BOUND", "a value is out of its range", a.PROGRAM),
    Code(2006, f"{_S}BAD_PARAM_SIZE_INSUFFICIENT", "a buffer is too small", a.PROGRAM),
    Code(2007, f"{_S}BAD_PARAM_STREAM_MISMATCH", "streams do not fit", a.PROGRAM),
    Code(2008, f"{_S}BAD_PARAM_SHAPE_MISMATCH", "shapes do not fit", a.PROGRAM),
    Code(2009, f"{_S}BAD_PARAM_DUPLICATED_ENTRIES", "an entry stands twice", a.PROGRAM),
    Code(2010, f"{_S}BAD_PARAM_ATTRIBUTE_TYPE", "an attribute is of another type", a.PROGRAM),
    Code(2011, f"{_S}BAD_PARAM_CUDA_GRAPH_MISMATCH", "a CUDA graph does not fit", a.CAPTURE),
    Code(2012, f"{_S}BAD_PARAM_DESCRIPTOR_TYPE", "a descriptor is of another type", a.PROGRAM),
    Code(3000, f"{_S}NOT_SUPPORTED", "cuDNN does not offer this operation here", a.UNSUPPORTED),
    Code(3001, f"{_S}NOT_SUPPORTED_GRAPH_PATTERN", "no engine computes this graph", a.UNSUPPORTED),
    Code(3002, f"{_S}NOT_SUPPORTED_SHAPE", "a shape is not supported", a.UNSUPPORTED),
    Code(3003, f"{_S}NOT_SUPPORTED_DATA_TYPE", "a data type is not supported", a.UNSUPPORTED),
    Code(3004, f"{_S}NOT_SUPPORTED_LAYOUT", "a layout is not supported", a.UNSUPPORTED),
    Code(3005, f"{_S}NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER", "the driver is too old for it", a.OLD_DRIVER),
    Code(3006, f"{_S}NOT_SUPPORTED_INCOMPATIBLE_CUDART", "the CUDA runtime is too old for it", a.LIBRARY),
    Code(3007, f"{_S}NOT_SUPPORTED_ARCH_MISMATCH", "this GPU is not supported", a.ARCHITECTURE),
    Code(3008, f"{_S}NOT_SUPPORTED_RUNTIME_PREREQUISITE_MISSING", "a library it needs is not found", a.LIBRARY),
    Code(3009, f"{_S}NOT_SUPPORTED_SUBLIBRARY_UNAVAILABLE", "one of cuDNN's own parts is missing", a.CUDNN_MIX),
    Code(3010, f"{_S}NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT", "the GPU has too little shared memory", a.KERNEL),
    Code(3011, f"{_S}NOT_SUPPORTED_PADDING", "the padding is not supported", a.UNSUPPORTED),
    Code(3012, f"{_S}NOT_SUPPORTED_BAD_LAUNCH_PARAM", "a kernel cannot be started like that", a.KERNEL),
    Code(3013, f"{_S}NOT_SUPPORTED_CUDA_GRAPH_NATIVE_API", "it cannot be recorded in a CUDA graph", a.CAPTURE),
    Code(3014, f"{_S}NOT_SUPPORTED_INVALID_DYNAMIC_SHAPE", "a dynamic shape is not supported", a.UNSUPPORTED),
    Code(4000, f"{_S}INTERNAL_ERROR", "an internal operation failed, mostly for want of memory", a.CUDNN_START),
    Code(4001, f"{_S}INTERNAL_ERROR_COMPILATION_FAILED", "a kernel could not be compiled", a.JIT),
    Code(4002, f"{_S}INTERNAL_ERROR_UNEXPECTED_VALUE", "an internal value was unexpected", a.CUDNN_MIX),
    Code(4003, f"{_S}INTERNAL_ERROR_HOST_ALLOCATION_FAILED", "no host memory could be had", a.HOST_MEMORY),
    Code(4004, f"{_S}INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED", "no GPU memory could be had", a.MEMORY),
    Code(4005, f"{_S}INTERNAL_ERROR_BAD_LAUNCH_PARAM", "a kernel was started wrongly", a.KERNEL),
    Code(4006, f"{_S}INTERNAL_ERROR_TEXTURE_CREATION_FAILED", "a texture could not be made", a.MEMORY),
    Code(5000, f"{_S}EXECUTION_FAILED", "a kernel failed, or could not start on this GPU", a.ARCHITECTURE),
    Code(5001, f"{_S}EXECUTION_FAILED_CUDA_DRIVER", "a call of libcuda failed", a.ACCESS),
    Code(5002, f"{_S}EXECUTION_FAILED_CUBLAS", "a call of cuBLAS failed", a.LIBRARY),
    Code(5003, f"{_S}EXECUTION_FAILED_CUDART", "a call of the CUDA runtime failed", a.ACCESS),
    Code(5004, f"{_S}EXECUTION_FAILED_CURAND", "a call of cuRAND failed", a.LIBRARY),
    # Kept in 9 for old programs.
    Code(2001, f"{_S}INVALID_VALUE", "a parameter's value is wrong", a.PROGRAM),
    Code(4003, f"{_S}ALLOC_FAILED", "no memory could be had, of the host or of the GPU", a.MEMORY),
    Code(3007, f"{_S}ARCH_MISMATCH", "this GPU is not supported by this cuDNN", a.ARCHITECTURE),
    Code(4006, f"{_S}MAPPING_ERROR", "a texture or the GPU's memory could not be mapped", a.MEMORY),
    Code(3008, f"{_S}RUNTIME_PREREQUISITE_MISSING", "a library that cuDNN needs is not found", a.LIBRARY),
    Code(1002, f"{_S}VERSION_MISMATCH", "cuDNN's own parts have different versions", a.CUDNN_MIX),
)

# Numbers up to cuDNN 8, by the names above.
BEFORE_9: dict[int, str] = {
    0: f"{_S}SUCCESS",
    1: f"{_S}NOT_INITIALIZED",
    2: f"{_S}ALLOC_FAILED",
    3: f"{_S}BAD_PARAM",
    4: f"{_S}INTERNAL_ERROR",
    5: f"{_S}INVALID_VALUE",
    6: f"{_S}ARCH_MISMATCH",
    7: f"{_S}MAPPING_ERROR",
    8: f"{_S}EXECUTION_FAILED",
    9: f"{_S}NOT_SUPPORTED",
    10: f"{_S}LICENSE_ERROR",
    11: f"{_S}RUNTIME_PREREQUISITE_MISSING",
    12: f"{_S}RUNTIME_IN_PROGRESS",
    13: f"{_S}RUNTIME_FP_OVERFLOW",
    14: f"{_S}VERSION_MISMATCH",
}
