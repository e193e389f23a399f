#!/bin/sh
# Runs redis-server with the given arguments, wakes it when it misses a ping, in case it was stopped, and kills it when it
# has answered none for RHONE_HUNG_AFTER (10) seconds, so that the container ends and is restarted. An error is an answer:
# a server that loads its file is alive.
# Nothing acknowledged is lost by kill -9: Redis hands each write of the append-only file to the system before it answers.
server= isEnding=
trap 'isEnding=1; [ -z "$server" ] || kill -TERM $server' TERM INT
redis-server "$@" &
server=$!
[ -z "$isEnding" ] || kill -TERM $server # asked before there was anything to ask

missed=0
while kill -0 $server 2>/dev/null; do
  sleep 1 &
  wait $! # a trap ends a wait at once, but not a sleep
  if timeout 1 redis-cli ping >/dev/null 2>&1; then missed=0; else
    missed=$((missed + 2))
    kill -CONT $server
  fi
  if [ $missed -ge "${RHONE_HUNG_AFTER:-10}" ]; then
    echo "redis-server has answered no ping for $missed s; it is killed" >&2
    kill -KILL $server
    break
  fi
done
wait $server
