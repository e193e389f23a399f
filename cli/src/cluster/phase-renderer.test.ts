import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import type { ProgressEvent } from "../cluster/progress.js";
import { styleFor } from "../terminal/style.js";
import { PhaseRenderer } from "./phase-renderer.js";

const EVENTS: readonly ProgressEvent[] = [
  { kind: "phase", phase: "model", text: "looking for breeze", done: false },
  { kind: "phase", phase: "model", text: "Breeze", done: true },
  { kind: "note", text: "For Mistral 7B: …" },
  { kind: "phase", phase: "workers", text: "0/2 joined", done: false },
  { kind: "phase", phase: "workers", text: "1/2 joined", done: false },
  { kind: "phase", phase: "workers", text: "2/2 joined", done: true },
  { kind: "ready", url: "http://127.0.0.1:8080" },
];

function render(isTTY: boolean, events = EVENTS): string {
  let written = "";
  const output = { isTTY, columns: 30, write: (text: string) => (written += text) };
  const renderer = new PhaseRenderer(output, styleFor({ isTTY: false }, undefined));
  for (const event of events) renderer.show(event);
  renderer.close();
  return written;
}

test("elsewhere than on a terminal: a plain line per finished phase", () => {
  expect(render(false)).toBe(`✓ Model        Breeze
  For Mistral 7B: …
✓ Workers      2/2 joined
ready http://127.0.0.1:8080
`);
});

test("on a terminal the running phase is one line, redrawn and cut to the width", () => {
  const screen = render(true).replaceAll("\r\x1b[2K", "⟲");
  expect(screen).toBe(
    "⟲⠋ Model        looking for br⟲✓ Model        Breeze\n⟲  For Mistral 7B: …\n" +
      "⟲⠋ Workers      0/2 joined⟲⠋ Workers      1/2 joined⟲✓ Workers      2/2 joined\nready http://127.0.0.1:8080\n",
  );
});

test("a phase cut short leaves no half line", () => {
  expect(render(true, EVENTS.slice(0, 1)).endsWith("\r\x1b[2K")).toBe(true);
});

describe("the line of the current phase", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function onTerminal() {
    let written = "";
    const output = { isTTY: true, columns: 40, write: (text: string) => (written += text) };
    const renderer = new PhaseRenderer(output, styleFor({}, undefined));
    const take = () => {
      const text = written.replaceAll("\r\x1b[2K", "⟲");
      written = "";
      return text;
    };
    return { renderer, take };
  }

  it("turns until the phase is done, and stays below what is noted meanwhile", () => {
    const { renderer, take } = onTerminal();
    renderer.show({ kind: "phase", phase: "probe", text: "running", done: false });
    expect(take()).toBe("⟲⠋ Probe        running");
    vi.advanceTimersByTime(160);
    expect(take()).toBe("⟲⠙ Probe        running⟲⠹ Probe        running");
    renderer.note("a note");
    expect(take()).toBe("⟲  a note\n⟲⠹ Probe        running");
    renderer.show({ kind: "phase", phase: "probe", text: "every stage answered", done: true });
    expect(take()).toBe("⟲✓ Probe        every stage answered\n");
    vi.advanceTimersByTime(1000);
    expect(take()).toBe("");
  });

  it("is gone when the cluster is ready or the renderer is closed", () => {
    const { renderer, take } = onTerminal();
    renderer.show({ kind: "phase", phase: "gateway", text: "waiting", done: false });
    renderer.show({ kind: "ready", url: "http://127.0.0.1:1" });
    expect(take()).toBe("⟲⠋ Gateway      waiting⟲ready http://127.0.0.1:1\n");
    renderer.close();
    vi.advanceTimersByTime(1000);
    expect(take()).toBe("");
  });
});
