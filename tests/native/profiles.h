/* Compiled for Linux by cc and for Windows by mingw, where a pointer is longer than a long: so intptr_t.

   The GPUs that the fake driver can have, and the faults that a test can ask for by environment variables.

   FAKE_PROFILE       gtx1080, t4 (default), rtx4090, h100-mig, rtx5090, 8xh100
   FAKE_DRIVER        driver version; FAKE_CUDA: the driver's CUDA version as CUDA's integer (13000)
   FAKE_NAME          another GPU name, any bytes
   FAKE_LOST          number of a GPU that fell off the bus
   FAKE_CODES         "nvmlInit=18,nvmlDeviceGetName=4": these calls return these codes (names without _v2, _v3)
   FAKE_HANG          this call never returns; FAKE_HANG_GPU: only for the GPU of this number
   FAKE_SEGV          this call dies of SIGSEGV; FAKE_SEGV_GPU: only for the GPU of this number
   FAKE_GONE_AFTER    after so many calls everything returns FAKE_GONE_CODE (default 999)
   FAKE_CHATTER       print this on stdout at every call
   FAKE_LIVE          a file of NAME=VALUE lines, read at every call, that go before the environment: what comes in the
                      middle of a run (a hang, a crash, a throttle reason) is written there (with a rename) by the test
   FAKE_REASONS       clocks-event reasons, nvml.h's bits as a decimal number (default 1: idle; 4: power cap; 64: hot)
   FAKE_PID           compute processes on the GPU: "12" or "12,34"; FAKE_MPS_PID, FAKE_GRAPHICS_PID: of these kinds
   FAKE_PROCESS_SM    percent of the SMs that each of these processes used lately (default: no samples)
   FAKE_PCIE_WIDTH    lanes in use of the 16
   FAKE_WATTS         power (default 21.5) and what the total-energy counter rises by; the counter is that of a GPU from
                      Volta on, and counts from the machine's start in steps of FAKE_ENERGY_STEP milliseconds (default 50)
   FAKE_ENERGY        the total-energy counter stands at so many mJ
   FAKE_CLOCK         MHz of the SMs (default 1350, of at most 1500); the memory has 5000
   FAKE_UTILIZATION   percent (default 7)
   FAKE_TCC           1: the driver model is TCC (Windows; default: WDDM)
*/

#ifndef PROFILES_H
#define PROFILES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <windows.h>
#define pause() Sleep(1000)
static inline unsigned long long milliseconds(void) { return GetTickCount64(); }
#else
#include <unistd.h>
static inline unsigned long long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}
#endif

#define MIB (1024ULL * 1024ULL)

struct profile {
    const char *key, *gpu;
    int count, major, minor;
    unsigned long long memory;
    int ecc, mig, nvlinks, pcie, watts, cores; /* ecc, mig: -1 not supported, 0 off, 1 on; cores: multiprocessors */
};

/* Names, memory and limits as nvidia-smi prints them for these cards. */
static const struct profile PROFILES[] = {
    {"t4", "Tesla T4", 1, 7, 5, 15360 * MIB, 1, -1, 0, 3, 70, 40},
    {"gtx1080", "NVIDIA GeForce GTX 1080", 1, 6, 1, 8192 * MIB, -1, -1, 0, 3, 180, 20},
    {"rtx4090", "NVIDIA GeForce RTX 4090", 1, 8, 9, 24564 * MIB, 0, -1, 0, 4, 450, 128},
    {"h100-mig", "NVIDIA H100 80GB HBM3", 1, 9, 0, 81559 * MIB, 1, 1, 18, 5, 700, 132},
    {"rtx5090", "NVIDIA GeForce RTX 5090", 1, 12, 0, 32607 * MIB, -1, -1, 0, 5, 575, 170},
    {"8xh100", "NVIDIA H100 80GB HBM3", 8, 9, 0, 81559 * MIB, 1, 0, 18, 5, 700, 132},
};

/* The value of a variable; what FAKE_LIVE says of it goes first. Good until this thread has asked 16 times more. */
static const char *given(const char *name) {
    static __thread char kept[16][256];
    static __thread unsigned next;
    const char *path = getenv("FAKE_LIVE");
    FILE *file = path ? fopen(path, "r") : NULL;
    size_t length = strlen(name);
    char *line = kept[next++ % 16];
    if (!file) return getenv(name);
    while (fgets(line, sizeof *kept, file))
        if (!strncmp(line, name, length) && line[length] == '=') {
            fclose(file);
            line[strcspn(line, "\n")] = 0;
            return line + length + 1;
        }
    fclose(file);
    return getenv(name);
}

static const char *setting(const char *name, const char *otherwise) {
    const char *value = given(name);
    return value && *value ? value : otherwise;
}

static int number_of(const char *name, int otherwise) {
    const char *value = setting(name, "");
    return *value && atoi(value) >= 0 ? atoi(value) : otherwise;
}

static const struct profile *chosen(void) {
    const char *key = setting("FAKE_PROFILE", "t4");
    for (size_t at = 0; at < sizeof PROFILES / sizeof *PROFILES; at++)
        if (!strcmp(PROFILES[at].key, key)) return &PROFILES[at];
    fprintf(stderr, "fake driver: no profile %s\n", key);
    abort();
}

/* gpu: the number that the call is about, or -1. */
static int asked(const char *variable, const char *call, int gpu) {
    const char *wanted = given(variable), *only;
    char which[64];
    if (!wanted || strcmp(wanted, call)) return 0;
    snprintf(which, sizeof which, "%s_GPU", variable);
    only = given(which);
    return !only || atoi(only) == gpu;
}

static int calls;

static int enter(const char *call, int gpu) {
    const char *codes = given("FAKE_CODES"), *limit = given("FAKE_GONE_AFTER"), *chatter = given("FAKE_CHATTER");
    size_t length = strlen(call);
    calls++;
    if (chatter) { puts(chatter); fflush(stdout); }
    if (asked("FAKE_HANG", call, gpu)) for (;;) pause();
    if (asked("FAKE_SEGV", call, gpu)) *(volatile int *)0 = 1;
    if (limit && calls > atoi(limit)) return number_of("FAKE_GONE_CODE", 999);
    for (; codes && *codes; codes = strchr(codes, ',') ? strchr(codes, ',') + 1 : "")
        if (!strncmp(codes, call, length) && codes[length] == '=') return atoi(codes + length + 1);
    return 0;
}

#endif
