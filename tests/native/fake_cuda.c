/* libcuda.so.1 (on Windows nvcuda.dll) at the level of its ABI: enough for cuInit and for a real TensorFlow to describe the GPU and go through
   its own check of the CUDA libraries. Nothing can be computed with it. See profiles.h for the faults. */

#define _GNU_SOURCE
#include "profiles.h"

#ifdef _WIN32
static void *own_function(const char *name) { return (void *)(intptr_t)GetProcAddress(GetModuleHandleA("nvcuda.dll"), name); }
#else
#include <dlfcn.h>
static void *own_function(const char *name) { return dlsym(RTLD_DEFAULT, name); }
#endif

enum { INVALID_VALUE = 1, INVALID_DEVICE = 101, NOT_FOUND = 500, NOT_SUPPORTED = 801 };

#define CALL(name) { int code = enter(name, -1); if (code) return code; }
#define DEVICE(name) { int code = enter(name, device); if (code) return code; } if (device < 0 || device >= visible()) return INVALID_DEVICE;

/* CUDA_VISIBLE_DEVICES as far as tests use it: "" and "-1" hide all, otherwise each number counts once. */
static int visible(void) {
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    int count = 0;
    if (!list) return chosen()->count;
    for (; *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : "") {
        if (*list < '0' || *list > '9' || atoi(list) >= chosen()->count) break;
        count++;
    }
    return count;
}

int cuDriverGetVersion(int *version) { CALL("cuDriverGetVersion") *version = number_of("FAKE_CUDA", 13000); return 0; }
int cuInit(unsigned flags) { CALL("cuInit") (void)flags; return visible() ? 0 : 100; }
int cuDeviceGetCount(int *count) { CALL("cuDeviceGetCount") *count = visible(); return 0; }
int cuDeviceGet(int *device, int number) { CALL("cuDeviceGet") if (number >= visible()) return INVALID_DEVICE; *device = number; return 0; }

int cuDeviceGetName(char *text, int length, int device) { DEVICE("cuDeviceGetName") snprintf(text, length, "%s", setting("FAKE_NAME", chosen()->gpu)); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { DEVICE("cuDeviceTotalMem") *bytes = chosen()->memory; return 0; }
int cuDeviceComputeCapability(int *major, int *minor, int device) { DEVICE("cuDeviceComputeCapability") *major = chosen()->major, *minor = chosen()->minor; return 0; }
int cuDeviceGetPCIBusId(char *text, int length, int device) { DEVICE("cuDeviceGetPCIBusId") snprintf(text, length, "0000:%02X:00.0", device + 1); return 0; }
int cuDeviceGetUuid(char *uuid, int device) { DEVICE("cuDeviceGetUuid") memset(uuid, 0, 16); uuid[3] = device, uuid[6] = 0x40, uuid[8] = (char)0x80; return 0; }
int cuDeviceGetUuid_v2(char *uuid, int device) { return cuDeviceGetUuid(uuid, device); }

/* cuda.h, CUdevice_attribute: those that TensorFlow's descriptions and the CUDA runtime ask for. */
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    DEVICE("cuDeviceGetAttribute")
    switch (attribute) {
    case 1: case 2: case 3: *value = 1024; break;                /* threads a block, block dimensions */
    case 4: *value = 64; break;
    case 5: *value = 2147483647; break;                          /* grid dimensions */
    case 6: case 7: *value = 65535; break;
    case 8: *value = 49152; break;                               /* shared memory a block */
    case 10: *value = 32; break;                                 /* warp */
    case 12: case 82: *value = 65536; break;                     /* registers */
    case 13: case 36: *value = 1500000; break;                   /* clocks, kHz */
    case 16: *value = chosen()->cores; break;
    case 32: *value = chosen()->ecc > 0; break;
    case 33: *value = device + 1; break;                         /* PCI bus */
    case 37: *value = 256; break;
    case 38: *value = 4 << 20; break;
    case 39: *value = 1536; break;                               /* threads a multiprocessor */
    case 40: case 41: *value = 1; break;
    case 75: *value = chosen()->major; break;
    case 76: *value = chosen()->minor; break;
    case 81: *value = 98304; break;
    case 97: *value = 65536; break;
    case 20: *value = number_of("FAKE_COMPUTE_MODE", 0); break;
    default: *value = 0;
    }
    return 0;
}

/* One context for all, never used for work. */
static char context;
static void *current;
int cuDevicePrimaryCtxRetain(void **answer, int device) { DEVICE("cuDevicePrimaryCtxRetain") *answer = &context; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { DEVICE("cuDevicePrimaryCtxRelease") return 0; }
int cuDevicePrimaryCtxRelease(int device) { return cuDevicePrimaryCtxRelease_v2(device); }
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { DEVICE("cuDevicePrimaryCtxSetFlags") (void)flags; return 0; }
int cuDevicePrimaryCtxSetFlags(int device, unsigned flags) { return cuDevicePrimaryCtxSetFlags_v2(device, flags); }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { DEVICE("cuDevicePrimaryCtxGetState") *flags = 0, *active = 0; return 0; }
int cuCtxGetCurrent(void **answer) { CALL("cuCtxGetCurrent") *answer = current; return 0; }
int cuCtxSetCurrent(void *wanted) { CALL("cuCtxSetCurrent") current = wanted; return 0; }
int cuCtxPushCurrent_v2(void *wanted) { return cuCtxSetCurrent(wanted); }
int cuCtxPopCurrent_v2(void **answer) { CALL("cuCtxPopCurrent") if (answer) *answer = current; current = 0; return 0; }
int cuCtxGetDevice(int *device) { CALL("cuCtxGetDevice") *device = 0; return 0; }
int cuCtxSynchronize(void) { CALL("cuCtxSynchronize") return 0; }
int cuMemGetInfo_v2(size_t *left, size_t *total) { CALL("cuMemGetInfo") *total = chosen()->memory, *left = chosen()->memory - 512 * MIB; return 0; }
int cuDeviceCanAccessPeer(int *can, int device, int peer) { DEVICE("cuDeviceCanAccessPeer") (void)peer; *can = 0; return 0; }

/* The names and words of the codes that tests ask for with FAKE_CODES, as libcuda has them. */
static const struct { int code; const char *name, *words; } ERRORS[] = {
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static const char *worded(int code, int name, const char *otherwise) {
    for (size_t at = 0; at < sizeof ERRORS / sizeof *ERRORS; at++)
        if (ERRORS[at].code == code) return name ? ERRORS[at].name : ERRORS[at].words;
    return otherwise;
}

int cuGetErrorName(int code, const char **text) { *text = worded(code, 1, "CUDA_ERROR_FAKE"); return 0; }
int cuGetErrorString(int code, const char **text) { *text = worded(code, 0, "the fake driver computes nothing"); return 0; }
int cuGetExportTable(const void **table, const void *id) { (void)id; *table = 0; return NOT_FOUND; }

int cuGetProcAddress_v2(const char *name, void **found, int version, unsigned long long flags, int *status) {
    char versioned[128];
    (void)version, (void)flags;
    snprintf(versioned, sizeof versioned, "%s_v2", name);
    *found = own_function(versioned);
    if (!*found) *found = own_function(name);
    if (status) *status = *found ? 0 : 1;
    return *found ? 0 : NOT_FOUND;
}
int cuGetProcAddress(const char *name, void **found, int version, unsigned long long flags) { return cuGetProcAddress_v2(name, found, version, flags, 0); }
