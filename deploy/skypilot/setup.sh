#!/usr/bin/env bash
# On each machine, once: Node where it is missing, and a built clone. Devices other than CPUs get ggml's libraries.
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/skypilot/node.sh

if ! command -v node >/dev/null; then
  case $(uname -m) in x86_64) machine=x64 ;; aarch64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
  mkdir -p "$NODE"
  curl -fsSL "https://nodejs.org/dist/v$NODE_VERSION/node-v$NODE_VERSION-linux-$machine.tar.xz" |
    tar -xJ --strip-components 1 -C "$NODE"
fi
./rhone -V
case ${RHONE_DEVICE:-CPU} in
  CUDA*) ./rhone device add cuda ;;
  Vulkan*) ./rhone device add vulkan ;;
esac
