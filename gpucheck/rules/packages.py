"""Rules about the Python packages that TensorFlow hangs on: NumPy, protobuf, Keras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

from gpucheck.compat.keras import FIRST_WITH_KERAS_3, LEGACY_VALUES
from gpucheck.compat.keras import find as find_keras
from gpucheck.compat.tensorflow import find
from gpucheck.facts.gap import need
from gpucheck.facts.python import Distribution, Python
from gpucheck.facts.snapshot import Snapshot
from gpucheck.facts.versions import PackageVersion
from gpucheck.findings import Severity
from gpucheck.rules import fixes
from gpucheck.rules.engine import Found, found, rule
from gpucheck.rules.installed import broken_clause, by_conda, installed
from gpucheck.rules.recipes import pip, quoted
from gpucheck.rules.systems import on_windows

_NUMPY_2 = PackageVersion("2")
_FIRST_FOR_NUMPY_2 = PackageVersion("2.18")
_PROTOBUF_4 = PackageVersion("4")
# From protobuf 5.26 on, generated code refuses a runtime older than itself; TensorFlow's is that new from 2.20 on.
_FIRST_WITH_CHECKED_PROTOBUF = PackageVersion("2.20")
_FIRST_WITH_PROTOBUF_4 = PackageVersion("2.12")


def _tensorflow(python: Python) -> Union[PackageVersion, None]:
    """Version of a wheel; None also for conda's builds, which are made for what conda installs beside them."""
    build = need(python.tensorflow)
    if build is None:
        return None
    one = installed(python, build.distribution) if build.distribution else None
    return None if one is not None and by_conda(one) else need(build.version)


def _evidence(one: Distribution, version: PackageVersion) -> list[tuple[str, object, str]]:
    return [
        ("python.distributions", f"{one.name} {one.version}", one.location),
        ("python.tensorflow.version", version, "dist-info"),
    ]


@rule(Severity.ERROR)
def numpy2_abi_break(snapshot: Snapshot) -> Iterator[Found]:
    """TensorFlow was compiled for NumPy 1, and NumPy 2 is installed.

    ## What it means
    Releases before 2.18 were built against NumPy 1, whose binary interface NumPy 2 broke. Some of them have no upper
    bound on numpy (2.7 to 2.11 and 2.14.0), so that pip installs NumPy 2 today; or a newer one lies in ~/.local.

    ## Why it matters
    `import tensorflow` fails: "A module that was compiled using NumPy 1.x cannot be run in NumPy 2", or
    "_ARRAY_API not found", or the process crashes.

    ## How to fix
    Install numpy below 2 into this environment.

    ## References
    https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
    https://github.com/tensorflow/tensorflow/issues/102743
    """
    python = need(snapshot.python)
    version = _tensorflow(python)
    numpy = installed(python, "numpy")
    if version is None or numpy is None or version >= _FIRST_FOR_NUMPY_2 or numpy.version < _NUMPY_2:
        return
    row = find(str(version))
    bound = row.numpy if row and broken_clause(row.numpy, PackageVersion("2")) else "<2"
    yield found(
        f"TensorFlow {version} was compiled for NumPy 1, but numpy {numpy.version} is installed in {numpy.location}.",
        _evidence(numpy, version),
        [pip(snapshot, f"numpy{bound}")],
    )


@rule(Severity.WARNING)
def protobuf_incompatible(snapshot: Snapshot) -> Iterator[Found]:
    """The installed protobuf does not fit this TensorFlow.

    ## What it means
    The wheel's own requirement on protobuf is not met, or the release has no upper bound though protobuf 4 breaks it
    (up to 2.6.4, 2.7.2, 2.8.1 and 2.9.0). The newest TensorFlow takes protobuf 7.

    ## Why it matters
    Before 2.12, protobuf 4 and later end the import with "Descriptors cannot be created directly". From 2.20 on a
    protobuf older than the wheel's ends it with a VersionError. Other mismatches may work, or fail late: warnings.

    ## How to fix
    Install a protobuf within the bounds.

    ## References
    https://github.com/tensorflow/tensorflow/issues/56266
    https://protobuf.dev/support/cross-version-runtime-guarantee/
    """
    python = need(snapshot.python)
    version = _tensorflow(python)
    protobuf = installed(python, "protobuf")
    row = find(str(version)) if version else None
    if version is None or protobuf is None or row is None:
        return
    old = version < _FIRST_WITH_PROTOBUF_4
    bound = row.protobuf if "<" in row.protobuf or not old else f"{row.protobuf},<3.21"
    clause = broken_clause(row.protobuf, protobuf.version)
    breaks = old and protobuf.version >= _PROTOBUF_4
    if clause is None and not breaks:
        return
    fatal = breaks or (version >= _FIRST_WITH_CHECKED_PROTOBUF and clause is not None and clause.startswith(">="))
    yield found(
        f"TensorFlow {version} needs protobuf{bound}, but protobuf {protobuf.version} is installed in "
        f"{protobuf.location}.",
        [*_evidence(protobuf, version), ("compat.tensorflow.protobuf", bound, row.source)],
        [pip(snapshot, f"protobuf{bound}")],
        severity=Severity.ERROR if fatal else None,
    )


