# landfall's image: docker build -t landfall .
# Needs BuildKit (docker 23 or later has it on) or buildah. Checked by scripts/image-check.

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-bookworm AS build
WORKDIR /src
# Over Cargo.toml's release profile: no symbols. Static libz, because the image would else depend on the one that happens to
# be in Debian's slim image.
ENV CARGO_PROFILE_RELEASE_DEBUG=none \
    CARGO_PROFILE_RELEASE_STRIP=symbols \
    LIBZ_SYS_STATIC=1
# The dependencies first, with empty sources: this layer stays valid until a manifest or Cargo.lock changes.
COPY Cargo.toml Cargo.lock ./
COPY crates/batch-queue/Cargo.toml crates/batch-queue/
COPY crates/bench/Cargo.toml crates/bench/
COPY crates/malloc/Cargo.toml crates/malloc/
COPY crates/metastore/Cargo.toml crates/metastore/
COPY crates/stack/Cargo.toml crates/stack/
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    mkdir src benches crates/batch-queue/src crates/bench/src crates/malloc/src crates/metastore/src crates/stack/src \
    && echo 'fn main() {}' > src/main.rs && cp src/main.rs crates/bench/src/ && cp src/main.rs benches/chain.rs \
    && touch src/lib.rs crates/batch-queue/src/lib.rs crates/malloc/src/lib.rs crates/metastore/src/lib.rs crates/stack/src/lib.rs \
    && cargo build --release --locked -p landfall
# Cargo compares times: the sources must be younger than what was built of the empty ones.
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    find . -name '*.rs' -exec touch {} + \
    && cargo build --release --locked -p landfall

FROM debian:bookworm-slim
# Nothing is installed. The binary needs only libc, libm and libgcc_s, which Debian's slim image has; time zones and OpenSSL are
# in the binary, and the authorities that TLS to Kafka trusts come from the build stage. For Kerberos to HDFS add libgssapi-krb5-2, which is loaded at run time.
RUN groupadd --gid 10001 landfall \
    && useradd --uid 10001 --gid landfall --no-create-home --home-dir /landfall --shell /usr/sbin/nologin --no-log-init landfall
# config/default.toml and migrations/ are looked for in the working directory. Mount others over them, or use --config
# and LANDFALL__* variables. With storage on HDFS nothing is written here: a read-only root file system will do.
WORKDIR /landfall
COPY config config
COPY migrations migrations
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/landfall /usr/local/bin/landfall
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="landfall" \
      org.opencontainers.image.description="Lands JSON events from Kafka in external Hive tables of Parquet on HDFS, each exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
# The daemon itself handles SIGTERM, also as process 1: it lands what it has read and ends with 0.
STOPSIGNAL SIGTERM
# Status page, metrics and probes: http.listen, which is the container's own loopback address unless told otherwise.
EXPOSE 8642
# Asks /livez of the daemon in the same container, with the configuration that the daemon has by default or from LANDFALL__*
# variables. Whether everything lands is another question: landfall probe readyz.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["landfall", "probe", "livez"]
ENTRYPOINT ["landfall"]
CMD ["run"]
