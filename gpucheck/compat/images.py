"""Base images: what their tags say, and what NVIDIA's own build files put into them. Rows and look-up only.

Tags of nvidia/cuda: CUDA[-cudnnN]-base|runtime|devel[-SYSTEM]; from 12.4.1 on "-cudnn" without a number. `base` holds
libcudart alone, `runtime` cuBLAS, cuFFT, cuSOLVER and cuSPARSE too, `devel` also nvcc and the stubs; cuDNN is there
only where the tag says so. (gitlab.com/nvidia/container-images/cuda, dist/ and doc/supported-tags.md.)
"""

from __future__ import annotations

from typing import NamedTuple

DIST = "gitlab.com/nvidia/container-images/cuda, dist/"
DIST_QUOTED = f"{DIST} as quoted by files that extend it"


class CudaImage(NamedTuple):
    """The cuDNN in nvidia/cuda's tags of one CUDA. least, most: rebuilt tags and other systems have differed."""

    cuda: str
    cudnn: str  # the tag's own word: "cudnn8", "cudnn"
    least: str
    most: str
    source: str = DIST


CUDNN: tuple[CudaImage, ...] = (
    CudaImage("8.0", "cudnn5", "5.1.10", "5.1.10"),
    CudaImage("8.0", "cudnn6", "6.0.21", "6.0.21"),
    CudaImage("8.0", "cudnn7", "7.1.2", "7.2.1"),
    CudaImage("9.0", "cudnn7", "7.6.4", "7.6.5"),
    CudaImage("9.1", "cudnn7", "7.1.2", "7.1.2"),
    CudaImage("9.2", "cudnn7", "7.6.5", "7.6.5"),
    CudaImage("10.0", "cudnn7", "7.6.5", "7.6.5"),
    CudaImage("10.1", "cudnn7", "7.6.5", "7.6.5"),
    CudaImage("10.1", "cudnn8", "8.0.5", "8.0.5"),
    CudaImage("10.2", "cudnn7", "7.6.5", "7.6.5"),
    CudaImage("10.2", "cudnn8", "8.3.1", "8.6.0"),
    CudaImage("11.0.3", "cudnn8", "8.0.5", "8.0.5"),
    CudaImage("11.1.1", "cudnn8", "8.0.5", "8.0.5"),
    CudaImage("11.2.0", "cudnn8", "8.1.1", "8.1.1"),
    CudaImage("11.2.1", "cudnn8", "8.1.1", "8.1.1"),
    CudaImage("11.2.2", "cudnn8", "8.1.1", "8.1.1"),
    CudaImage("11.3.0", "cudnn8", "8.2.0", "8.2.0"),
    CudaImage("11.3.1", "cudnn8", "8.2.1", "8.2.1"),
    CudaImage("11.4.0", "cudnn8", "8.2.4", "8.2.4"),
    CudaImage("11.4.1", "cudnn8", "8.2.4", "8.2.4"),
    CudaImage("11.4.2", "cudnn8", "8.2.4", "8.2.4"),
    CudaImage("11.4.3", "cudnn8", "8.2.4", "8.2.4"),
    CudaImage("11.5.0", "cudnn8", "8.3.1", "8.3.3"),
    CudaImage("11.5.1", "cudnn8", "8.3.1", "8.3.3"),
    CudaImage("11.5.2", "cudnn8", "8.3.3", "8.3.3"),
    CudaImage("11.6.0", "cudnn8", "8.4.0", "8.4.0"),
    CudaImage("11.6.1", "cudnn8", "8.4.0", "8.4.0"),
    CudaImage("11.6.2", "cudnn8", "8.4.0", "8.4.0"),
    CudaImage("11.7.0", "cudnn8", "8.5.0", "8.5.0"),
    CudaImage("11.7.1", "cudnn8", "8.5.0", "8.5.0"),
    CudaImage("11.8.0", "cudnn8", "8.6.0", "8.9.6"),
    CudaImage("12.0.0", "cudnn8", "8.8.0", "8.8.0"),
    CudaImage("12.0.1", "cudnn8", "8.8.0", "8.8.0"),
    CudaImage("12.1.0", "cudnn8", "8.9.0", "8.9.0"),
    CudaImage("12.1.1", "cudnn8", "8.9.0", "8.9.0"),
    CudaImage("12.2.2", "cudnn8", "8.9.6", "8.9.6"),
    CudaImage("12.3.2", "cudnn9", "9.0.0", "9.0.0"),
    CudaImage("12.4.1", "cudnn", "9.1.0", "9.1.0"),
    CudaImage("12.5.1", "cudnn", "9.2.1", "9.2.1"),
    CudaImage("12.6.0", "cudnn", "9.3.0", "9.3.0"),
    CudaImage("12.6.1", "cudnn", "9.3.0", "9.3.0"),
    CudaImage("12.6.2", "cudnn", "9.5.0", "9.5.0"),
    CudaImage("12.6.3", "cudnn", "9.5.1", "9.5.1"),
    CudaImage("12.8.0", "cudnn", "9.7.0", "9.7.0", DIST_QUOTED),
    CudaImage("12.8.1", "cudnn", "9.8.0", "9.8.0", DIST_QUOTED),
)


