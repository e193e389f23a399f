import { expect, test } from "vitest";
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
