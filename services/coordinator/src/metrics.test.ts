import { expect, it } from "vitest";
import { createMetrics, type Observed } from "./metrics.js";

const worker = (changes: Partial<Observed["workers"][number]> = {}) => ({
  layers: [0, 4] as [number, number],
  loadedBytes: 50,
  totalBytes: 100,
  ...changes,
});

const observed: Observed = {
  counts: {
    running: 2,
    waiting: 3,
    evictions: 4,
    pages: { total: 10, free: 5, cached: 1 },
    tokens: { prompt: 100, cached: 20, generated: 30, drafted: 8, accepted: 6 },
    drafts: { rounds: 5, guessed: [5, 3], right: [4, 1] },
  },
  lanes: {
    interactive: { running: 2, waiting: 1, oldestMs: 0 },
    batch: { running: 0, waiting: 2, oldestMs: null },
  },
  state: "loading",
  stages: 2,
  workers: [
    worker(),
    worker({ loadedBytes: 100 }),
    worker({ layers: null, totalBytes: 0 }),
    worker({ going: "drained" }),
  ],
};

it("shows what it observes at each scrape, and counts nothing twice", async () => {
  const metrics = createMetrics("m7");
  metrics.observe(() => observed);
  await metrics.registry.metrics();
  const text = await metrics.registry.metrics();
  for (const line of [
    'rhone_tokens_total{kind="prompt",model_name="m7"} 100',
    'rhone_tokens_total{kind="accepted",model_name="m7"} 6',
    'rhone_preemptions_total{model_name="m7"} 4',
    'rhone_sequences{lane="interactive",state="running",model_name="m7"} 2',
    'rhone_sequences{lane="batch",state="waiting",model_name="m7"} 2',
    'rhone_kv_pages{state="free",model_name="m7"} 5',
    'rhone_kv_pages{state="cached",model_name="m7"} 1',
    'rhone_kv_pages{state="used",model_name="m7"} 4',
    'rhone_pipeline_ready{model_name="m7"} 0',
    'rhone_stages{model_name="m7"} 2',
    'rhone_workers{state="loading",model_name="m7"} 1',
    'rhone_workers{state="serving",model_name="m7"} 1',
    'rhone_workers{state="spare",model_name="m7"} 1',
    'rhone_workers{state="drained",model_name="m7"} 1',
    'rhone_workers{state="leaving",model_name="m7"} 0',
    'rhone_draft_rounds_total{model_name="m7"} 5',
    'rhone_draft_tokens_total{position="1",outcome="right",model_name="m7"} 1',
    'rhone_draft_tokens_total{position="1",outcome="wrong",model_name="m7"} 2',
    'rhone_oldest_waiting_seconds{lane="batch",model_name="m7"} 0',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  expect(text).toMatch(/^rhone_oldest_waiting_seconds\{lane="interactive",model_name="m7"\} [1-9]/m);
  expect(text).toMatch(/^rhone_weights_loaded_ratio\{model_name="m7"\} 0\.6/m);
});

it("shows zeros before there is an engine", async () => {
  const text = await createMetrics("m7").registry.metrics();
  expect(text).toContain('rhone_tokens_total{kind="generated",model_name="m7"} 0');
  expect(text).toContain('rhone_kv_pages{state="used",model_name="m7"} 0');
});

it("gives each coordinator a registry of its own", async () => {
  const [one, other] = [createMetrics("m7"), createMetrics("m7")];
  one.epochs.inc();
  expect(await other.registry.metrics()).toContain('rhone_epochs_total{model_name="m7"} 0');
});
