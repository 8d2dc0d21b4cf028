"""Reports put together by hand, so that the formats are tested without any probe or rule. Rich, broken and hostile."""

from __future__ import annotations

from gpucheck.facts.driver import CudaDriver, DeviceNode, Driver, Nvml, PciGpu, Smi, UserLibrary
from gpucheck.facts.environment import Environment, Variable
from gpucheck.facts.gap import Gap
from gpucheck.facts.gpus import Gpu, GpuProcess, Pcie
from gpucheck.facts.libraries import Libraries, LibraryCopy, SearchDir, Wanted
from gpucheck.facts.python import Distribution, FrameworkBuild, Python, SharedObject, TensorFlowBuild
from gpucheck.facts.snapshot import SCHEMA, ProbeRun, Snapshot
from gpucheck.facts.system import Cpu, Disk, System
from gpucheck.facts.toolkits import Pointer, Toolkit, Toolkits
from gpucheck.facts.versions import (
    ComputeCapability,
    CudaVersion,
    CudnnVersion,
    DriverVersion,
    LibcVersion,
    LibraryVersion,
    PackageVersion,
    PythonVersion,
)
from gpucheck.findings import Evidence, Finding, Report, Severity, Skipped

SITE = "/home/user/project/.venv/lib/python3.12/site-packages"
MODULE = "/proc/driver/nvidia/version"
LIBS = "/usr/lib/x86_64-linux-gnu"
HOSTILE = "\x1b[31mred\x1b[0m \u202eevil\u202c [bold]b[/bold] <script>alert(1)</script> `|` \udcff @someone\nnew line"


def system(**changes: object) -> System:
    """A healthy Ubuntu."""
    return System(
        os="linux",
        distribution="Ubuntu 24.04.1 LTS",
        distribution_id="ubuntu",
        kernel="6.8.0-45-generic",
        machine="x86_64",
        libc=LibcVersion("2.39"),
        wsl=None,
        container=None,
        uid=1000,
        groups=(1000, 44),
        memory_bytes=64 << 30,
        cpu=Cpu("AMD Ryzen 9 7950X 16-Core Processor", 32, True, True),
        secure_boot=False,
        selinux=None,
        suspends=0,
        disks=(Disk("environment", "/home/user", 210 << 30, 900 << 30), Disk("temp", "/tmp", 31 << 30, 32 << 30)),
    )._replace(**changes)


def gpu(number: int = 0, **changes: object) -> Gpu:
    """An RTX 4090 at rest."""
    return Gpu(
        number=number,
        error=None,
        error_code=None,
        name="NVIDIA GeForce RTX 4090",
        uuid=f"GPU-5a1b0c9e-0000-4000-8000-00000000000{number}",
        pci_address=f"0000:0{number + 1}:00.0",
        compute_capability=ComputeCapability("8.9"),
        memory_total=24 << 30,
        memory_free=23 << 30,
        processes=(),
        compute_mode="default",
        mig_mode=None,
        mig_devices=None,
        ecc_mode=False,
        ecc_uncorrected=None,
        remapped_pending=None,
        remapped_failure=None,
        clocks_event_reasons=("gpu-idle",),
        temperature_c=34,
        slowdown_c=90,
        power_w=21.5,
        power_limit_w=450.0,
        utilization=0,
        pcie=Pcie(1, 4, 16, 16),
        nvlinks_active=None,
        persistence=False,
        display_active=False,
    )._replace(**changes)


def driver(**changes: object) -> Driver:
    """Driver 580.126.09, both halves."""
    version = DriverVersion("580.126.09")
    return Driver(
        module_version=version,
        module_source=MODULE,
        module_open=True,
        modules=("nvidia", "nvidia_modeset", "nvidia_uvm"),
        module_files=(),
        dkms=(),
        packages=(),
        nodes=tuple(DeviceNode(f"/dev/{name}", 0o666, 0, 0, True) for name in ("nvidia0", "nvidiactl", "nvidia-uvm")),
        pci=(PciGpu("0000:01:00.0", "10de", "2684", "nvidia", "D0", True),),
        libraries=(
            UserLibrary(
                "libcuda.so.1", f"{LIBS}/libcuda.so.1", f"{LIBS}/libcuda.so.580.126.09", version, None, "driver", True
            ),
            UserLibrary("libnvidia-ml.so.1", f"{LIBS}/libnvidia-ml.so.1", None, version, None, "driver", True),
        ),
        nvml=Nvml("ok", 0, None, None, f"{LIBS}/libnvidia-ml.so.1", version, "13.580.126.09", CudaVersion("13.0"), 1),
        cuda=CudaDriver("ok", 0, None, None, f"{LIBS}/libcuda.so.1", CudaVersion("13.0"), 1),
        smi=Smi("/usr/bin/nvidia-smi", "not-run", None, None),
        fabric=None,
        prime=None,
        bbswitch=None,
    )._replace(**changes)


