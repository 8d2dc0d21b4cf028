"""What `--with NAME` means: names of the guide and of daily life, as requirements. Look-up only.

Versions are left to the resolver, which fits them to this Python and TensorFlow; Keras is never pinned here, because
TensorFlow's own requirement and the Python decide it (compat/keras.py).
"""

from __future__ import annotations

from typing import NamedTuple, Union


class Extra(NamedTuple):
    """One name.

    requirements: distributions. by_name: one of them requires the distribution `tensorflow` under that very name, so
    that tensorflow-cpu would not do. note: what a user should know, "" if nothing.
    """

    name: str
    requirements: tuple[str, ...]
    note: str = ""
    by_name: bool = False


EXTRAS: tuple[Extra, ...] = (
    Extra("jupyter", ("jupyterlab", "ipykernel"), "a kernel of this environment is registered"),
    Extra("jupyterlab", ("jupyterlab", "ipykernel"), "a kernel of this environment is registered"),
    Extra("notebook", ("notebook", "ipykernel"), "a kernel of this environment is registered"),
    Extra("scipy", ("scipy",)),
    Extra("pandas", ("pandas",)),
    Extra("matplotlib", ("matplotlib",)),
    Extra("seaborn", ("seaborn",)),
    Extra("scikit-learn", ("scikit-learn",)),
    Extra("pillow", ("pillow",)),
    Extra("opencv", ("opencv-python-headless",), "without windows; ask for opencv-python to have them"),
    Extra("h5py", ("h5py",)),
    Extra("pydot", ("pydot",), "keras.utils.plot_model also needs the program dot (Graphviz), which is not Python's"),
    # From 2.21 on it is no longer among TensorFlow's own requirements (K14).
    Extra("tensorboard", ("tensorboard",)),
    # TensorFlow requires the Keras that fits, from 2.6 on; before that it is tf.keras.
    Extra("keras", (), "TensorFlow brings the Keras that fits this Python"),
    Extra("keras-hub", ("keras-hub",), by_name=True),
    Extra("keras-nlp", ("keras-hub",), "keras-nlp is called keras-hub today", by_name=True),
    Extra("keras-cv", ("keras-cv",), "its development has ended: keras-hub goes on"),
    Extra("keras-tuner", ("keras-tuner",)),
    Extra("tf-keras", ("tf-keras",), "Keras 2: set TF_USE_LEGACY_KERAS=1", by_name=True),
    Extra("tensorflow-datasets", ("tensorflow-datasets",)),
    Extra("tensorflow-hub", ("tensorflow-hub",), by_name=True),
    Extra("tensorflow-text", ("tensorflow-text",), by_name=True),
    Extra("tensorflow-probability", ("tensorflow-probability",)),
)

# Those that bring a kernel to register.
WITH_KERNEL = ("jupyter", "jupyterlab", "notebook", "ipykernel")


def find(name: str) -> Union[Extra, None]:
    """The row of a (normalised) name; None: it is a distribution's own name."""
    return next((row for row in EXTRAS if row.name == name), None)
