"""What codes of one kind have in common: their usual causes, and what to check."""

from __future__ import annotations

from gpucheck.compat.codes import Advice

_XID = "sudo dmesg | grep -i xid"

NOTHING = Advice("nothing is wrong", ())
PROGRAM = Advice(
    "a defect of the program or of its framework, or parts of two versions in one environment",
    ("compute-sanitizer python your_script.py", "# update the framework; where it persists, report it there"),
)
MEMORY = Advice(
    "the GPU's memory is full: the model or batch, TensorFlow's reservation of nearly all of it, another process",
    ("nvidia-smi", "# a smaller batch; TF_FORCE_GPU_ALLOW_GROWTH=true; end the other process"),
)
HOST_MEMORY = Advice("the computer's own memory is full, or a limit on it is low", ("free -h", "ulimit -a"))
ACCESS = Advice(
    "a kernel read or wrote outside its memory: an index out of range, rarely faulty memory or overclocking",
    ("CUDA_LAUNCH_BLOCKING=1 python your_script.py", "compute-sanitizer python your_script.py", _XID),
)
KERNEL = Advice(
    "a kernel asked for more than the GPU has, or ran too long: mostly a kernel built for another GPU",
    ("CUDA_LAUNCH_BLOCKING=1 python your_script.py", "nvidia-smi --query-gpu=name,compute_cap --format=csv"),
)
HARDWARE = Advice(
    "faulty or overheated memory, a bad slot, riser, cable or power supply",
    (_XID, "nvidia-smi -q -d ECC,ROW_REMAPPER,TEMPERATURE", "# where it comes back: have the GPU examined"),
)
ARCHITECTURE = Advice(
    "the build holds no code for this GPU's compute capability: the GPU is newer or older than the build",
    ("nvidia-smi --query-gpu=name,compute_cap --format=csv", "gpucheck explain gpu-arch-too-new-for-build"),
)
JIT = Advice(
    "PTX that this driver cannot compile: a driver older than the toolkit that wrote it, or too old a toolkit",
    ("nvidia-smi", "# update the driver, or use a build with code for this GPU"),
)
OLD_DRIVER = Advice(
    "the driver is older than the CUDA that the program was built with",
    ("nvidia-smi --query-gpu=driver_version --format=csv", "gpucheck explain driver-too-old-for-cuda"),
)
NO_DEVICE = Advice(
    "CUDA_VISIBLE_DEVICES hides the GPU, the container or job was given none, no permission, MIG without an instance",
    ("echo $CUDA_VISIBLE_DEVICES", "nvidia-smi -L", "ls -l /dev/nvidia*"),
)
WRONG_DEVICE = Advice("a number or UUID of a GPU that this program does not see", ("nvidia-smi -L",))
BUSY = Advice(
    "compute mode is exclusive and another process holds the GPU, or compute mode is prohibited",
    ("nvidia-smi --query-gpu=compute_mode --format=csv", "nvidia-smi", "sudo nvidia-smi --compute-mode=DEFAULT"),
)
UNKNOWN = Advice(
    "nvidia_uvm is not loaded or broken after a suspend, device nodes are missing, an earlier fault of the driver",
    ("lsmod | grep nvidia_uvm", "sudo modprobe -r nvidia_uvm; sudo modprobe nvidia_uvm", _XID),
)
STUB = Advice(
    "a toolkit's folder lib64/stubs is searched before the driver's library",
    ("echo $LD_LIBRARY_PATH", "ldconfig -p | grep libcuda.so", "gpucheck explain libcuda-stub-on-path"),
)
MISMATCH = Advice(
    "the driver was updated and the old kernel module is still loaded, or two drivers are installed",
    ("cat /proc/driver/nvidia/version", "ldconfig -p | grep libcuda.so", "sudo reboot"),
)
COMPAT = Advice(
    "a forward-compatibility libcuda (cuda-compat) is loaded on a GPU that it is not made for, a GeForce mostly",
    ("ldconfig -p | grep libcuda.so", "gpucheck explain cuda-compat-libcuda-on-geforce"),
)
FABRIC = Advice(
    "an NVSwitch machine whose fabric manager does not run, or has another version than the driver",
    ("systemctl status nvidia-fabricmanager", "nvidia-smi -q | grep -A3 Fabric"),
)
LIBRARY = Advice(
    "a library of the driver or of CUDA is missing, or libraries of different versions are mixed",
    ("ldconfig -p | grep -i -E 'cuda|nvidia'", "echo $LD_LIBRARY_PATH"),
)
PERMISSION = Advice(
    "the user may not: a group or container without access, or a setting for administrators",
    ("id", "ls -l /dev/nvidia*"),
)
LICENCE = Advice("no licence for vGPU could be had", ("nvidia-smi -q | grep -i licen", "systemctl status nvidia-gridd"))
PEER = Advice(
    "GPUs that cannot reach each other's memory (topology, IOMMU, a virtual machine)", ("nvidia-smi topo -m",)
)
MPS = Advice(
    "the Multi-Process Service does not run, is full, or is another user's", ("ps -ef | grep nvidia-cuda-mps",)
)
CAPTURE = Advice(
    "work that a CUDA graph cannot record, while one is being recorded",
    ("# switch CUDA graphs off in the framework (XLA: XLA_FLAGS=--xla_gpu_enable_command_buffer=)",),
)
PROFILER = Advice("two profilers at once, or calls in the wrong order", ("# run without the other profiler",))
GRAPHICS = Advice("sharing with OpenGL, Vulkan or Direct3D in the wrong order", ("# a defect of the program",))
NETWORK = Advice(
    "no way between the processes: a wrong network interface, a firewall, a container without shared memory",
    ("NCCL_DEBUG=INFO python your_script.py", "# NCCL_SOCKET_IFNAME=<interface>; docker run --shm-size=1g"),
)
OTHER_RANK = Advice("another process ended, crashed or hangs; this one only waits for it", ("# read its log first",))
UNSUPPORTED = Advice("this GPU, driver or version of the library does not offer it", ("nvidia-smi -q",))
CUDNN_MIX = Advice(
    "cuDNN's parts come from two versions: two wheels, a system's copy before a wheel's, LD_LIBRARY_PATH",
    ("python -m pip list | grep -i cudnn", "ldconfig -p | grep cudnn", "echo $LD_LIBRARY_PATH"),
)
CUDNN_START = Advice(
    "no free GPU memory for its handle (then the log shows few bytes free), a driver too old, a missing library",
    ("nvidia-smi", "# TF_FORCE_GPU_ALLOW_GROWTH=true", "gpucheck explain driver-too-old-for-cuda"),
)
APPLICATION = Advice(
    "the program: an invalid access or command; the same Xid on one GPU with every program means the hardware",
    ("compute-sanitizer python your_script.py", "# run it on another GPU"),
)
ENGINE = Advice("the program or the driver's use of this engine", ("# restart the program; update the driver",))
RESET = Advice(
    "the GPU or its firmware stopped",
    ("sudo nvidia-smi --gpu-reset -i <number>", "sudo reboot", "# where it comes back: have the GPU examined"),
)
BUS = Advice(
    "power (supply, cable), heat, the slot or riser, PCIe power saving, a failing GPU",
    ("nvidia-smi -q -d TEMPERATURE,POWER", "lspci -vv -d 10de:", "# power off, reseat card and cables, start again"),
)
REMAPPED = Advice(
    "memory that wears out; a spare row takes over at the next reset",
    ("nvidia-smi -q -d ROW_REMAPPER,PAGE_RETIREMENT",),
)
NVLINK = Advice(
    "a link between GPUs: another GPU that was reset, a bridge or cable, the fabric manager",
    ("nvidia-smi nvlink -s", "nvidia-smi nvlink -e", "systemctl status nvidia-fabricmanager"),
)
NOTE = Advice("a note, no fault in itself", ("# read the Xid before it",))
UNUSED = Advice("not used by current drivers", ("# report it to NVIDIA: nvidia-bug-report.sh",))
FIRMWARE = Advice("the GPU's firmware or the driver", ("# update the driver", "# restart the machine", _XID))