@rule(Severity.WARNING)
def keras_backend_not_tensorflow(snapshot: Snapshot) -> Iterator[Found]:
    """Keras is set to compute with something else than TensorFlow.

    ## What it means
    KERAS_BACKEND, or "backend" in keras.json where that is not set, names torch, jax or theano.

    ## Why it matters
    Keras' models then do not run in TensorFlow: its GPU setting, its memory options and its list of GPUs mean nothing
    to them.

    ## How to fix
    Set the backend to tensorflow, unless the other one is meant.

    ## References
    https://keras.io/getting_started/#configuring-your-backend
    https://github.com/lvapeab/nmt-keras/issues/68
    """
    python = need(snapshot.python)
    if need(python.tensorflow) is None or installed(python, "keras") is None:
        return
    variable = need(snapshot.environment).get("KERAS_BACKEND")
    if variable:
        chosen, fact, source = variable, "environment.KERAS_BACKEND", "the environment"
        lines = fixes.spoken(snapshot, ["export KERAS_BACKEND=tensorflow"])
    else:
        chosen, fact, source = need(python.keras_backend) or "", "python.keras_backend", python.keras_config or ""
        lines = (
            [f'# in {source}: "backend": "tensorflow"']
            if on_windows(snapshot)
            else [f'sed -i \'s/"backend": *"[a-z]*"/"backend": "tensorflow"/\' {quoted(source)}']
        )
    if chosen and chosen != "tensorflow":
        yield found(f"Keras computes with {chosen}, not with TensorFlow ({source}).", [(fact, chosen, source)], lines)


@rule(Severity.WARNING)
def keras2_keras3_mismatch(snapshot: Snapshot) -> Iterator[Found]:
    """Keras 2 and Keras 3 are mixed up.

    ## What it means
    Up to TensorFlow 2.15, tf.keras is Keras 2 of the same minor; from 2.16 on it is Keras 3, and Keras 2 is the package
    tf-keras of TensorFlow's own minor, switched on by TF_USE_LEGACY_KERAS=1. Here they do not fit.

    ## Why it matters
    `import tensorflow` works, and the first use of tf.keras raises an ImportError or an AttributeError.

    ## How to fix
    Install the Keras that this TensorFlow asks for, or tf-keras of its minor, or unset TF_USE_LEGACY_KERAS.

    ## References
    https://keras.io/guides/migrating_to_keras_3/
    https://github.com/huggingface/transformers/pull/40391
    """
    python = need(snapshot.python)
    version = _tensorflow(python)
    if version is None:
        return
    minor = f"{version.major}.{version.minor}"
    legacy = need(snapshot.environment).get("TF_USE_LEGACY_KERAS")
    if version >= FIRST_WITH_KERAS_3 and legacy in LEGACY_VALUES:
        yield from _legacy(snapshot, python, version, minor)
        return
    keras, pair = installed(python, "keras"), find_keras(version)
    if keras is None or pair is None or not pair.keras:
        return
    if broken_clause(pair.keras, keras.version):
        yield found(
            f"TensorFlow {version} takes keras{pair.keras}, but keras {keras.version} is in {keras.location}.",
            [*_evidence(keras, version), ("compat.keras", pair.keras, pair.source)],
            [pip(snapshot, f"keras{pair.keras}")],
        )


def _legacy(snapshot: Snapshot, python: Python, version: PackageVersion, minor: str) -> Iterator[Found]:
    value = need(snapshot.environment).get("TF_USE_LEGACY_KERAS")
    switch = ("environment.TF_USE_LEGACY_KERAS", value, "the environment")
    package = installed(python, "tf-keras")
    if package is None:
        yield found(
            f"TF_USE_LEGACY_KERAS is set, but tf-keras is not installed: tf.keras of TensorFlow {version} is unusable.",
            [switch, ("python.distributions", "tf-keras: not installed", "site-packages")],
            [pip(snapshot, f"tf-keras~={minor}.0"), "# or: unset TF_USE_LEGACY_KERAS"],
        )
    elif f"{package.version.major}.{package.version.minor}" != minor:
        yield found(
            f"TF_USE_LEGACY_KERAS is set, and tf-keras {package.version} does not belong to TensorFlow {version}.",
            [switch, *_evidence(package, version)],
            [pip(snapshot, f"tf-keras~={minor}.0")],
        )