class System(NamedTuple):
    """A distribution as tags name it. glibc: "" for musl. python: of its package python3, "" where it has none."""

    names: tuple[str, ...]
    glibc: str
    python: str
    source: str = "the distribution's packages libc6 (glibc) and python3"


SYSTEMS: tuple[System, ...] = (
    System(("ubuntu16.04", "xenial"), "2.23", "3.5"),
    System(("ubuntu18.04", "bionic"), "2.27", "3.6"),
    System(("ubuntu20.04", "focal"), "2.31", "3.8"),
    System(("ubuntu22.04", "jammy"), "2.35", "3.10"),
    System(("ubuntu24.04", "noble"), "2.39", "3.12"),
    System(("debian9", "stretch"), "2.24", "3.5"),
    System(("debian10", "buster"), "2.28", "3.7"),
    System(("debian11", "bullseye"), "2.31", "3.9"),
    System(("debian12", "bookworm"), "2.36", "3.11"),
    System(("debian13", "trixie"), "2.41", "3.13"),
    System(("centos7", "ubi7"), "2.17", "3.6"),
    System(("centos8", "ubi8", "rockylinux8", "almalinux8"), "2.28", "3.6"),
    System(("ubi9", "rockylinux9", "almalinux9"), "2.34", "3.9"),
    System(("alpine",), "", ""),
)


class NgcImage(NamedTuple):
    """A release of nvcr.io/nvidia/tensorflow. driver: what its release notes ask for, data-centre GPUs apart."""

    release: str
    cuda: str
    cudnn: str
    python: str
    driver: str
    source: str


_NOTES = "docs.nvidia.com/deeplearning/frameworks/tensorflow-release-notes/"

NGC: tuple[NgcImage, ...] = (
    NgcImage("20.03", "10.2", "7.6.5", "3.6", "440.33.01", f"{_NOTES}rel_20-03.html"),
    NgcImage("20.10", "11.1", "8.0.4", "3.6", "455", f"{_NOTES}rel_20-10.html"),
    NgcImage("21.04", "11.3", "8.2.0", "3.8", "465.19.01", f"{_NOTES}rel_21-04.html"),
    NgcImage("21.05", "11.3", "8.2.0", "3.8", "465.19.01", f"{_NOTES}rel_21-05.html"),
    NgcImage("21.06", "11.3", "8.2.1", "3.8", "465.19.01", f"{_NOTES}rel_21-06.html"),
    NgcImage("21.10", "11.4", "8.2.4", "3.8", "470", f"{_NOTES}rel_21-10.html"),
    NgcImage("22.10", "11.8", "", "", "520", f"{_NOTES}rel-22-10.html"),
    NgcImage("23.01", "12.0", "", "", "525", f"{_NOTES}rel-23-01.html"),
)

# Docker's official images (hub.docker.com/_/NAME) that hold neither CUDA nor a framework.
PLAIN = (
    *("adminer", "busybox", "caddy", "cassandra", "clickhouse", "consul", "couchdb", "eclipse-mosquitto"),
    *("elasticsearch", "gcc", "golang", "gradle", "grafana", "haproxy", "httpd", "influxdb", "kibana", "logstash"),
    *("mariadb", "maven", "memcached", "mongo", "mongo-express", "mysql", "nats", "neo4j", "nextcloud", "nginx"),
    *("node", "openjdk", "eclipse-temurin", "perl", "php", "phpmyadmin", "postgres", "rabbitmq", "redis", "registry"),
    *("ruby", "rust", "scratch", "swift", "telegraf", "tomcat", "traefik", "vault", "wordpress", "zookeeper"),
    *("bitnami/redis", "bitnami/postgresql", "confluentinc/cp-kafka", "confluentinc/cp-zookeeper", "minio/minio"),
    *("grafana/grafana", "prom/prometheus", "prom/node-exporter", "portainer/portainer-ce", "dpage/pgadmin4"),
    *("redis/redis-stack", "valkey/valkey", "pgvector/pgvector", "timescale/timescaledb", "qdrant/qdrant"),
)

# Images with conda and no TensorFlow, whatever their tag.
CONDA = (
    *("continuumio/miniconda3", "continuumio/anaconda3", "condaforge/miniforge3", "condaforge/mambaforge"),
    *("mambaorg/micromamba", "condaforge/miniforge-pypy3"),
)


def cudnn_of(cuda: str, word: str) -> tuple[CudaImage, ...]:
    """The rows of a tag: of "11.2.2" exactly, of "11.2" every update of it. () where none is known."""
    mine = [row for row in CUDNN if row.cudnn == word]
    exact = tuple(row for row in mine if row.cuda == cuda)
    # A tag with the whole number means that one update; 8.0 to 10.2 have no third part.
    return exact or tuple(row for row in mine if cuda.count(".") == 1 and row.cuda.startswith(f"{cuda}."))


def system(tag: str) -> System | None:
    """The system that a tag (or a part of one) names."""
    words = tag.lower().split("-")
    for row in SYSTEMS:
        for name in row.names:
            # "alpine" comes with a version: python:3.11-alpine3.19.
            if name in words or (not row.glibc and any(word.startswith(name) for word in words)):
                return row
    return None


def ngc(release: str) -> NgcImage | None:
    """The row of a release ("23.01")."""
    return next((row for row in NGC if row.release == release), None)
