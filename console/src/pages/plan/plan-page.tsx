import { useEffect, useState } from "preact/hooks";
import { askJson, problemOf } from "../../api/ask.ts";
import { hello, tick } from "../../api/live.ts";
import { bytes, layers, number } from "../../format.ts";
import { Meter } from "../../parts/meter.tsx";
import { Notice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";

const GB = 1e9;
/** A plan is asked for when nothing was typed for this long. */
const QUIET_MS = 250;
const STREAMS = [1, 4, 8, 16, 32];

/** As POST /v1/plan answers. */
interface Plan {
  readonly stages: readonly {
    readonly first: number;
    readonly last: number;
    readonly weight_bytes: number;
    readonly page_bytes: number;
    readonly memory_bytes: number;
  }[];
  readonly pages: number;
  readonly page_size: number;
  readonly context: number;
  readonly predictions: readonly { readonly streams: number; readonly tokens_per_second: number }[] | null;
  readonly unpredicted: string | null;
}

/** What is asked, as it was typed. */
interface Asked {
  readonly model: string;
  readonly workers: string;
  /** GB */
  readonly memory: string;
  readonly weights: string;
  readonly kvType: string;
  readonly context: string;
}

type Result = { readonly plan: Plan } | { readonly problem: string };

export function PlanPage() {
  const isKnown = tick.value !== null;
  const [asked, setAsked] = useState<Asked | null>(null);
  const [result, setResult] = useState<Result | null>(null);
  // What runs is where it begins, and is not looked at again.
  useEffect(() => {
    if (isKnown && asked === null) setAsked(present());
  }, [isKnown]);
  useEffect(() => {
    if (asked === null) return;
    const left = new AbortController();
    const timer = setTimeout(() => {
      askJson<Plan>("/v1/plan", { body: requestOf(asked), signal: left.signal }).then(
        (plan) => setResult({ plan }),
        (thrown: unknown) => {
          if (!left.signal.aborted) setResult({ problem: problemOf(thrown) });
        },
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [asked]);
  if (asked === null) return <p class="empty">Connecting…</p>;
  return (
    <div class="plan">
      <Section title="What if">
        <PlanForm asked={asked} onAsked={setAsked} />
      </Section>
      <div class="plan-result" aria-live="polite">
        {result !== null && "problem" in result && <Notice tone="bad">{result.problem}</Notice>}
        {result !== null && "plan" in result && <PlanResult plan={result.plan} />}
      </div>
    </div>
  );
}

/** What runs now. */
function present(): Asked {
  const [pipeline] = tick.value?.pipelines ?? [];
  const stages = (pipeline?.workers ?? []).filter((worker) => worker.layers !== null);
  const memory = Math.min(...stages.map(({ memoryTotal }) => memoryTotal));
  return {
    model: pipeline?.model.name ?? hello.value?.gateway.models[0] ?? "",
    workers: String(Math.max(1, stages.length)),
    memory: Number.isFinite(memory) ? (memory / GB).toFixed(1) : "8",
    weights: "",
    kvType: pipeline?.kvType ?? "f16",
    context: "",
  };
}

const requestOf = ({ model, workers, memory, weights, kvType, context }: Asked) => ({
  ...(model !== "" && { model }),
  workers: Number(workers),
  memory: Math.round(Number(memory) * GB),
  ...(weights !== "" && { weights }),
  kv_type: kvType,
  ...(context !== "" && { context: Number(context) }),
  streams: STREAMS,
});

const WEIGHTS = [
  ["", "as the file has them"],
  ["q4_0", "Q4_0"],
  ["q4_k_m", "Q4_K_M"],
  ["q5_k_m", "Q5_K_M"],
  ["q6_k", "Q6_K"],
  ["q8_0", "Q8_0"],
  ["f16", "F16"],
] as const;

const KV_TYPES = [
  ["f16", "F16"],
  ["q8_0", "Q8_0"],
  ["f32", "F32"],
] as const;

interface PlanFormProps {
  readonly asked: Asked;
  readonly onAsked: (asked: Asked) => void;
}

function PlanForm({ asked, onAsked }: PlanFormProps) {
  const models = hello.value?.gateway.models ?? [];
  const set = (name: keyof Asked) => (value: string) => onAsked({ ...asked, [name]: value });
  return (
    <div class="fields">
      {models.length > 1 && (
        <Choice
          label="Model"
          value={asked.model}
          onValue={set("model")}
          choices={models.map((name) => [name, name] as const)}
        />
      )}
      <div class="fields-pair">
        <Amount label="Workers" value={asked.workers} onValue={set("workers")} step={1} />
        <Amount label="Memory of each, GB" value={asked.memory} onValue={set("memory")} step={0.5} />
      </div>
      <Choice label="Weights" value={asked.weights} onValue={set("weights")} choices={WEIGHTS} />
      <div class="fields-pair">
        <Choice label="K/V pages" value={asked.kvType} onValue={set("kvType")} choices={KV_TYPES} />
        <Amount label="Context" value={asked.context} onValue={set("context")} step={1} placeholder="as now" />
      </div>
      <p class="hint">
        Workers that are alike, each as fast as the fastest that serves the model now. Nothing is changed by a plan.
      </p>
    </div>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
}

const Amount = ({
  label,
  value,
  onValue,
  ...input
}: FieldProps & { readonly step: number; readonly placeholder?: string }) => (
  <label>
    {label}
    <input
      type="number"
      min={0}
      {...input}
      value={value}
      onInput={({ currentTarget }) => onValue(currentTarget.value)}
    />
  </label>
);

const Choice = ({
  label,
  value,
  onValue,
  choices,
}: FieldProps & { readonly choices: readonly (readonly [string, string])[] }) => (
  <label>
    {label}
    <select value={value} onChange={({ currentTarget }) => onValue(currentTarget.value)}>
      {choices.map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  </label>
);

function PlanResult({
  plan: { stages, pages, page_size, context, predictions, unpredicted },
}: {
  readonly plan: Plan;
}) {
  const fastest = Math.max(...(predictions ?? []).map((each) => each.tokens_per_second));
  return (
    <>
      <Section title="Stages">
        <ul class="plan-stages">
          {stages.map(({ first, last, weight_bytes, page_bytes, memory_bytes }, index) => (
            <li key={first}>
              <b>Stage {index}</b> <span class="hint">layers {layers([first, last])}</span>
              <Meter
                label={`${bytes(weight_bytes)} weights, ${bytes(page_bytes)} pages`}
                text={`of ${bytes(memory_bytes)}`}
                parts={[
                  { share: weight_bytes / memory_bytes, kind: "main" },
                  { share: page_bytes / memory_bytes, kind: "second" },
                ]}
              />
            </li>
          ))}
        </ul>
        <p class="hint">
          {number(pages)} pages of {page_size} positions: {number(pages * page_size)} positions in all,{" "}
          {number(context)} at most for each sequence.
        </p>
      </Section>
      <Section title="Predicted speed">
        {unpredicted !== null && <p class="hint">{unpredicted}</p>}
        <ul class="predictions">
          {(predictions ?? []).map(({ streams, tokens_per_second: speed }) => (
            <li key={streams}>
              <Meter
                label={streams === 1 ? "1 stream" : `${streams} streams`}
                text={`${number(Math.round(10 * speed) / 10)} tokens/s`}
                parts={[{ share: speed / fastest, kind: "main" }]}
              />
            </li>
          ))}
        </ul>
      </Section>
    </>
  );
}
