#!/usr/bin/env bash
# A Docker engine and a base image on a bare Debian machine, without any registry: docker/engine.sh, as root.
# What is there already is left as it is. The image dataguard-base:<release> has Debian's Python and pip, and comes from
# the mirrors that apt is configured with; DATAGUARD_BASE_IMAGE names it otherwise.
set -euo pipefail
say() { printf 'docker/engine.sh: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
answers() { docker version >/dev/null 2>&1; }

codename=$([ -r /etc/os-release ] && . /etc/os-release && echo "${VERSION_CODENAME:-}" || true)
image=${DATAGUARD_BASE_IMAGE:-dataguard-base:${codename:-base}}

install_missing() {
  local missing=() program package
  for program in "$@"; do
    package=${program#*=}
    command -v "${program%%=*}" >/dev/null || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "installing ${missing[*]} needs root"
  command -v apt-get >/dev/null || fail "there is no apt-get here to install ${missing[*]} with"
  # Packages would start their services, which on a machine without systemd fails or hangs.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  apt-get update -qq || say "apt-get update failed; the lists that are there are used"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Whether dockerd answers within 30 seconds; its arguments are given.
started() {
  local pid
  rm -f /var/run/docker.pid
  setsid dockerd "$@" >/var/log/dockerd.log 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do
    answers && return 0
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  kill "$pid"
  return 1
}

start_engine() {
  [ "$(id -u)" = 0 ] || fail "no engine answers, and starting one needs root"
  install_missing dockerd=docker.io docker=docker.io iptables=iptables
  started && return 0
  # Some kernels refuse iptables or bridges; containers without network need neither.
  started --iptables=false --ip6tables=false --bridge=none && { say "without bridge: this kernel refuses one"; return 0; }
  tail -n 5 /var/log/dockerd.log >&2
  fail "this machine runs no Docker engine: dockerd ends at once or does not answer; see /var/log/dockerd.log"
}

# The Debian archives that apt is configured with, one line each; those of others are left out.
mirrors() {
  apt-get indextargets --format '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    sed -n 's/^\(Debian\|Ubuntu\)|//p' | sort -u
}

make_image() {
  install_missing mmdebstrap=mmdebstrap
  [ -n "$codename" ] || fail "cannot tell this machine's release from /etc/os-release"
  local folder archive sources merged=/usr/share/mmdebstrap/hooks/merged-usr
  folder=$(mktemp -d)
  archive=$folder/base.tar
  mapfile -t sources < <(mirrors)
  # One moment for all files, so that the same packages make the same archive; nothing is gained by syncing each file.
  # Without usr-is-merged, a package that converts the layout brings 50 MB of Perl.
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000} mmdebstrap --quiet --variant=apt --hook-dir="$merged" \
    --include=usr-is-merged,python3,python3-pip,ca-certificates --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$codename" "$archive" "${sources[@]}"
  docker import --change "LABEL dataguard.archive=sha256:$(sha256sum "$archive" | cut -d' ' -f1)" \
    "$archive" "$image" >/dev/null
  rm -rf "$folder"
}

command -v docker >/dev/null && answers || start_engine
docker image inspect "$image" >/dev/null 2>&1 || make_image
say "$image is $(docker image inspect --format '{{.Id}}, from an archive of {{with .Config.Labels}}{{index . "dataguard.archive"}}{{end}}' "$image")"
