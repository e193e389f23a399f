import { expect, it } from "vitest";
import { Lanes } from "./lanes.js";

it("runs as many jobs at once as it has lanes, and each job", async () => {
  const lanes = new Lanes(3);
  let [running, most] = [0, 0];
  const jobs = Array.from({ length: 20 }, (_, i) =>
    lanes.run(async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return i;
    }),
  );
  expect(await Promise.all(jobs)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(most).toBe(3);
});

it("goes on after a job that fails", async () => {
  const lanes = new Lanes(1);
  const failing = lanes.run(() => Promise.reject(new Error("broken")));
  const next = lanes.run(async () => "next");
  await expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("next");
});
