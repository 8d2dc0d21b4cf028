"""Xid: the numbers in the kernel's log ("NVRM: Xid (PCI:0000:65:00): 79, …").

Numbers and names: NVIDIA's Xid catalog (docs.nvidia.com/deploy/xid-errors, 2025-10: 1 to 172) and nverror.h of the open
kernel modules. `verdict` is what an Xid means for the question "is the GPU usable": after NVIDIA's resolution buckets.
"""

from __future__ import annotations

from typing import Literal

from gpucheck.compat.codes import Advice, Code
from gpucheck.compat.codes import advice as a

# gone: off the bus. reset: unusable until a reset. faulty: memory or link is bad. program: the program's doing.
# note: nothing to do by itself.
Verdict = Literal["gone", "reset", "faulty", "program", "note"]

_ROWS: tuple[tuple[int, str, str, Advice, Verdict], ...] = (
    (8, "ROBUST_CHANNEL_FIFO_ERROR_IDLE_TIMEOUT", "the GPU stopped processing", a.ENGINE, "program"),
    (11, "ROBUST_CHANNEL_GR_ERROR_MISSING_HW", "a corrupted stream of commands", a.APPLICATION, "program"),
    (13, "ROBUST_CHANNEL_GR_EXCEPTION", "an exception of the compute or graphics engine", a.APPLICATION, "program"),
    (14, "ROBUST_CHANNEL_FAKE_ERROR", "a test message", a.NOTE, "note"),
    (25, "ROBUST_CHANNEL_GR_ILLEGAL_NOTIFY", "an illegal stream of commands", a.APPLICATION, "program"),
    (31, "ROBUST_CHANNEL_FIFO_ERROR_MMU_ERR_FLT", "a page fault in the GPU's memory", a.APPLICATION, "program"),
    (32, "ROBUST_CHANNEL_PBDMA_ERROR", "a corrupted stream of commands", a.APPLICATION, "program"),
    (37, "ROBUST_CHANNEL_FECS_ERR_UNIMP_FIRMWARE_METHOD", "an error of the driver's firmware", a.FIRMWARE, "note"),
    (38, "ROBUST_CHANNEL_FECS_ERR_WATCHDOG_TIMEOUT", "an error of the driver's firmware", a.FIRMWARE, "note"),
    (39, "ROBUST_CHANNEL_CE0_ERROR", "an exception of copy engine 0", a.ENGINE, "program"),
    (40, "ROBUST_CHANNEL_CE1_ERROR", "an exception of copy engine 1", a.ENGINE, "program"),
    (41, "ROBUST_CHANNEL_CE2_ERROR", "an exception of copy engine 2", a.ENGINE, "program"),
    (43, "ROBUST_CHANNEL_RESETCHANNEL_VERIF_ERROR", "the GPU stopped a program's work", a.APPLICATION, "note"),
    (44, "ROBUST_CHANNEL_GR_FAULT_DURING_CTXSW", "a fault while programs were switched", a.FIRMWARE, "note"),
    (45, "ROBUST_CHANNEL_PREEMPTIVE_REMOVAL", "a program's work was removed, after an error or a kill", a.NOTE, "note"),
    (46, "ROBUST_CHANNEL_GPU_TIMEOUT_ERROR", "the GPU stopped processing", a.RESET, "reset"),
    (48, "ROBUST_CHANNEL_GPU_ECC_DBE", "a memory error of two bits, which ECC cannot correct", a.HARDWARE, "faulty"),
    (54, "SILENT_RUNNING_PWR_REDUCED_CLOCKING", "the GPU's power cable is not connected", a.BUS, "faulty"),
    (60, "ROBUST_CHANNEL_SEC2_ERROR", "an exception of the security or video processor", a.ENGINE, "program"),
    (61, "PMU_BREAKPOINT", "the GPU's power controller met a breakpoint", a.FIRMWARE, "reset"),
    (62, "PMU_HALT_ERROR", "the GPU's power controller halted", a.RESET, "reset"),
    (63, "INFOROM_DRAM_RETIREMENT_EVENT", "a bad row or page of memory was replaced", a.REMAPPED, "note"),
    (64, "INFOROM_DRAM_RETIREMENT_FAILURE", "a bad row of memory could not be replaced", a.HARDWARE, "faulty"),
    (66, "ROBUST_CHANNEL_FECS_ERR_REG_ACCESS_VIOLATION", "the driver broke a rule of access", a.FIRMWARE, "note"),
    (67, "ROBUST_CHANNEL_FECS_ERR_VERIF_VIOLATION", "the driver accessed something illegally", a.FIRMWARE, "note"),
    (68, "ROBUST_CHANNEL_NVDEC0_ERROR", "an exception of video decoder 0", a.ENGINE, "program"),
    (69, "ROBUST_CHANNEL_GR_CLASS_ERROR", "a command that this engine does not know", a.APPLICATION, "program"),
    (70, "ROBUST_CHANNEL_CE3_ERROR", "an exception of copy engine 3", a.ENGINE, "program"),
    (71, "ROBUST_CHANNEL_CE4_ERROR", "an exception of copy engine 4", a.ENGINE, "program"),
    (72, "ROBUST_CHANNEL_CE5_ERROR", "an exception of copy engine 5", a.ENGINE, "program"),
    (74, "NVLINK_ERROR", "an error of an NVLink", a.NVLINK, "faulty"),
    (75, "ROBUST_CHANNEL_CE6_ERROR", "an exception of copy engine 6", a.ENGINE, "program"),
    (76, "ROBUST_CHANNEL_CE7_ERROR", "an exception of copy engine 7", a.ENGINE, "program"),
    (77, "ROBUST_CHANNEL_CE8_ERROR", "an exception of copy engine 8", a.ENGINE, "program"),
    (78, "VGPU_START_ERROR", "a vGPU could not start", a.LICENCE, "reset"),
    (79, "ROBUST_CHANNEL_GPU_HAS_FALLEN_OFF_THE_BUS", "the GPU does not answer on the PCI bus any more", a.BUS, "gone"),
    (80, "PBDMA_PUSHBUFFER_CRC_MISMATCH", "data was damaged on its way to the GPU", a.BUS, "program"),
    (82, "ROBUST_CHANNEL_NVJPG0_ERROR", "an error of JPEG engine 0", a.ENGINE, "program"),
    (83, "ROBUST_CHANNEL_NVDEC1_ERROR", "an error of video decoder 1", a.ENGINE, "program"),
    (84, "ROBUST_CHANNEL_NVDEC2_ERROR", "an error of video decoder 2", a.ENGINE, "program"),
    (85, "ROBUST_CHANNEL_CE9_ERROR", "an exception of copy engine 9", a.ENGINE, "program"),
    (86, "ROBUST_CHANNEL_OFA0_ERROR", "an exception of the optical flow engine", a.ENGINE, "program"),
    (88, "ROBUST_CHANNEL_NVDEC3_ERROR", "an error of video decoder 3", a.ENGINE, "program"),
    (89, "ROBUST_CHANNEL_NVDEC4_ERROR", "an error of video decoder 4", a.ENGINE, "program"),
    (92, "EXCESSIVE_SBE_INTERRUPTS", "many memory errors of one bit, which ECC corrects", a.HARDWARE, "note"),
    (93, "INFOROM_ERASE_LIMIT_EXCEEDED", "the InfoROM was written too often", a.NOTE, "note"),
    (94, "ROBUST_CHANNEL_CONTAINED_ERROR", "a memory error that hit one program alone", a.HARDWARE, "program"),
    (95, "ROBUST_CHANNEL_UNCONTAINED_ERROR", "a memory error that may have hit every program", a.HARDWARE, "faulty"),
    *((90 + each, f"ROBUST_CHANNEL_NVDEC{each - 1}_ERROR", f"an error of video decoder {each - 1}", a.ENGINE, "program")
      for each in (6, 7, 8)),
    *((98 + each, f"ROBUST_CHANNEL_NVJPG{each}_ERROR", f"an error of JPEG engine {each}", a.ENGINE, "program")
      for each in range(1, 8)),
    (106, "SMBPBI_TEST_MESSAGE", "a test message", a.NOTE, "note"),
    (107, "SMBPBI_TEST_MESSAGE_SILENT", "a test message", a.NOTE, "note"),
    (108, "NVLINK_REMOTE_TRANSLATION_ERROR", "a translation error at the other end of an NVLink", a.NVLINK, "note"),
    (109, "ROBUST_CHANNEL_CTXSW_TIMEOUT_ERROR", "switching programs took too long", a.RESET, "reset"),
    (110, "SEC_FAULT_ERROR", "a security fault", a.RESET, "reset"),
    (119, "GSP_RPC_TIMEOUT", "the GPU's system processor (GSP) did not answer the driver in time", a.RESET, "reset"),
    (120, "GSP_ERROR", "an error in the firmware of the GPU's system processor (GSP)", a.RESET, "reset"),
    (121, "C2C_ERROR", "a corrected error on the link between the chips", a.HARDWARE, "note"),
    *((116 + each, f"ROBUST_CHANNEL_CE{each}_ERROR", f"an exception of copy engine {each}", a.ENGINE, "program")
      for each in range(10, 20)),
    (136, "ALI_TRAINING_FAIL", "an NVLink could not be started", a.NVLINK, "reset"),
    (137, "NVLINK_PRIV_ERR", "a program reached for another GPU's memory wrongly, over NVLink", a.NVLINK, "note"),
    (139, "ROBUST_CHANNEL_OFA1_ERROR", "an exception of the second optical flow engine", a.ENGINE, "program"),
    (140, "UNRECOVERABLE_ECC_ERROR_ESCAPE", "a memory error that could not be recovered", a.HARDWARE, "faulty"),
    (141, "ROBUST_CHANNEL_FAST_PATH_ERROR", "an error of CUDA's fast path", a.ENGINE, "note"),
    (142, "ROBUST_CHANNEL_NVENC3_ERROR", "an error of video encoder 3", a.ENGINE, "program"),
    (143, "GPU_INIT_ERROR", "the GPU could not be initialised", a.RESET, "reset"),
    (144, "NVLINK_SAW_ERROR", "an error of an NVLink (SAW)", a.NVLINK, "faulty"),
    (145, "NVLINK_RLW_ERROR", "an error of an NVLink (RLW)", a.NVLINK, "faulty"),
    (146, "NVLINK_TLW_ERROR", "an error of an NVLink (TLW)", a.NVLINK, "faulty"),
    (147, "NVLINK_TREX_ERROR", "an error of an NVLink (TREX)", a.NVLINK, "faulty"),
    (148, "NVLINK_NVLPW_CTRL_ERROR", "an error of an NVLink (NVLPW_CTRL)", a.NVLINK, "faulty"),
    (149, "NVLINK_NETIR_ERROR", "an error of an NVLink (NETIR), mostly a cable or the other end", a.NVLINK, "faulty"),
    (150, "NVLINK_MSE_ERROR", "an error of an NVLink (MSE)", a.NVLINK, "faulty"),
    (151, "ROBUST_CHANNEL_KEY_ROTATION_ERROR", "changing a confidential-computing key failed", a.FIRMWARE, "reset"),
    (152, "ROBUST_CHANNEL_DLA_SMMU_ERROR", "an address error of the deep-learning accelerator", a.ENGINE, "note"),
    (153, "ROBUST_CHANNEL_DLA_TIMEOUT", "the deep-learning accelerator took too long", a.ENGINE, "note"),
    (154, "GPU_RECOVERY_ACTION_CHANGED", "what the GPU needs to recover: the line says", a.NOTE, "note"),
    (155, "NVLINK_SW_DEFINED_ERROR", "a link is down that software wants up", a.NVLINK, "reset"),
    (156, "RESOURCE_RETIREMENT_EVENT", "a part of the GPU was taken out of use", a.REMAPPED, "reset"),
    (157, "RESOURCE_RETIREMENT_FAILURE", "a part of the GPU could not be taken out of use", a.HARDWARE, "faulty"),
    (158, "GPU_FATAL_TIMEOUT", "the GPU did not answer for too long", a.RESET, "reset"),
    (159, "ROBUST_CHANNEL_CHI_NON_DATA_ERROR", "an error on the link to the CPU, without data", a.HARDWARE, "note"),
    (160, "CHANNEL_RETIREMENT_EVENT", "a memory channel was taken out of use", a.REMAPPED, "note"),
    (161, "CHANNEL_RETIREMENT_FAILURE", "a memory channel could not be taken out of use", a.HARDWARE, "faulty"),
    (162, "PSHC_REENGAGED", "the power smoothing works again", a.NOTE, "note"),
    (163, "PSHC_DISENGAGED", "the power smoothing stopped", a.NOTE, "note"),
    (164, "PSHC_LOW_LIFETIME", "the power smoothing's parts are nearly worn out", a.NOTE, "note"),
    (165, "PSHC_ZERO_LIFETIME", "the power smoothing's parts are worn out", a.NOTE, "note"),
    (166, "NVLINK_SECURE_CRYPTO_ERR", "traffic on an NVLink before its encryption was set up", a.NVLINK, "reset"),
    (167, "PCIE_FATAL_TIMEOUT", "the PCI bus did not answer in time", a.BUS, "reset"),
    (168, "REDUCED_GPU_MEMORY_CAPACITY", "errors in protected memory: less memory is left", a.HARDWARE, "faulty"),
    (169, "SEC2_HALT_ERROR", "the security processor halted", a.RESET, "reset"),
    (170, "NVLINK_SECURE_OTHER", "an interrupt of an NVLink under confidential computing", a.NVLINK, "reset"),
    (171, "UNCORRECTABLE_DRAM_ERROR", "an uncorrectable error in DRAM, the details of an Xid 48", a.HARDWARE, "faulty"),
    (172, "UNCORRECTABLE_SRAM_ERROR", "an uncorrectable error in SRAM, the details of an Xid 48", a.HARDWARE, "faulty"),
)  # fmt: skip

