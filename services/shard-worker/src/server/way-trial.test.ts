import type { FrameLinkOptions } from "@rhone/common";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WayTrial } from "./way-trial.js";

type Events = Pick<FrameLinkOptions, "onBroken" | "onHeard">;

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"], now: 0 }));
afterEach(() => void vi.useRealTimers());

/** A trial of 2 s, and the links that it has opened. */
function startTrial() {
  const links: (Events & { readonly close: () => void })[] = [];
  const onProven = vi.fn();
  const open = (events: Events) => {
    const link = { ...events, close: vi.fn() };
    links.push(link);
    return link;
  };
  const trial = new WayTrial({ open, provenMs: 2000, onProven });
  const hear = (times: number, everyMs = 500): void => {
    for (let i = 0; i < times; i++) {
      vi.advanceTimersByTime(everyMs);
      links.at(-1)?.onHeard?.();
    }
  };
  const breaks = (): void => links.at(-1)?.onBroken({ message: "cut" } as never, true);
  return { trial, links, onProven, hear, breaks };
}

test("a way is proven once the neighbour has answered for this long, and is tried no more then", () => {
  const { links, onProven, hear } = startTrial();
  hear(4);
  expect(onProven).not.toHaveBeenCalled();
  hear(1);
  expect(onProven).toHaveBeenCalledOnce();
  expect(links[0]?.close).toHaveBeenCalled();
});

test("after a pause the time begins again", () => {
  const { onProven, hear } = startTrial();
  hear(4);
  hear(1, 2000);
  hear(3);
  expect(onProven).not.toHaveBeenCalled();
  hear(1);
  expect(onProven).toHaveBeenCalledOnce();
});

test("a link that breaks is opened again after a second, until the trial is closed", () => {
  const { trial, links, breaks } = startTrial();
  breaks();
  vi.advanceTimersByTime(999);
  expect(links).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(links).toHaveLength(2);
  breaks();
  trial.close();
  vi.advanceTimersByTime(5000);
  expect(links).toHaveLength(2);
});
