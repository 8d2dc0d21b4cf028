"""What Dockerfiles and compose files say. Made by gpucheck.containers; nothing is judged here.

A fact's source is always FILE:LINE. What the text leaves open (a build argument without a default) is a gap.
"""

from typing import NamedTuple, Union

from gpucheck.facts.gap import Gap


class Said(NamedTuple):
    """A piece of text and where it stands."""

    text: str
    source: str


class Setting(NamedTuple):
    """An environment variable that is set. Only names of compat.variables are kept: nothing secret gets in."""

    name: str
    value: str  # "${NAME}" stands where a part is not known
    source: str


class Package(NamedTuple):
    """Something that an installer is asked for."""

    tool: str  # "pip", "conda", "system" (apt, dnf, apk)
    name: str  # normalised, "$" at its end where the rest is not known
    extras: tuple[str, ...]
    wanted: Union[str, Gap]  # "==2.15.0", ">=2.10,<2.16", "": whatever there is
    python: str  # the Python that the command names ("3.11"), "": its default
    certain: bool  # False: in one branch of several, or under a condition that is not known here
    source: str


class Image(NamedTuple):
    """What the last stage of a Dockerfile makes, or an image as it is pulled (no packages, then)."""

    name: str  # for messages: "Dockerfile", "compose.yml: service trainer"
    reference: Union[str, Gap]  # the base image: "nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04"
    source: str  # of the FROM or image line
    note: str  # "by the default of ARG CUDA": what the reference rests on beside its line
    platform: str  # "linux/arm64", "": as the builder is
    settings: tuple[Setting, ...]  # in order; the last of a name counts
    packages: tuple[Package, ...]  # in order
    open: tuple[Said, ...]  # what may install more: a script or a list that is not here
    unused: tuple[Said, ...]  # base images of earlier stages that nothing is taken from
    marks: tuple[Said, ...]  # other lines with a word that matters: "cuda", "cudnn", "python", "stub-link"

    def setting(self, name: str) -> Union[Setting, None]:
        """The last setting of that name."""
        return next((one for one in reversed(self.settings) if one.name == name), None)

    def marked(self, word: str) -> Union[Said, None]:
        """The first mark of that word."""
        return next((one for one in self.marks if one.text == word), None)


class GpuRequest(NamedTuple):
    """One way in which a service asks for GPUs."""

    way: str  # "devices" (deploy.resources.reservations), "gpus", "cdi", "nodes" (/dev/nvidia0), "swarm"
    capabilities: Union[tuple[str, ...], None]  # None: not given
    driver: Union[str, None]
    number: Union[str, None]  # "all", "2"; None: not given
    ids: bool  # are there device_ids?
    source: str


class Service(NamedTuple):
    """One service of a compose file."""

    name: str
    source: str
    image: Union[Image, None, Gap]  # of its build, else of its image; None: it names neither (part of a whole)
    runtime: Union[Said, None]
    settings: tuple[Setting, ...]  # of `environment` and env_file
    unread: Union[str, None]  # an env_file that is not here
    requests: tuple[GpuRequest, ...]
    mistakes: tuple[Said, ...]  # keys that Compose refuses or ignores


class ContainerFile(NamedTuple):
    """One file that was given."""

    path: str  # "-": standard input
    kind: str  # "dockerfile", "compose"
    image: Union[Image, None]  # of a Dockerfile
    services: tuple[Service, ...]  # of a compose file
    notes: tuple[str, ...]  # what was not read: "include"


class Containers(NamedTuple):
    """Everything that the container files given say."""

    files: tuple[ContainerFile, ...]
