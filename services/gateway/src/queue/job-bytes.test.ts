import { packBias } from "@rhone/common";
import { expect, it } from "vitest";
import { testJob } from "../testing/events.js";
import { jobBytes } from "./job-bytes.js";

const job = testJob();
const constraint = { grammar: 'root ::= "\u0002"'.repeat(500), trigger: null, otherwise: null };
const tokens = Int32Array.from({ length: 5000 }, (_, id) => id);

it.each<[string, Partial<typeof job>]>([
  ["nothing large", {}],
  ["stop texts of control characters, six bytes each", { stop: ["\u0001".repeat(4095)] }],
  ["stop texts of several bytes a character", { stop: ["語".repeat(2000), "🌊".repeat(1000), '"\\'.repeat(1000)] }],
  ["stop texts of line ends and tabs", { stop: ["\n\t\r\b\f\u0000".repeat(600)] }],
  ["a long prompt", { promptIds: Array.from({ length: 12_000 }, (_, id) => id) }],
  ["a grammar", { constraint }],
  ["biases", { sampling: { ...job.sampling, logitBias: packBias({ tokens, values: new Float32Array(5000) }) } }],
])("a job with %s has the bytes of its JSON, up to a kilobyte of other fields", (_, changes) => {
  const changed = { ...job, ...changes };
  const bytes = Buffer.byteLength(JSON.stringify(changed));
  expect(jobBytes(changed)).toBeGreaterThanOrEqual(bytes);
  expect(jobBytes(changed)).toBeLessThan(bytes + 1024);
});

it("counts no less than the six bytes of a lone surrogate", () => {
  const changed = { ...job, stop: ["\ud800".repeat(4000)] };
  expect(jobBytes(changed)).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(changed)));
});

it("counts a part that many jobs share once", () => {
  let reads = 0;
  const stop = new Proxy(["\n"], {
    get(list, key) {
      if (key === "0") reads++;
      return Reflect.get(list, key);
    },
  });
  for (let sample = 0; sample < 20; sample++) jobBytes({ ...job, stop });
  expect(reads).toBe(1);
});
