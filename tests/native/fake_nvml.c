/* libnvidia-ml.so.1 (on Windows nvml.dll) at the level of its ABI: what the real nvidia-ml-py loads in the tests. Compiled with -DOLD it is a
   driver of the R390 days: without the calls that came later. See profiles.h for the faults. */

#include "profiles.h"

enum { INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST = 15 };

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_t;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process_t;

/* A GPU's handle is its number + 1, a MIG instance's 1000 * (number + 1) + index. */
#define NUMBER(handle) ((int)((intptr_t)(handle) >= 1000 ? (intptr_t)(handle) / 1000 : (intptr_t)(handle)) - 1)

#define CALL(name, gpu) { int code = enter(name, gpu); if (code) return code; }
#define DEVICE(name) \
    CALL(name, NUMBER(handle)) \
    if (number_of("FAKE_LOST", -1) == NUMBER(handle)) return LOST;
#define UNSIGNED(function, value) \
    int function(void *handle, unsigned *answer) { DEVICE(#function) long number = (value); if (number < 0) return NOT_SUPPORTED; *answer = (unsigned)number; return 0; }

int nvmlInit_v2(void) { CALL("nvmlInit", -1) return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { (void)code; return "fake error"; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    CALL("nvmlSystemGetDriverVersion", -1)
    snprintf(text, length, "%s", setting("FAKE_DRIVER", "580.126.09"));
    return 0;
}

int nvmlSystemGetNVMLVersion(char *text, unsigned length) {
    CALL("nvmlSystemGetNVMLVersion", -1)
    snprintf(text, length, "%d.%s", number_of("FAKE_CUDA", 13000) / 1000, setting("FAKE_DRIVER", "580.126.09"));
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) { CALL("nvmlDeviceGetCount", -1) *count = chosen()->count; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    CALL("nvmlDeviceGetHandleByIndex", (int)index)
    if ((int)index >= chosen()->count) return INVALID_ARGUMENT;
    if (number_of("FAKE_LOST", -1) == (int)index) return LOST;
    *handle = (void *)(intptr_t)(index + 1);
    return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    unsigned number, mig;
    int is_mig = !strncmp(uuid, "MIG", 3);
    if (sscanf(uuid + 3, "-%8x-0000-4000-8000-%12x", &number, &mig) != 2) return NOT_FOUND;
    CALL("nvmlDeviceGetHandleByUUID", (int)number)
    if ((int)number >= chosen()->count || (is_mig ? chosen()->mig != 1 || mig < 1 : mig > 0)) return NOT_FOUND;
    if (number_of("FAKE_LOST", -1) == (int)number) return LOST;
    *handle = (void *)(is_mig ? 1000 * (intptr_t)(number + 1) + mig - 1 : (intptr_t)(number + 1));
    return 0;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
    DEVICE("nvmlDeviceGetName")
    snprintf(text, length, "%s", setting("FAKE_NAME", chosen()->gpu));
    return 0;
}

int nvmlDeviceGetVbiosVersion(void *handle, char *text, unsigned length) {
    DEVICE("nvmlDeviceGetVbiosVersion")
    snprintf(text, length, "96.00.74.00.01");
    return 0;
}

int nvmlDeviceGetUUID(void *handle, char *text, unsigned length) {
    DEVICE("nvmlDeviceGetUUID")
    int mig = (intptr_t)handle >= 1000 ? (int)((intptr_t)handle % 1000) : -1;
    snprintf(text, length, "%s-%08x-0000-4000-8000-%012x", mig < 0 ? "GPU" : "MIG", NUMBER(handle), mig + 1);
    return 0;
}

#ifdef OLD
int nvmlDeviceGetPciInfo_v2(void *handle, pci_t *pci) {
#else
int nvmlDeviceGetPciInfo_v3(void *handle, pci_t *pci) {
#endif
    DEVICE("nvmlDeviceGetPciInfo")
    memset(pci, 0, sizeof *pci);
    pci->bus = NUMBER(handle) + 1;
    snprintf(pci->legacy, sizeof pci->legacy, "0000:%02X:00.0", pci->bus);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", pci->bus);
    return 0;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    DEVICE("nvmlDeviceGetCudaComputeCapability")
    *major = chosen()->major, *minor = chosen()->minor;
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *memory) {
    DEVICE("nvmlDeviceGetMemoryInfo")
    memory[0] = chosen()->memory, memory[1] = chosen()->memory - 512 * MIB, memory[2] = 512 * MIB;
    return 0;
}

static int running(const char *variable, unsigned *count, process_t *found) {
    const char *list = setting(variable, "");
    unsigned room = found ? *count : 0;
    for (*count = 0; *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : "") {
        if (*count < room) found[*count] = (process_t){atoi(list), 512 * MIB, 0, 0};
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : 0;
}

int nvmlDeviceGetComputeRunningProcesses_v2(void *handle, unsigned *count, process_t *found) { DEVICE("nvmlDeviceGetComputeRunningProcesses") return running("FAKE_PID", count, found); }
int nvmlDeviceGetGraphicsRunningProcesses_v2(void *handle, unsigned *count, process_t *found) { DEVICE("nvmlDeviceGetGraphicsRunningProcesses") return running("FAKE_GRAPHICS_PID", count, found); }

int nvmlDeviceGetEccMode(void *handle, unsigned *current, unsigned *pending) {
    DEVICE("nvmlDeviceGetEccMode")
    if (chosen()->ecc < 0) return NOT_SUPPORTED;
    *current = *pending = chosen()->ecc;
    return 0;
}

int nvmlDeviceGetTotalEccErrors(void *handle, unsigned type, unsigned counter, unsigned long long *count) {
    DEVICE("nvmlDeviceGetTotalEccErrors")
    (void)type, (void)counter;
    if (chosen()->ecc < 1) return NOT_SUPPORTED;
    *count = 0;
    return 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *reasons) {
    DEVICE("nvmlDeviceGetCurrentClocksThrottleReasons")
    *reasons = number_of("FAKE_REASONS", 1);
    return 0;
}

int nvmlDeviceGetTemperature(void *handle, unsigned sensor, unsigned *answer) { DEVICE("nvmlDeviceGetTemperature") (void)sensor; *answer = 45; return 0; }
int nvmlDeviceGetTemperatureThreshold(void *handle, unsigned kind, unsigned *answer) { DEVICE("nvmlDeviceGetTemperatureThreshold") (void)kind; *answer = 92; return 0; }
int nvmlDeviceGetUtilizationRates(void *handle, unsigned *rates) { DEVICE("nvmlDeviceGetUtilizationRates") rates[0] = number_of("FAKE_UTILIZATION", 7), rates[1] = 3; return 0; }
UNSIGNED(nvmlDeviceGetComputeMode, number_of("FAKE_COMPUTE_MODE", 0))
UNSIGNED(nvmlDeviceGetPowerUsage, (long)(1000 * atof(setting("FAKE_WATTS", "21.5"))))
UNSIGNED(nvmlDeviceGetEnforcedPowerLimit, chosen()->watts * 1000)
UNSIGNED(nvmlDeviceGetCurrPcieLinkGeneration, 1)
UNSIGNED(nvmlDeviceGetMaxPcieLinkGeneration, chosen()->pcie)
UNSIGNED(nvmlDeviceGetCurrPcieLinkWidth, number_of("FAKE_PCIE_WIDTH", 16))
UNSIGNED(nvmlDeviceGetMaxPcieLinkWidth, 16)
UNSIGNED(nvmlDeviceGetPersistenceMode, 0)
UNSIGNED(nvmlDeviceGetDisplayActive, 0)

int nvmlDeviceGetClockInfo(void *handle, unsigned kind, unsigned *clock) { DEVICE("nvmlDeviceGetClockInfo") *clock = kind == 2 ? 5000 : number_of("FAKE_CLOCK", 1350); return 0; }
int nvmlDeviceGetMaxClockInfo(void *handle, unsigned kind, unsigned *clock) { DEVICE("nvmlDeviceGetMaxClockInfo") *clock = kind == 2 ? 5000 : 1500; return 0; }

#ifndef OLD
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    unsigned long long step = number_of("FAKE_ENERGY_STEP", 50), at;
    DEVICE("nvmlDeviceGetTotalEnergyConsumption")
    if (chosen()->major < 7 || (intptr_t)handle >= 1000) return NOT_SUPPORTED;
    at = milliseconds() / step * step;
    *millijoules = given("FAKE_ENERGY") ? strtoull(given("FAKE_ENERGY"), NULL, 10) : (unsigned long long)(at * atof(setting("FAKE_WATTS", "21.5")));
    return 0;
}

typedef struct { unsigned pid; unsigned long long time; unsigned sm, memory, encoder, decoder; } used_t;

int nvmlDeviceGetProcessUtilization(void *handle, used_t *found, unsigned *count, unsigned long long since) {
    static const char *const LISTS[] = {"FAKE_PID", "FAKE_MPS_PID", "FAKE_GRAPHICS_PID"};
    unsigned room = found ? *count : 0;
    DEVICE("nvmlDeviceGetProcessUtilization")
    (void)since;
    if (!given("FAKE_PROCESS_SM")) return NOT_FOUND;
    *count = 0;
    for (size_t at = 0; at < sizeof LISTS / sizeof *LISTS; at++)
        for (const char *list = setting(LISTS[at], ""); *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : "") {
            if (*count < room) found[*count] = (used_t){atoi(list), since + 1, number_of("FAKE_PROCESS_SM", 0), 0, 0, 0};
            ++*count;
        }
    return *count > room ? INSUFFICIENT_SIZE : 0;
}

int nvmlDeviceGetMPSComputeRunningProcesses_v3(void *handle, unsigned *count, process_t *found) { DEVICE("nvmlDeviceGetMPSComputeRunningProcesses") return running("FAKE_MPS_PID", count, found); }

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *handle, void **whole) {
    DEVICE("nvmlDeviceGetDeviceHandleFromMigDeviceHandle")
    if ((intptr_t)handle < 1000) return INVALID_ARGUMENT;
    *whole = (void *)((intptr_t)handle / 1000);
    return 0;
}

int nvmlInitWithFlags(unsigned flags) { CALL("nvmlInit", -1) (void)flags; return 0; }
int nvmlSystemGetCudaDriverVersion(int *version) { CALL("nvmlSystemGetCudaDriverVersion", -1) *version = number_of("FAKE_CUDA", 13000); return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, process_t *found) { DEVICE("nvmlDeviceGetComputeRunningProcesses") return running("FAKE_PID", count, found); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, process_t *found) { DEVICE("nvmlDeviceGetGraphicsRunningProcesses") return running("FAKE_GRAPHICS_PID", count, found); }
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *reasons) { return nvmlDeviceGetCurrentClocksThrottleReasons(handle, reasons); }
UNSIGNED(nvmlDeviceGetMaxMigDeviceCount, chosen()->mig < 0 ? -1 : 7)

int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    DEVICE("nvmlDeviceGetMigMode")
    if (chosen()->mig < 0) return NOT_SUPPORTED;
    *current = *pending = chosen()->mig;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance) {
    DEVICE("nvmlDeviceGetMigDeviceHandleByIndex")
    if ((int)index >= number_of("FAKE_MIG_INSTANCES", 2)) return NOT_FOUND;
    *instance = (void *)(1000 * (intptr_t)handle + index);
    return 0;
}

int nvmlDeviceGetRemappedRows(void *handle, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
    DEVICE("nvmlDeviceGetRemappedRows")
    if (chosen()->major < 8 || chosen()->ecc < 1) return NOT_SUPPORTED;
    *corrected = *uncorrected = *pending = *failed = 0;
    return 0;
}

int nvmlDeviceGetNvLinkState(void *handle, unsigned link, unsigned *active) {
    DEVICE("nvmlDeviceGetNvLinkState")
    if (!chosen()->nvlinks) return NOT_SUPPORTED;
    if ((int)link >= chosen()->nvlinks) return INVALID_ARGUMENT;
    *active = 1;
    return 0;
}

#ifdef _WIN32
int nvmlDeviceGetDriverModel(void *handle, unsigned *current, unsigned *pending) {
    DEVICE("nvmlDeviceGetDriverModel")
    *current = *pending = number_of("FAKE_TCC", 0);
    return 0;
}
int nvmlDeviceGetDriverModel_v2(void *handle, unsigned *current, unsigned *pending) { return nvmlDeviceGetDriverModel(handle, current, pending); }
#endif
#endif
