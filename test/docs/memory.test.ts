import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const read = (file: string): string => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");

const settings = read("docs/settings.md");
const composition = read("docker-compose.yml");
const MiB = 2 ** 20;
const GATEWAYS = 2;
const LANES = 2;
/** Choices up to this size are bounded by number. */
const SMALL_BYTES = 16 * 1024;

const defaultOf = (flag: string): number =>
  Number(new RegExp(`\\| \`${flag}\` +\\|[^|]*\\| +(\\d+)`).exec(settings)?.[1]);

/** The memory limit of the composition's service, in bytes. */
function limitOf(service: string): number {
  const at = composition.indexOf(`\n${service}:`);
  const [, digits, unit] = /\n +memory: (\d+)([mg])\n/.exec(composition.slice(at)) ?? [];
  return Number(digits) * (unit === "g" ? 1024 : 1) * MiB;
}

test("the composition's Redis has room for all that clients may make it keep", () => {
  const shared = ["--stream-record-bytes", "--idempotency-bytes", "--finished-log-bytes"].map(defaultOf);
  const queued = GATEWAYS * defaultOf("--queued-bytes") + LANES * defaultOf("--max-queued") * SMALL_BYTES;
  const kept = shared.reduce((sum, bytes) => sum + bytes, queued);
  expect(kept).toBeGreaterThan(1000 * MiB);
  expect(limitOf("  redis")).toBeGreaterThan(kept);
});

test("the composition's gateways have room for answers and bodies, which take four times their bytes", () => {
  const held = defaultOf("--answers-bytes") + 4 * defaultOf("--bodies-bytes");
  expect(held).toBe(512 * MiB);
  expect(limitOf("x-gateway")).toBeGreaterThan(2 * held);
});
