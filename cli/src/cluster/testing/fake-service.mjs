// A fake service of a cluster. Its role is the name of the file that it was copied to (see fake-cluster.ts); plan.json
// beside it says what shall happen to it, and `journal` there records what does.
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { basename, dirname, join } from "node:path";

const role = basename(process.argv[1], ".mjs");
const folder = dirname(process.argv[1]);
const plan = JSON.parse(readFileSync(join(folder, "plan.json"), "utf8"));
const note = (word) => appendFileSync(join(folder, "journal"), `${word} ${role}\n`);

let asked = 0;
function status() {
  const states = plan.states ?? ["waiting_for_workers", "loading", "probing", "ready"];
  const state = states[Math.min(asked++, states.length - 1)];
  const reason = state === "failed" ? "NOT_ENOUGH_MEMORY: 9 GB are needed, 8 GB are free." : null;
  return { ...plan.status, state, reason };
}

if (plan.fatal === role) {
  process.send({ kind: "fatal", code: "DEVICE_NOT_FOUND", message: 'No device is called "CUDA9".' }, () =>
    process.exit(1),
  );
} else {
  process.once("SIGTERM", () => {
    if (plan.stubborn === role) return;
    note("stopped");
    process.exit(0);
  });
  process.once("disconnect", () => process.exit(0));
  const server = createServer((request, response) => {
    if (plan.asksForKeys && request.url === "/v1/models") response.statusCode = 401;
    response.end(JSON.stringify(request.url === "/status" ? status() : {}));
  });
  const wanted = Number(process.argv[process.argv.indexOf("--port") + 1] || 0);
  server.listen(role === "gateway" ? wanted : 0, "127.0.0.1", () => {
    const address = `127.0.0.1:${server.address().port}`;
    note("started");
    process.send({ kind: "listening", service: role, addresses: { grpc: address, ops: address, http: address } });
    if (plan.dies === role) setTimeout(() => process.exit(3), 50);
  });
}
