import { cut, mend } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { A_MOMENT, PATIENCE, SILENCE, TIMEOUT, TwoStages } from "./two-stages.js";

/** Of streams that go on while a way closes and opens again. */
const MANY_TOKENS = 900;

skipWithoutHosts();
let stages: TwoStages;

beforeAll(async () => {
  if (whyNoHosts === null) stages = await TwoStages.start({ tokens: MANY_TOKENS });
}, 120_000);
afterAll(() => stages?.close());

/** What the coordinator has learned of ways: a worker that joins again may be at another place. */
async function forgetWays(): Promise<void> {
  const { one, front } = stages.hosts;
  const before = await stages.epoch();
  one.reset(front);
  const fresh = async () => [await stages.state(), await stages.detours(), (await stages.epoch()) > before];
  await expect.poll(fresh, PATIENCE).toEqual(["ready", [], true]);
}

test("a connection between two stages that is reset costs a moment", TIMEOUT, async ({ annotate }) => {
  const { one, two } = stages.hosts;
  const gap = await stages.longestGap(() => expect(one.reset(two)).toBeGreaterThan(0));
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_MOMENT);
});

test("two stages that do not reach each other: frames make a detour until they do", TIMEOUT, async (context) => {
  const { one, two } = stages.hosts;
  const gap = await stages.longestGap(() => stages.network.partition(one, two));
  await context.annotate(`${gap} s until the detour`);
  expect(gap).toBeLessThan(SILENCE);
  expect([await stages.state(), await stages.detours()]).toEqual(["ready", [0]]);
  const back = await stages.longestGap(
    async () => {
      stages.network.heal(one, two);
      await expect.poll(() => stages.detours(), PATIENCE).toEqual([]);
    },
    { tokens: MANY_TOKENS },
  );
  await context.annotate(`${back} s as it ends`);
  expect(back).toBeLessThan(A_MOMENT);
});

test.each([
  ["first", "second"],
  ["second", "first"],
])("a way on which the %s stage does not reach the %s is none", TIMEOUT, async (deaf) => {
  const { one, two } = stages.hosts;
  await forgetWays();
  const [from, to] = deaf === "first" ? [one, two] : [two, one];
  const gap = await stages.longestGap(() => cut(from, to));
  expect(gap).toBeLessThan(SILENCE);
  expect(await stages.detours()).toEqual([0]);
  mend(from, to);
});

test("a way that comes and goes is not taken before it stays", TIMEOUT, async ({ annotate }) => {
  const { one, two } = stages.hosts;
  await forgetWays();
  const before = await stages.epoch();
  let flaps = 0;
  const gap = await stages.longestGap(
    async () => {
      const flapping = setInterval(
        () => (flaps++ % 2 === 0 ? stages.network.partition(one, two) : stages.network.heal(one, two)),
        2000,
      );
      await expect.poll(() => flaps, PATIENCE).toBe(10);
      clearInterval(flapping);
    },
    { tokens: MANY_TOKENS },
  );
  const epochs = (await stages.epoch()) - before;
  await annotate(`${gap} s, ${epochs} epochs`);
  expect(gap).toBeLessThan(SILENCE);
  expect(epochs).toBeLessThanOrEqual(2);
  await expect.poll(() => stages.detours(), PATIENCE).toEqual([]);
});
