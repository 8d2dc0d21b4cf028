"""What Keras 2 and 3 print: the backend, and the two majors in one another's way."""

from __future__ import annotations

from typing import Union

from gpucheck.logs.messages import Message
from gpucheck.logs.words import between, said

Values = Union[dict[str, str], None]
_OURS = ("tensorflow", "tf")


def _backend(text: str) -> Values:
    """Using Theano backend. / Using plaidml.keras.backend backend. / KERAS_BACKEND=torch / "backend": "theano"."""
    name = between(text, "Using ", " backend")
    if name is None and "KERAS_BACKEND" in text:
        rest = text.partition("KERAS_BACKEND")[2].lstrip("'\"])= :,")
        name = rest[: next((at for at, sign in enumerate(rest) if not sign.isalpha()), len(rest))]
    if name is None:
        rest = text.partition('"backend"')[2].lstrip(": ")
        name = rest[1:].partition(rest[0])[0] if rest[:1] in ("'", '"') else None
    if not name or " " in name or len(name) > 40:
        return None
    short = name.partition(".")[0].lower()
    if short not in ("theano", "cntk", "mxnet", "plaidml", "jax", "torch", "pytorch", "numpy", "openvino", *_OURS):
        return None
    return {"name": short}


def _mixed(text: str) -> Values:
    """Import errors between Keras and TensorFlow, and a model of Keras 3 that Keras 2 cannot read."""
    if "batch_shape" in text:
        return {} if "nrecognized keyword" in text else None
    if "KerasTensor cannot be used as input to a TensorFlow function" in text:
        return {}
    if "keras.Layer" in text:
        return {} if "can be added to a Sequential model" in text else None
    error = any(one in text for one in ("ModuleNotFoundError", "ImportError", "AttributeError", "No module named"))
    inner = any(
        one in text
        for one in (
            "keras.src",
            "keras.engine",
            "keras.api",
            "keras.saving",
            "keras.__internal__",
            "compat.v2.__internal__",
            "keras._tf_keras",
            "tensorflow.compat.v2",
            "keras.utils.generic_utils",
            "tensorflow.python.keras",
        )
    )
    return {} if error and inner and "No module named 'keras'" not in text else None


MESSAGES = (
    Message(
        "keras-backend",
        ("Using ", "KERAS_BACKEND", "backend"),
        _backend,
        "The backend that Keras computes with.",
        look=("cat ~/.keras/keras.json", "echo $KERAS_BACKEND"),
        source="keras/backend/__init__.py, 1.0 to 2.3; keras/src/backend/__init__.py, 3",
    ),
    Message(
        "legacy-keras-without-tf-keras",
        ("you do not have the tf_keras package installed", "TF_USE_LEGACY_KERAS set to True, but"),
        said,
        "TF_USE_LEGACY_KERAS is set (transformers sets it, for one), and the package tf_keras is not installed.",
        look=("pip list | grep -i keras", "echo $TF_USE_LEGACY_KERAS"),
        source="tensorflow/python/util/lazy_loader.py, 2.16 to 2.21",
    ),
    Message(
        "keras-3-not-supported",
        (
            "version of Keras is Keras 3",
            "is not supported in Keras 3",
            "Keras 3 only supports",
            "install tf_keras",
            "install the backwards-compatible tf-keras",
            "requires tf_keras",
            "tf-keras package",
        ),
        lambda text: {} if "eras 3" in text or "tf_keras" in text or "tf-keras" in text else None,
        "Code for Keras 2 met Keras 3, which comes with TensorFlow 2.16 and later.",
        look=("pip list | grep -i keras",),
        source="keras/src 3; transformers; tensorflow_probability; tensorflow_hub",
    ),
    Message(
        "keras-modules-mixed",
        (
            "No module named keras",
            "keras.src",
            "keras.engine",
            "keras.api._v2",
            "keras.saving",
            "keras.__internal__",
            "keras.utils.generic_utils",
            "batch_shape",
            "KerasTensor cannot be used",
            "compat.v2.__internal__",
            "keras.Layer",
            "keras._tf_keras",
            "tensorflow.compat.v2",
            "tensorflow.python.keras",
        ),
        _mixed,
        "Keras and TensorFlow are of releases that do not belong together.",
        look=("pip list | grep -iE 'keras|tensorflow'",),
        source="Python's import errors with keras 2.3 to 3",
    ),
)