# The catalog's other names: older GPUs used some of them, current ones none.
_UNUSED: dict[int, str] = {
    1: "ROBUST_CHANNEL_FIFO_ERROR_FIFO_METHOD",
    2: "ROBUST_CHANNEL_FIFO_ERROR_SW_METHOD",
    3: "ROBUST_CHANNEL_FIFO_ERROR_UNK_METHOD",
    4: "ROBUST_CHANNEL_FIFO_ERROR_CHANNEL_BUSY",
    5: "ROBUST_CHANNEL_FIFO_ERROR_RUNOUT_OVERFLOW",
    6: "ROBUST_CHANNEL_FIFO_ERROR_PARSE_ERR",
    7: "ROBUST_CHANNEL_FIFO_ERROR_PTE_ERR",
    9: "ROBUST_CHANNEL_GR_ERROR_INSTANCE",
    10: "ROBUST_CHANNEL_GR_ERROR_SINGLE_STEP",
    12: "ROBUST_CHANNEL_GR_ERROR_SW_METHOD",
    15: "ROBUST_CHANNEL_SCANLINE_TIMEOUT",
    16: "ROBUST_CHANNEL_VBLANK_CALLBACK_TIMEOUT",
    17: "ROBUST_CHANNEL_PARAMETER_ERROR",
    18: "ROBUST_CHANNEL_BUS_MASTER_TIMEOUT_ERROR",
    19: "ROBUST_CHANNEL_DISP_MISSED_NOTIFIER",
    20: "ROBUST_CHANNEL_MPEG_ERROR_SW_METHOD",
    21: "ROBUST_CHANNEL_ME_ERROR_SW_METHOD",
    22: "ROBUST_CHANNEL_VP_ERROR_SW_METHOD",
    23: "ROBUST_CHANNEL_RC_LOGGING_ENABLED",
    24: "ROBUST_CHANNEL_GR_SEMAPHORE_TIMEOUT",
    26: "ROBUST_CHANNEL_FIFO_ERROR_FBISTATE_TIMEOUT",
    27: "ROBUST_CHANNEL_VP_ERROR",
    28: "ROBUST_CHANNEL_VP2_ERROR",
    29: "ROBUST_CHANNEL_BSP_ERROR",
    30: "ROBUST_CHANNEL_BAD_ADDR_ACCESS",
    33: "ROBUST_CHANNEL_SEC_ERROR",
    34: "ROBUST_CHANNEL_MSVLD_ERROR",
    35: "ROBUST_CHANNEL_MSPDEC_ERROR",
    36: "ROBUST_CHANNEL_MSPPP_ERROR",
    42: "ROBUST_CHANNEL_VIC_ERROR",
    47: "ROBUST_CHANNEL_NVENC0_ERROR",
    49: "SILENT_RUNNING_CONSTANT_LEVEL_SET_BY_REGISTRY",
    50: "SILENT_RUNNING_LEVEL_TRANSITION_DUE_TO_RC_ERROR",
    51: "SILENT_RUNNING_STRESS_TEST_FAILURE",
    52: "SILENT_RUNNING_LEVEL_TRANS_DUE_TO_TEMP_RISE",
    53: "SILENT_RUNNING_TEMP_REDUCED_CLOCKING",
    55: "SILENT_RUNNING_TEMPERATURE_READ_ERROR",
    56: "DISPLAY_CHANNEL_EXCEPTION",
    57: "FB_LINK_TRAINING_FAILURE_ERROR",
    58: "FB_MEMORY_ERROR",
    59: "PMU_ERROR",
    65: "ROBUST_CHANNEL_NVENC1_ERROR",
    73: "ROBUST_CHANNEL_NVENC2_ERROR",
    81: "ROBUST_CHANNEL_VGA_SUBSYSTEM_ERROR",
    87: "NVTELEMETRY_DRIVER_REPORT",
    90: "LTC_ERROR",
    91: "RESERVED_XID",
    111: "BUNDLE_ERROR_EVENT",
    112: "DISP_SUPERVISOR_ERROR",
    113: "DP_LT_FAILURE",
    114: "HEAD_RG_UNDERFLOW",
    115: "CORE_CHANNEL_REGS",
    116: "WINDOW_CHANNEL_REGS",
    117: "CURSOR_CHANNEL_REGS",
    118: "HEAD_REGS",
    122: "SPI_PMU_RPC_READ_FAIL",
    123: "SPI_PMU_RPC_WRITE_FAIL",
    124: "SPI_PMU_RPC_ERASE_FAIL",
    125: "INFOROM_FS_ERROR",
    138: "ROBUST_CHANNEL_DLA_ERROR",
}


def _words(name: str) -> str:
    """A meaning from a name: all that is published of these."""
    return f"{name.removeprefix('ROBUST_CHANNEL_').replace('_', ' ').lower()}, by its name"


CODES: tuple[Code, ...] = tuple(
    sorted(
        (
            *(Code(number, name, meaning, advice) for number, name, meaning, advice, _ in _ROWS),
            *(Code(number, name, _words(name), a.UNUSED) for number, name in _UNUSED.items()),
        )
    )
)

VERDICTS: dict[int, Verdict] = {number: verdict for number, _, _, _, verdict in _ROWS}


def verdict_on(number: int) -> Verdict:
    """What an Xid means for the GPU; one that is not in the table is a note."""
    return VERDICTS.get(number, "note")
