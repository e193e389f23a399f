// A fake shard-worker: tells the standings in RHONE_FAKE_WORKER (JSON), and keeps a journal.
import { appendFileSync } from "node:fs";

const { standings, journal } = JSON.parse(process.env.RHONE_FAKE_WORKER);
const note = (word) => appendFileSync(journal, `${word}\n`);
process.once("SIGTERM", () => {
  note("left");
  process.exit(0);
});
process.once("disconnect", () => process.exit(0));
note(process.argv.slice(2).join(" "));
process.send({ kind: "listening", service: "shard-worker", addresses: { grpc: "127.0.0.1:1", ops: "127.0.0.1:2" } });
for (const standing of standings)
  process.send({ kind: "standing", preparing: null, loadedBytes: 0, totalBytes: 0, ...standing });
setInterval(() => {}, 1000);
