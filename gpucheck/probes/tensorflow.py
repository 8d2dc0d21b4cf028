"""TensorFlow's build, read from its files and never by importing it: build_info.py, cuda_config.h, ELF headers."""

from __future__ import annotations

from typing import Any, Union

from gpucheck.facts.gap import Gap
from gpucheck.facts.python import Distribution, SharedObject, TensorFlowBuild
from gpucheck.facts.versions import CudaVersion, CudnnVersion
from gpucheck.host import Elf, Host
from gpucheck.probes.search_paths import origin

_INFO = "python/platform/build_info.py"
# 2.22.0rc0 and the nightlies of 2026 dropped CUDA's keys from build_info.py; the header that is installed for
# building custom ops has them still (compat/matrix.json, K15).
_CONFIGS = (
    "include/third_party/gpus/cuda/cuda_config.h",
    "include/external/local_config_cuda/cuda/cuda/cuda_config.h",
)
_OBJECTS = (
    "libtensorflow_framework.so.2",
    "libtensorflow_framework.so.1",
    "libtensorflow_framework.so",
    "libtensorflow_cc.so.2",
    "python/_pywrap_tensorflow_internal.so",
    "python/lib_pywrap_tensorflow_common.so",
)
WHOLE = (
    *("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly", "tf-nightly-gpu", "tf-nightly-cpu"),
    "tensorflow-intel",  # Windows' CPU build from 2.11 to 2.18, which `tensorflow` pulls in
)


