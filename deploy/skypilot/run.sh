#!/usr/bin/env bash
# On each machine. The first one is coordinator, gateway and worker; the others are workers, whose layers come from it.
# All have the authority's key, so each issues its own certificate and needs no token of the first.
set -euo pipefail
cd "$(dirname "$0")/../.."
source deploy/skypilot/node.sh

mapfile -t addresses <<<"$SKYPILOT_NODE_IPS"
head=${addresses[0]}
own=${addresses[$SKYPILOT_NODE_RANK]}
data=${RHONE_HOME:-$HOME/.rhone}
identity=$data/sky
umask 077
mkdir -p "$data/authority" "$identity"
# Processes inherit no secret: what they need of these is in files.
authority=$RHONE_AUTHORITY key=$RHONE_API_KEY
unset RHONE_AUTHORITY RHONE_API_KEY

if [ "$SKYPILOT_NODE_RANK" = 0 ]; then
  base64 -d <<<"$authority" >"$data/authority/ca-key.pem"
  printf '%s' "$key" >"$identity/api-key"
  if [ "$RHONE_MODEL" != breeze ]; then ./rhone model pull "$RHONE_MODEL"; fi
  ./rhone up --listen "$head" --host 0.0.0.0 --auth keys --model "$RHONE_MODEL" --device "${RHONE_DEVICE:-CPU}" \
    --workers 1 &
  cluster=$!
  trap 'kill -TERM $cluster 2>/dev/null; wait $cluster' TERM INT
  until ./rhone keys create sky --secret-file "$identity/api-key" 2>"$identity/key.log"; do
    kill -0 $cluster || { wait $cluster; exit; }
    # Redis is not there yet, or the secret is none: the log of the machine tells which.
    cat "$identity/key.log"
    sleep 2
  done
  cat "$identity/key.log"
  wait $cluster
  exit
fi

base64 -d <<<"$authority" >"$identity/authority.pem"
sed -n "/BEGIN CERTIFICATE/,/END CERTIFICATE/p" "$identity/authority.pem" >"$identity/authority.crt"
./rhone certificate --ca "$identity/authority.crt" --ca-key "$identity/authority.pem" --as worker \
  --name "node-$SKYPILOT_NODE_RANK" --life 365d --out "$identity"
rm "$identity/authority.pem"
export RHONE_TLS_CA=$identity/ca.crt RHONE_TLS_CERT=$identity/tls.crt RHONE_TLS_KEY=$identity/tls.key
# A worker waits for the coordinator, joins it again by itself, and is started again if it ends.
trap 'kill -TERM $worker 2>/dev/null; wait $worker; exit' TERM INT
while true; do
  ./rhone shard-worker --coordinator "$head:7110" --host 0.0.0.0 --advertise-host "$own" --port 7200 --ops-port 7201 \
    --device "${RHONE_DEVICE:-CPU}" --weights-dir "$data/weights" &
  worker=$!
  if wait $worker; then exit; fi
  sleep 2
done
