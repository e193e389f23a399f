import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import type { Attack } from "./attack.js";
import { range } from "./range.js";
import type { Outgoing } from "./sender.js";

const COMPLETIONS = "/v1/completions";
const MB = 1e6;

const zipped = (bytes: Buffer): Outgoing => ({
  path: COMPLETIONS,
  headers: { "content-encoding": "gzip" },
  body: bytes,
});

/** Blanks, in a thousandth of their bytes. In a thread: answers are read meanwhile. */
const bomb = (bytes: number): Promise<Buffer> => promisify(gzip)(Buffer.alloc(bytes, " "));

const small = JSON.stringify({ prompt: "x", temperature: 9 });

/** Bodies in gzip, paths that no endpoint has, and methods that ask for little. */
export const ARRIVAL_ATTACKS: readonly Attack[] = [
  {
    name: "gzip-bombs",
    description: "six bodies of 50 MB in 50 KB of gzip at once",
    isQuick: true,
    send: async (sender) => {
      const body = await bomb(50 * MB);
      return sender.repeat(6, () => zipped(body));
    },
  },
  {
    name: "gzip-broken",
    description: "300 bodies in gzip that are gzip again, break off, or are of 20,000 empty parts",
    send: async (sender) => {
      const twice = gzipSync(await bomb(7 * MB));
      const whole = gzipSync(`{"prompt":"${range(20_000, (i) => `${i * 7919}`).join(" ")}"}`);
      const empty = gzipSync("");
      const members = Buffer.concat([...range(20_000, () => empty), gzipSync(small)]);
      const bodies = [twice, whole.subarray(0, -20), members];
      return sender.repeat(300, (i) => zipped(bodies[i % 3] ?? twice));
    },
  },
  {
    name: "paths-unknown",
    description: "5,000 paths of 200 characters that no endpoint has, and 500 of 12 KB",
    isQuick: true,
    send: async (sender) => [
      ...(await sender.repeat(5000, (i) => ({
        path: `/v1/${i}/respons/${"cancel/inputitems".repeat(11)}`.slice(0, 200),
      }))),
      ...(await sender.repeat(500, (i) => ({ path: `/${i}${"x/".repeat(6000)}` }))),
    ],
  },
  {
    name: "methods-many",
    description: "4,000 OPTIONS and HEAD of paths that exist or do not, and 1,000 bodies that ask to go on first",
    send: async (sender) => [
      ...(await sender.repeat(4000, (i) => ({
        method: i % 2 === 0 ? "OPTIONS" : "HEAD",
        path: i % 3 === 0 ? `/v1/nothing/${i}` : "/v1/models",
      }))),
      ...(await sender.repeat(1000, () => ({ path: COMPLETIONS, headers: { expect: "100-continue" }, body: small }))),
    ],
  },
];
