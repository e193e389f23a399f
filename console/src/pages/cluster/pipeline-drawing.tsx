import type { LivePipeline } from "@rhone/common";
import { duration, number, span } from "../../format.ts";
import { Notice } from "../../parts/notice.tsx";
import { Pill, type Tone } from "../../parts/pill.tsx";
import { GoneCard, StageCard } from "./stage-card.tsx";
import { Drawings } from "./stages.ts";

const drawings = new Drawings();

const TONES: Readonly<Record<LivePipeline["state"], Tone>> = {
  ready: "good",
  failed: "bad",
  loading: "warn",
  probing: "warn",
  waiting_for_workers: "warn",
};

/** A pipeline from the coordinator through its stages and back, with its spares below. `replica`: which, of several. */
export function PipelineDrawing({ pipeline, replica }: { readonly pipeline: LivePipeline; readonly replica: string }) {
  const { model, state, reason, epoch, updatedAtMs, startedAtMs, hopMs, detours = [], sequences, pages } = pipeline;
  const { places, spares } = drawings.draw(pipeline, performance.now());
  const isFlowing = state === "ready" && sequences.running > 0;
  const hop = hopMs == null ? "" : duration(hopMs);
  let stage = -1;
  return (
    <section class="pipeline" aria-label={`Pipeline of ${model.name}${replica}`}>
      <header class="pipeline-head">
        <h2>
          {model.name}
          {replica !== "" && <small>{replica}</small>}
        </h2>
        <Pill tone={TONES[state]}>{state.replaceAll("_", " ")}</Pill>
        {pipeline.simulated && <Pill tone="warn">simulated</Pill>}
        <dl class="facts">
          <Fact name="Epoch" value={String(epoch)} />
          <Fact name="Up" value={span(updatedAtMs - startedAtMs)} />
          <Fact name="Running" value={`${sequences.running} of ${sequences.limit}`} />
          <Fact
            name="Pages used"
            value={`${number(pages.total - pages.free - pages.cached)} of ${number(pages.total)}`}
          />
          <Fact name="Cached" value={number(pages.cached)} />
          <Fact name="Context" value={number(model.contextLength)} />
          <Fact name="K/V" value={pipeline.kvType.toUpperCase()} />
        </dl>
      </header>
      {state !== "ready" && reason !== null && <Notice tone={state === "failed" ? "bad" : "warn"}>{reason}</Notice>}
      <ol class={`flow ${isFlowing ? "flow-moves" : ""}`}>
        <li class="flow-end">
          <span>Coordinator</span>
        </li>
        {places.map((place) => {
          if (place.kind === "gone") {
            return (
              <li key={place.name} class="flow-broken">
                <Hop text="" />
                <GoneCard name={place.name} layers={place.layers} nLayers={model.nLayers} />
              </li>
            );
          }
          stage++;
          const isDetour = detours.includes(stage - 1);
          return (
            <li key={place.worker.worker} class={isDetour ? "flow-detour" : ""}>
              <Hop text={isDetour ? "by the coordinator" : hop} />
              <StageCard worker={place.worker} nLayers={model.nLayers} title={`Stage ${stage}`} />
            </li>
          );
        })}
        <li class="flow-end flow-back">
          <Hop text={places.length > 0 ? hop : ""} />
          <span>Tokens</span>
        </li>
      </ol>
      {spares.length > 0 && (
        <ul class="spares" aria-label="Spares">
          {spares.map((worker) => (
            <li key={worker.worker}>
              <StageCard worker={worker} nLayers={model.nLayers} title="Spare" />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const Hop = ({ text }: { readonly text: string }) => (
  <span class="hop" title="Mean time of a hop between two processes">
    {text}
  </span>
);

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);
