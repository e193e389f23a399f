#!/bin/sh
# A batch of LINES lines (10,000) on Breeze, with kill -9 of the gateway and of the coordinator in the middle. Prints the time, and
# how many lines and how many distinct custom_ids the output and the error file have together: all three must be LINES.
set -eu
lines=${1:-10000}
rhone=$(cd "$(dirname "$0")/.." && pwd)/rhone
folder=$(mktemp -d)
export RHONE_HOME="$folder/home"
trap '"$rhone" down >&2 || true; rm -rf "$folder"' EXIT

# Each tenth line asks for a temperature that no request may have.
node -e '
const [lines] = process.argv.slice(1);
for (let index = 0; index < lines; index++) {
  const messages = [{ role: "user", content: `What is the capital of France? ${index}` }];
  const body = { messages, max_tokens: 16, ignore_eos: true, temperature: index % 10 === 3 ? -1 : 0 };
  console.log(JSON.stringify({ custom_id: `line-${index}`, method: "POST", url: "/v1/chat/completions", body }));
}' "$lines" > "$folder/in.jsonl"

field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8'))$1"; }
pid_of() { field ".services.find(({ name }) => name === '$1').pid" < "$RHONE_HOME/run/cluster.json"; }
answered() { "$rhone" batch status "$batch" --json 2> /dev/null | field ".request_counts.completed" 2> /dev/null || echo 0; }
kill_at() {
  while [ "$(answered)" -lt "$2" ]; do sleep 1; done
  echo "kill -9 $1 after $(answered) lines"
  kill -9 "$(pid_of "$1")"
}

"$rhone" up --detach --port 0 --workers 2 > "$folder/up.log"
started=$(date +%s)
batch=$("$rhone" batch submit "$folder/in.jsonl" --json | field .id)
kill_at gateway $((lines * 3 / 10))
kill_at coordinator $((lines * 6 / 10))
"$rhone" batch wait "$batch" > "$folder/wait.log" 2> /dev/null
echo "$(($(date +%s) - started)) s"
"$rhone" batch download "$batch" > "$folder/out.jsonl"
"$rhone" batch download "$batch" --errors > "$folder/errors.jsonl"
for file in out errors; do echo "$file: $(wc -l < "$folder/$file.jsonl") lines"; done
cat "$folder/out.jsonl" "$folder/errors.jsonl" | grep -o '"custom_id":"[^"]*"' > "$folder/ids"
echo "together: $(wc -l < "$folder/ids") lines, $(sort -u "$folder/ids" | wc -l) distinct custom_ids, $(sort "$folder/ids" | uniq -d | wc -l) twice"
