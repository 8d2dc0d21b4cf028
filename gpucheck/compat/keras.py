"""Which Keras each TensorFlow minor takes, and how Keras 2 is kept on later ones. Look-up only."""

from __future__ import annotations

from typing import NamedTuple, Union

from gpucheck.facts.versions import PackageVersion


class KerasPair(NamedTuple):
    """keras: the requirement in the wheel's METADATA, "" where Keras lies inside tensorflow."""

    tensorflow: str
    keras: str
    source: str


PAIRS: tuple[KerasPair, ...] = (
    KerasPair("1.4", "", "RELEASE.md of 1.4; no requirement on keras before 2.6"),
    KerasPair("2.6", ">=2.6.0,<2.7", "METADATA of 2.6.2 (2.6.0 and 2.6.1 say ~=2.6)"),
    KerasPair("2.7", ">=2.7.0rc0,<2.8", "METADATA of 2.7.4"),
    KerasPair("2.8", ">=2.8.0rc0,<2.9", "METADATA of 2.8.4"),
    KerasPair("2.9", ">=2.9.0rc0,<2.10.0", "METADATA of 2.9.3"),
    KerasPair("2.10", ">=2.10.0,<2.11", "METADATA of 2.10.1"),
    KerasPair("2.11", ">=2.11.0,<2.12", "METADATA of 2.11.1"),
    KerasPair("2.12", ">=2.12.0,<2.13", "METADATA of 2.12.1"),
    KerasPair("2.13", ">=2.13.1,<2.14", "METADATA of 2.13.1"),
    KerasPair("2.14", ">=2.14.0,<2.15", "METADATA of 2.14.1"),
    KerasPair("2.15", ">=2.15.0,<2.16", "METADATA of 2.15.1"),
    KerasPair("2.16", ">=3.0.0", "METADATA of 2.16.2"),
    KerasPair("2.17", ">=3.2.0", "METADATA of 2.17.1"),
    KerasPair("2.18", ">=3.5.0", "METADATA of 2.18.1"),
    KerasPair("2.19", ">=3.5.0", "METADATA of 2.19.1"),
    KerasPair("2.20", ">=3.10.0", "METADATA of 2.20.0"),
    KerasPair("2.21", ">=3.12.0", "METADATA of 2.21.0"),
)

# From here on tf.keras is Keras 3; Keras 2 is the package tf-keras of TensorFlow's own minor, switched on by
# TF_USE_LEGACY_KERAS (RELEASE notes of 2.16; METADATA of tf-keras).
FIRST_WITH_KERAS_3 = PackageVersion("2.16")
# tensorflow/__init__.py: only these spellings switch it on.
LEGACY_VALUES = ("true", "True", "1")


def find(tensorflow: PackageVersion) -> Union[KerasPair, None]:
    """The row of this TensorFlow's minor, ``None`` for one that the table does not know."""
    minor = f"{tensorflow.major}.{tensorflow.minor}"
    return next((row for row in PAIRS if row.tensorflow == minor), None)
