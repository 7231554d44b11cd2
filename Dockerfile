# An image with `interrogate`, the starter model and its index: docs/INSTALL.md.
#
#   docker build -t interrogate .                     with the starter's index
#   docker build -t interrogate --target program .    smaller: builds indexes when needed
#
# --build-arg COMMIT="$(git rev-parse HEAD)" names the commit in --version.

FROM rust:1.95-slim-bookworm AS build
# Python collects the licences of the crates; any version of it does.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG COMMIT=""
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    INTERROGATE_COMMIT="$COMMIT" CARGO_PROFILE_RELEASE_STRIP=symbols \
        cargo build --release --locked --workspace --bin interrogate \
    && packaging/image target/release dicts /image

# Nothing but the program and the C library: no shell, no package manager.
FROM scratch AS program
COPY --from=build /image/system /
COPY --from=build --chown=65532:65532 /image/user /
USER 65532:65532
WORKDIR /interrogate
ENV HOME=/interrogate HF_HOME=/interrogate/cache
ENTRYPOINT ["/usr/local/bin/interrogate"]
CMD ["--help"]

FROM program
COPY --from=build --chown=65532:65532 /image/index /interrogate/indexes
