import { expect, it } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { FairWaiters } from "./fair-waiters.js";

/** Waiters whose names begin with their owner's letter, and the names of those who went, in order. */
function open({ withinMs = Number.POSITIVE_INFINITY } = {}) {
  const waiters = new FairWaiters<string>({ busy: (why) => new RhoneError("GRAMMARS_BUSY", why) });
  const gone: string[] = [];
  const wait = (name: string, signal?: AbortSignal): Promise<void> =>
    waiters.wait({ owner: name[0] ?? "", item: name, withinMs, signal }).then(() => void gone.push(name));
  return { waiters, gone, wait };
}

it("lets those go who may, in turns of their owners", async () => {
  const { waiters, gone, wait } = open();
  const all = ["a1", "a2", "a3", "b1", "c1", "b2"].map((name) => wait(name));
  expect(waiters.next(() => false)).toBe(false);
  expect(waiters.next((name) => name.startsWith("b"))).toBe(true);
  while (waiters.next((name) => name !== "c1"));
  expect(waiters.next(() => true)).toBe(true);
  expect(waiters.next(() => true)).toBe(false);
  await Promise.all(all);
  expect(gone).toEqual(["b1", "a1", "b2", "a2", "a3", "c1"]);
});

it("forgets one who leaves, and one who has waited for too long", async () => {
  const { waiters, gone, wait } = open({ withinMs: 20 });
  const leaving = new AbortController();
  const left = wait("a1", leaving.signal);
  const late = wait("a2");
  leaving.abort(new Error("gone"));
  await expect(left).rejects.toThrow("gone");
  await expect(wait("a3", leaving.signal)).rejects.toThrow("gone");
  await expect(late).rejects.toMatchObject({ message: "After 20 ms, 1 request is waiting" });
  expect([waiters.next(() => true), gone]).toEqual([false, []]);
});

it("has no bound of number or time by default", async () => {
  const waiters = new FairWaiters<null>();
  const all = Array.from({ length: 2000 }, () => waiters.wait({ owner: "a", item: null }));
  while (waiters.next());
  await expect(Promise.all(all)).resolves.toHaveLength(2000);
});

it("refuses all at the end", async () => {
  const { waiters, wait } = open();
  const all = Promise.allSettled(["a1", "b1"].map((name) => wait(name)));
  waiters.refuseAll(new RhoneError("SHUTTING_DOWN", "The process is stopping."));
  expect((await all).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(waiters.next(() => true)).toBe(false);
});