def read_build_info(data: bytes) -> Union[dict[str, Any], None]:
    """The literals that build_info.py assigns, in any of its forms; None where it is no Python.

    2.3 and later: ``build_info = collections.OrderedDict([(name, value), ...])``; before: one assignment per name
    (is_cuda_build, cuda_version_number, cudnn_version_number). Read as a syntax tree, nothing in it is run.
    """
    import _ast  # the tree alone: `import ast` would add 3 ms of CPU time for its visitors

    try:
        tree = compile(data, "build_info.py", "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    values: dict[str, Any] = {}
    for statement in getattr(tree, "body", ()):
        if isinstance(statement, _ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, _ast.Name):
                values[target.id] = _literal(statement.value)
    inner = values.pop("build_info", None)
    if isinstance(inner, dict):
        values.update(inner)
    return values


def _literal(node: Any, depth: int = 0) -> Any:
    """A literal of a syntax tree, a dict for a call of OrderedDict; None for anything else."""
    import _ast

    if depth > 6:
        return None
    if isinstance(node, _ast.Constant):
        return node.value
    if isinstance(node, (_ast.List, _ast.Tuple)):
        return [_literal(item, depth + 1) for item in node.elts]
    if isinstance(node, _ast.Dict):
        return _pairs(
            [(_literal(k, depth + 1), _literal(v, depth + 1)) for k, v in zip(node.keys, node.values, strict=False)]
        )
    if isinstance(node, _ast.Call) and len(node.args) == 1:
        items = _literal(node.args[0], depth + 1)
        if isinstance(items, dict):
            return items
        return _pairs([tuple(item) for item in items if isinstance(item, list)]) if isinstance(items, list) else None
    return None


def _pairs(items: list[tuple[Any, ...]]) -> dict[str, Any]:
    return {item[0]: item[1] for item in items if len(item) == 2 and isinstance(item[0], str)}


def find(
    host: Host, folders: tuple[str, ...], distributions: Union[tuple[Distribution, ...], Gap]
) -> Union[TensorFlowBuild, None, Gap]:
    """The TensorFlow that ``import tensorflow`` would take; None: there is none."""
    for folder in folders:
        names = host.names(folder)
        if isinstance(names, Gap):
            return names
        if names and "tensorflow" in names:
            root = f"{folder}/{'tensorflow_core' if 'tensorflow_core' in names else 'tensorflow'}"
            inside = host.names(root)
            if isinstance(inside, Gap):
                return inside
            # A folder without these is what an uninstallation left behind.
            if inside and ("__init__.py" in inside or "python" in inside):
                return _build(host, folder, root, distributions)
    return None


def _build(host: Host, folder: str, root: str, distributions: Union[tuple[Distribution, ...], Gap]) -> TensorFlowBuild:
    owner = distributions if isinstance(distributions, Gap) else _owner(distributions, folder)
    data = host.read(f"{root}/{_INFO}")
    info = read_build_info(data) if isinstance(data, bytes) else data
    unread = Gap(f"not the Python that was expected: {root}/{_INFO}") if isinstance(data, bytes) else data
    facts: tuple[Any, Any, Any, Any, Any] = (
        _facts(host, root, info, owner if isinstance(owner, Distribution) else None)
        if isinstance(info, dict)
        else (unread, unread, unread, unread, unread)
    )
    return TensorFlowBuild(
        owner if isinstance(owner, Gap) else owner.version if owner else None,
        owner.name if isinstance(owner, Distribution) else None,
        root,
        *facts,
        _objects(host, root),
    )


def _owner(distributions: tuple[Distribution, ...], folder: str) -> Union[Distribution, None]:
    here = [one for one in distributions if one.location == folder and one.name in WHOLE]
    return min(here, key=lambda one: WHOLE.index(one.name)) if here else None


def _facts(
    host: Host, root: str, info: dict[str, Any], owner: Union[Distribution, None]
) -> tuple[Any, Any, Any, Any, Any]:
    """(cuda_build, rocm_build, cuda_version, cudnn_version, compute_capabilities)"""
    silent = Gap(f"build_info.py does not say: {root}/{_INFO}", "unsupported")
    cuda_build = info.get("is_cuda_build")
    rocm_build = info.get("is_rocm_build", False)
    if not isinstance(cuda_build, bool):
        return silent, silent, silent, silent, silent
    rocm: Union[bool, Gap] = rocm_build if isinstance(rocm_build, bool) else silent
    if not cuda_build:
        return cuda_build, rocm, None, None, None
    if not any(name in info for name in ("cuda_version", "cuda_version_number")):
        info = {**info, **_config(host, root)}
    cuda = decode_number(info.get("cuda_version", info.get("cuda_version_number")))
    if cuda == "10":
        cuda = _ten(owner)
    cudnn = decode_number(info.get("cudnn_version", info.get("cudnn_version_number")))
    codes = info.get("cuda_compute_capabilities")
    listed = isinstance(codes, list) and all(isinstance(code, str) for code in codes) and codes
    return (
        cuda_build,
        rocm,
        (CudaVersion.parse(cuda) if cuda else None) or silent,
        (CudnnVersion.parse(cudnn) if cudnn else None) or silent,
        tuple(codes) if listed and isinstance(codes, list) else silent,
    )


def _ten(owner: Union[Distribution, None]) -> Union[str, None]:
    """Wheels before 2.3 say "10" for CUDA 10.0 (1.15.0) and for 10.1 (2.2.3), whose libraries have other names."""
    from gpucheck.compat.tensorflow import find as find_release

    release = find_release(owner.version.text) if owner else None
    return release.cuda if release else None


def decode_number(value: Any) -> Union[str, None]:
    """ "12.5.1" as it is; Windows wheels of 2.3 to 2.10 say "64_112" for 11.2 and "64_8" for 8 (matrix.json, K15)."""
    if not isinstance(value, str) or not value:
        return None
    if not value.startswith("64_"):
        return value
    digits = value[3:]
    return f"{digits[:-1]}.{digits[-1]}" if len(digits) >= 3 and digits.isdigit() else digits or None


def _config(host: Host, root: str) -> dict[str, Any]:
    """CUDA's versions out of cuda_config.h."""
    for name in _CONFIGS:
        data = host.read(f"{root}/{name}", 16384)
        if isinstance(data, bytes):
            return read_config(data)
    return {}


def read_config(data: bytes) -> dict[str, Any]:
    """The macros of cuda_config.h as build_info.py would name them."""
    values: dict[str, Any] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[0] == "#define" and words[1] in ("TF_CUDA_VERSION", "TF_CUDNN_VERSION"):
            text = words[2].strip().strip('"')
            if text:
                values["cuda_version" if words[1] == "TF_CUDA_VERSION" else "cudnn_version"] = text
    return values


def _objects(host: Host, root: str) -> Union[tuple[SharedObject, ...], Gap]:
    if host.flavour == "windows":
        return _modules(host, root)
    found = []
    for name in _OBJECTS:
        path = f"{root}/{name}"
        elf = host.elf(path)
        if isinstance(elf, Gap):
            return elf
        if isinstance(elf, Elf) and elf.defect is None:
            found.append(SharedObject(path, elf.needed, origin(elf.runpath, path), origin(elf.rpath, path)))
    return tuple(found)


def _modules(host: Host, root: str) -> Union[tuple[SharedObject, ...], Gap]:
    """Windows' extension module with all of TensorFlow in it; Windows knows nothing like a RUNPATH."""
    path = f"{root}/python/_pywrap_tensorflow_internal.pyd"
    header = host.pe(path)
    if isinstance(header, Gap):
        return header
    return (SharedObject(path, header.imports, (), ()),) if header is not None and header.defect is None else ()
