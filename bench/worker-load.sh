#!/bin/sh
# worker-load.sh MODEL [TURNS]: how long one worker takes to load MODEL, what it then holds in memory, and at most held
# while it loaded and was timed: with Rhone's kernels and with ggml, in turn, TURNS times (3). Linux, on a quiet machine.
set -eu
model=$1 turns=${2:-3}
rhone=$(cd "$(dirname "$0")/.." && pwd)/rhone
folder=$(mktemp -d)
trap '"$rhone" down > /dev/null 2>&1 || true; rm -rf "$folder"' EXIT
cat "$model" > /dev/null # from here on the file comes from memory

report() { node -e '
const [home, kernels] = process.argv.slice(1);
const { readFileSync } = require("fs");
const read = (name) => readFileSync(`${home}/logs/${name}.log`, "utf8").split("\n").filter(Boolean).map(JSON.parse);
const timeOf = (lines, msg) => Date.parse(lines.find((line) => line.msg === msg).time);
const worker = read("worker-1"), { pid, weightBytes } = worker.find(({ msg }) => msg === "shard loaded");
const ms = timeOf(worker, "shard loaded") - timeOf(read("coordinator"), "loading shards");
const status = readFileSync(`/proc/${pid}/status`, "utf8");
const mb = (field) => (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]) / 1024).toFixed(1);
console.log(`${kernels.padEnd(5)} loaded in ${ms} ms; weights ${(weightBytes / 2 ** 20).toFixed(1)} MiB; ` +
  `resident ${mb("VmRSS")} MiB, without files ${mb("RssAnon")}, at most ${mb("VmHWM")}`);
' "$RHONE_HOME" "$1"; }

for turn in $(seq "$turns"); do
  for kernels in auto ggml; do
    export RHONE_HOME="$folder/$turn-$kernels"
    "$rhone" up --detach --port 0 --workers 1 --model "$model" --kernels $kernels > /dev/null
    report $kernels
    "$rhone" down > /dev/null
  done
done
