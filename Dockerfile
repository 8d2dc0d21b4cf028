# Does a container on this host get a GPU that TensorFlow computes on? gpucheck, and a TensorFlow of its own to try it with.
#
#   docker build --tag gpucheck .
#   docker run --rm --gpus all gpucheck                                    # gpucheck smoke
#   docker run --rm --gpus all gpucheck doctor --verbose
#   docker run --rm gpucheck smoke --simulate driver-version-mismatch      # see it go red, no GPU needed
#
# docs/integrations.md has a compose file, and the same for Kubernetes and Slurm.

FROM python:3.13.7-slim-bookworm@sha256:adafcc17694d715c905b4c7bebd96907a1fd5cf183395f0ebc4d3428bd22d92d AS gpucheck
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY gpucheck ./gpucheck
RUN python -m venv /opt/gpucheck \
    && /opt/gpucheck/bin/python -m pip install --no-cache-dir --disable-pip-version-check .

FROM python:3.13.7-slim-bookworm@sha256:adafcc17694d715c905b4c7bebd96907a1fd5cf183395f0ebc4d3428bd22d92d
COPY --from=gpucheck /opt/gpucheck /opt/gpucheck
# The release that fits the newest driver; another: --build-arg TENSORFLOW='tensorflow[and-cuda]==2.18.1'.
ARG TENSORFLOW="tensorflow[and-cuda]"
# One layer: what was downloaded is not kept. --yes: nobody can be asked.
RUN XDG_CACHE_HOME=/tmp/cache UV_CACHE_DIR=/tmp/cache/uv \
    /opt/gpucheck/bin/gpucheck install "${TENSORFLOW}" --env /opt/tensorflow --yes \
    && rm -rf /tmp/cache \
    && useradd --create-home --uid 10001 gpucheck

# What NVIDIA's container toolkit is to pass in: all GPUs, libcuda (compute), NVML and nvidia-smi (utility).
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    VIRTUAL_ENV=/opt/tensorflow \
    PATH=/opt/gpucheck/bin:$PATH
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 10001
WORKDIR /home/gpucheck
# It answers once and ends: there is no service to ask.
HEALTHCHECK NONE
ENTRYPOINT ["gpucheck"]
CMD ["smoke"]