def _wheel(library: str, soname: str, version: str) -> LibraryCopy:
    path = f"{SITE}/nvidia/{library}/lib/{soname}"
    wheel = f"wheel nvidia-{library}-cu12"
    return LibraryCopy(library, soname, path, path, LibraryVersion(version), "dist-info", (wheel,), None, False)


def libraries(**changes: object) -> Libraries:
    """The wheels of [and-cuda] and a cuDNN that LD_LIBRARY_PATH finds."""
    old = "/usr/local/cuda-12.4/lib64/libcudnn.so.9"
    return Libraries(
        copies=(
            _wheel("cudnn", "libcudnn.so.9", "9.10.2.21"),
            _wheel("cublas", "libcublas.so.12", "12.9.1.4"),
            _wheel("cudart", "libcudart.so.12", "12.9.79"),
            LibraryCopy(
                "cudnn", "libcudnn.so.9", old, old, LibraryVersion("9.1.0"), "file name",
                ("LD_LIBRARY_PATH",), None, False,
            ),
        ),
        search=(SearchDir("/usr/local/cuda-12.4/lib64", "LD_LIBRARY_PATH", True), SearchDir(LIBS, "default", True)),
        preload=(),
        wanted=(
            Wanted(
                "libcudnn.so.9", "cudnn", f"{SITE}/tensorflow/libtensorflow_framework.so.2", True, old,
                "LD_LIBRARY_PATH", LibraryVersion("9.1.0"), (f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9",), (), None,
            ),
            Wanted(
                "libcusolver.so.11", "cusolver", f"{SITE}/tensorflow/libtensorflow_framework.so.2", True, None,
                None, None, (), (f"{SITE}/nvidia/cusolver/lib/libcusolver.so.11",), None,
            ),
        ),
    )._replace(**changes)  # fmt: skip


def python(**changes: object) -> Python:
    """A venv with TensorFlow 2.21.0 and PyTorch."""
    found = {"tensorflow": "2.21.0", "keras": "3.12.0", "numpy": "2.3.4", "protobuf": "6.33.0", "torch": "2.6.0+cu124"}
    return Python(
        executable="/home/user/project/.venv/bin/python",
        chosen_by="VIRTUAL_ENV",
        real_executable="/usr/bin/python3.12",
        version=PythonVersion("3.12.4"),
        read_from="pyvenv.cfg",
        implementation="cpython",
        bits=64,
        machine="x86_64",
        environment="venv",
        prefix="/home/user/project/.venv",
        externally_managed=None,
        site_dirs=(SITE,),
        user_site=None,
        distributions=tuple(Distribution(n, PackageVersion(v), SITE, None, True) for n, v in found.items()),
        tensorflow=TensorFlowBuild(
            PackageVersion("2.21.0"), "tensorflow", f"{SITE}/tensorflow", True, False, CudaVersion("12.5.1"),
            CudnnVersion("9"), ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"),
            (SharedObject(f"{SITE}/tensorflow/libtensorflow_framework.so.2", ("libcudnn.so.9",), (), ()),),
        ),
        torch=FrameworkBuild(PackageVersion("2.6.0+cu124"), CudaVersion("12.4")),
        jax=None,
        keras_backend=None,
        keras_config=None,
        kernels=(),
        others=(),
    )._replace(**changes)  # fmt: skip


def snapshot(**changes: object) -> Snapshot:
    """A healthy machine."""
    kit = Toolkit(
        "/usr/local/cuda-12.4", CudaVersion("12.4.1"), "version.json", ("CUDA_HOME", "/usr/local/cuda"),
        "/usr/local/cuda-12.4/bin/nvcc", None, None,
    )  # fmt: skip
    return Snapshot(
        schema=SCHEMA,
        version="0.1.0",
        taken="2026-11-23T08:00:00Z",
        system=system(),
        environment=Environment((
            Variable("PATH", "/usr/bin:/bin"),
            Variable("HOME", "/home/user"),
            Variable("LD_LIBRARY_PATH", "/usr/local/cuda-12.4/lib64"),
            Variable("CUDA_HOME", "/usr/local/cuda-12.4"),
        )),
        driver=driver(),
        gpus=(gpu(),),
        toolkits=Toolkits((kit,), (Pointer("CUDA_HOME", "/usr/local/cuda-12.4", "/usr/local/cuda-12.4"),)),
        python=python(),
        libraries=libraries(),
        deep=None,
        probes=(ProbeRun("driver", 0.041, "ok"), ProbeRun("python", 0.012, "ok")),
    )._replace(**changes)  # fmt: skip


CHECKED = ("driver-library-version-mismatch", "libcuda-missing", "cudnn-wrong-version")


def healthy() -> Snapshot:
    """A machine on which no rule finds anything."""
    own = libraries()
    assert isinstance(own.copies, tuple)
    assert isinstance(own.wanted, tuple)
    cudnn = own.wanted[0]._replace(
        path=own.copies[0].path, via="RUNPATH", version=own.copies[0].version, hides=(), elsewhere=()
    )
    libdevice = _wheel("libdevice", "libdevice.10.bc", "12.9.86")
    return snapshot(
        environment=Environment((Variable("HOME", "/home/user"),)),
        libraries=libraries(copies=(*own.copies[:3], libdevice), wanted=(cudnn,)),
    )


def fine() -> Report:
    """Nothing found."""
    return Report("0.1.0", (), CHECKED, (), (), healthy())


def mismatch() -> Report:
    """A driver whose halves differ, with a finding that follows from it, a warning and a note."""
    nvml = Nvml(
        "error", 18, "Driver/library version mismatch", None, f"{LIBS}/libnvidia-ml.so.1", None, None, None, None
    )
    cuda = CudaDriver("error", 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", None, f"{LIBS}/libcuda.so.1", None, None)
    facts = snapshot(
        driver=driver(module_version=DriverVersion("575.64.03"), nvml=nvml, cuda=cuda),
        gpus=Gap("NVML answers error 18: Driver/library version mismatch", "unsupported"),
    )
    findings = (
        Finding(
            "driver-library-version-mismatch",
            Severity.ERROR,
            "The loaded kernel module is 575.64.03, but libcuda is 580.126.09: no program can use the GPU.",
            (
                Evidence("driver.module_version", "kernel module 575.64.03", MODULE),
                Evidence("driver.libraries", "libcuda 580.126.09", f"{LIBS}/libcuda.so.580.126.09"),
            ),
            (
                "# Reboot, so that the new module is loaded:",
                "sudo reboot",
                "# If it survives a reboot, the packages are half upgraded:",
                "sudo apt-get install --reinstall nvidia-driver-580 nvidia-dkms-580 libnvidia-compute-580",
            ),
            ("cuda-driver-error",),
        ),
        Finding(
            "cuda-driver-error",
            Severity.ERROR,
            "libcuda answers cuInit with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH.",
            (Evidence("driver.cuda", "code 803", f"{LIBS}/libcuda.so.1"),),
        ),
        Finding(
            "ld-library-path-shadows-bundled-cuda",
            Severity.WARNING,
            "LD_LIBRARY_PATH gives TensorFlow cuDNN 9.1.0 instead of its own 9.10.2.21.",
            (Evidence("libraries.wanted", "/usr/local/cuda-12.4/lib64/libcudnn.so.9", "LD_LIBRARY_PATH"),),
            ("unset LD_LIBRARY_PATH",),
        ),
    )
    skipped = (Skipped("gpu-arch-too-new-for-build", "NVML answers error 18: Driver/library version mismatch", True),)
    return Report("0.1.0", findings, CHECKED, skipped, ("pep668-externally-managed",), facts)


def unknown() -> Report:
    """A machine that told nearly nothing, and a rule that could not be judged."""
    gap = Gap("the driver probe gave no answer within 4.0 s", "deadline")
    facts = snapshot(
        system=gap, environment=gap, driver=gap, gpus=gap, toolkits=gap, python=gap, libraries=gap, deep=gap
    )
    skipped = (Skipped("libcuda-missing", gap.reason, True), Skipped("throttled", "no GPU known", False))
    return Report("0.1.0", (), (), skipped, (), facts)


def hostile() -> Report:
    """Every string that a machine can choose, chosen by an enemy."""
    facts = snapshot(
        system=system(distribution=HOSTILE, kernel=HOSTILE),
        environment=Environment((Variable("LD_LIBRARY_PATH", HOSTILE), Variable("XLA_FLAGS", "x" * 9000))),
        gpus=(gpu(name=HOSTILE, processes=(GpuProcess(7, 1, HOSTILE),)),),
        python=python(executable=HOSTILE),
        libraries=libraries(preload=(HOSTILE,)),
        toolkits=Toolkits((), (Pointer("CUDA_HOME", HOSTILE, None),)),
        probes=(ProbeRun("system", 0.001, HOSTILE),),
    )
    finding = Finding(
        "libcuda-missing",
        Severity.ERROR,
        f"Odd: {HOSTILE}",
        (Evidence("driver", HOSTILE, HOSTILE),),
        (f"ls {HOSTILE}",),
    )
    return Report("0.1.0", (finding,), CHECKED, (Skipped("throttled", HOSTILE, True),), (), facts)
