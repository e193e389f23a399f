import { expect, test } from "vitest";
import { type Joining, memberOptionsSchema, partToJoin } from "./member-options.js";

const door = "10.0.0.1:7100";
const before = memberOptionsSchema.parse({
  dataDir: "/d",
  door,
  name: "b-1",
  coordinator: "10.0.0.1:7110",
  advertise: "10.0.0.9",
  port: 7300,
});
const joining = (wish: Partial<Joining>) => partToJoin({ flags: {}, door, hasToken: false, before, ...wish });

test("without a token the flags of the last time hold, but for those that change", () => {
  expect(joining({}).part).toMatchObject({ advertise: "10.0.0.9", port: 7300 });
  expect(joining({ flags: { port: 7400, threads: 2 } }).part).toMatchObject({
    advertise: "10.0.0.9",
    port: 7400,
    threads: 2,
  });
});

test("a command with a token has its own flags alone, and the machine keeps its name and place", () => {
  const { part, last } = joining({ flags: { threads: 2 }, hasToken: true });
  expect(part).toEqual({ threads: 2, door, as: "worker", port: 7200 });
  expect(last).toMatchObject({ name: "b-1", coordinator: "10.0.0.1:7110" });
});

test("a gateway that is given a worker's token becomes a worker", () => {
  const gateway = memberOptionsSchema.parse({ ...before, as: "gateway" });
  expect(joining({ before: gateway, hasToken: true })).toMatchObject({ part: { as: "worker" }, last: null });
  expect(joining({ before: gateway }).part.as).toBe("gateway");
});

test("nothing of another cluster holds", () => {
  const { part, last } = joining({ door: "10.0.0.2:7100" });
  expect(part).toEqual({ door: "10.0.0.2:7100", as: "worker", port: 7200 });
  expect(last).toBeNull();
});
