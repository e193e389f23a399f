import { expect, it } from "vitest";
import { createMetrics } from "./metrics.js";

const counts = {
  running: 2,
  waiting: 3,
  evictions: 4,
  pages: { total: 10, free: 5, cached: 1 },
  tokens: { prompt: 100, cached: 20, generated: 30, drafted: 8, accepted: 6 },
};

it("shows the engine's own counts at each scrape, and counts nothing twice", async () => {
  const metrics = createMetrics();
  metrics.observe(() => counts);
  await metrics.registry.metrics();
  const text = await metrics.registry.metrics();
  for (const line of [
    'rhone_tokens_total{kind="prompt"} 100',
    'rhone_tokens_total{kind="accepted"} 6',
    "rhone_preemptions_total 4",
    'rhone_sequences{state="running"} 2',
    'rhone_sequences{state="waiting"} 3',
    'rhone_kv_pages{state="free"} 5',
    'rhone_kv_pages{state="cached"} 1',
    'rhone_kv_pages{state="used"} 4',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

it("shows zeros before there is an engine", async () => {
  const text = await createMetrics().registry.metrics();
  expect(text).toContain('rhone_tokens_total{kind="generated"} 0');
  expect(text).toContain('rhone_kv_pages{state="used"} 0');
});

it("gives each coordinator a registry of its own", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.epochs.inc();
  expect(await other.registry.metrics()).toContain("rhone_epochs_total 0");
});
