import type { LiveQueue, LiveSample } from "@rhone/common";
import { samples, tick } from "../../api/live.ts";
import { duration, number, span } from "../../format.ts";
import { Chart } from "../../parts/chart.tsx";
import { Section } from "../../parts/section.tsx";

const MINUTE_MS = 60_000;

/** What the cluster does now, in four numbers. */
export function Figures() {
  const now = tick.value?.sample;
  const pipelines = tick.value?.pipelines ?? [];
  const limit = pipelines.reduce((sum, { sequences }) => sum + sequences.limit, 0);
  const lately = samples.value.filter(({ atMs }) => atMs > (now?.atMs ?? 0) - MINUTE_MS);
  const firsts = lately.flatMap(({ firstTokenMs }) => firstTokenMs ?? []).sort((a, b) => a - b);
  const median = firsts[Math.floor((firsts.length - 1) / 2)];
  return (
    <dl class="figures">
      <Figure
        name="Tokens per second"
        value={number(round(now?.generated))}
        note={`${number(round(now?.prompt))} of prompts`}
      />
      <Figure
        name="First token"
        value={median === undefined ? "–" : duration(median)}
        note={median === undefined ? "none in the last minute" : "median of a minute"}
      />
      <Figure name="Running" value={number(now?.running ?? 0)} note={`of ${number(limit)} sequences`} />
      <Figure
        name="Waiting"
        value={number((now?.interactive ?? 0) + (now?.batch ?? 0))}
        note={`${number(now?.interactive ?? 0)} interactive, ${number(now?.batch ?? 0)} batch`}
      />
    </dl>
  );
}

/** Tenths below 100. */
const round = (value = 0): number => (value >= 100 ? Math.round(value) : Math.round(10 * value) / 10);

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

const Figure = ({ name, value, note }: FigureProps) => (
  <div>
    <dt>{name}</dt>
    <dd>
      {value} <small>{note}</small>
    </dd>
  </div>
);

/** The last ten minutes. */
export function Charts() {
  const all = samples.value;
  const atMs = all.map((sample) => sample.atMs);
  const of = (key: Exclude<keyof LiveSample, "atMs">) => all.map((sample) => sample[key]);
  return (
    <div class="charts">
      <Section title="Tokens per second">
        <Chart
          label="Tokens per second"
          atMs={atMs}
          format={(value) => number(round(value))}
          lines={[
            { label: "generated", colour: "--line-1", values: of("generated"), filled: true },
            { label: "of prompts", colour: "--line-2", values: of("prompt") },
          ]}
        />
      </Section>
      <Section title="Time to first token">
        <Chart
          label="Time to first token"
          atMs={atMs}
          format={duration}
          lines={[{ label: "median of a second", colour: "--line-1", values: of("firstTokenMs"), points: true }]}
        />
      </Section>
      <Section title="Sequences running, and waiting">
        <Chart
          label="Sequences"
          atMs={atMs}
          whole
          format={number}
          lines={[
            { label: "running", colour: "--line-1", values: of("running"), filled: true },
            { label: "interactive", colour: "--line-3", values: of("interactive") },
            { label: "batch", colour: "--line-2", values: of("batch") },
          ]}
        />
      </Section>
    </div>
  );
}

/** How many wait in each lane, and for how long the first of them. */
export function Queues() {
  const { queues = [] } = tick.value ?? {};
  const waits = ({ waiting, oldestMs }: LiveQueue) => (waiting === 0 ? "–" : span(oldestMs));
  return (
    <Section title="Queues">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Model</th>
            <th scope="col">Lane</th>
            <th scope="col" class="right">
              Waiting
            </th>
            <th scope="col" class="right">
              Longest
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <tr key={`${queue.model} ${queue.lane}`}>
              <td>{queue.model}</td>
              <td>{queue.lane}</td>
              <td class="right">{number(queue.waiting)}</td>
              <td class="right">{waits(queue)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}
