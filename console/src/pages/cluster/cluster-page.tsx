import type { LivePipeline } from "@rhone/common";
import { hello, link, tick } from "../../api/live.ts";
import { Notice } from "../../parts/notice.tsx";
import { EventLog } from "./event-log.tsx";
import { Charts, Figures, Queues } from "./figures.tsx";
import { Join } from "./join.tsx";
import { PipelineDrawing } from "./pipeline-drawing.tsx";

export function ClusterPage() {
  const now = tick.value;
  if (now === null) return <p class="empty">{link.value.state === "refused" ? "A key is needed." : "Connecting…"}</p>;
  const pipelines = now.pipelines.toSorted(byModel);
  const served = new Set(pipelines.map(({ model }) => model.name));
  const missing = (hello.value?.gateway.models ?? []).filter((name) => !served.has(name));
  return (
    <>
      {now.problem !== null && <Notice tone="bad">{now.problem}</Notice>}
      <Figures />
      {pipelines.map((pipeline) => (
        <PipelineDrawing key={pipeline.coordinator} pipeline={pipeline} replica={replicaOf(pipeline, pipelines)} />
      ))}
      {missing.map((name) => (
        <Notice key={name} tone="bad">
          No coordinator serves {name}. Its process may be starting; rhone status says more.
        </Notice>
      ))}
      <Charts />
      <div class="columns">
        <EventLog />
        <div>
          <Queues />
          <Join />
        </div>
      </div>
    </>
  );
}

const byModel = (a: LivePipeline, b: LivePipeline): number =>
  a.model.name.localeCompare(b.model.name) || a.coordinator.localeCompare(b.coordinator);

/** " replica 2 of 3"; "" for the only pipeline of its model. */
function replicaOf(pipeline: LivePipeline, all: readonly LivePipeline[]): string {
  const alike = all.filter(({ model }) => model.name === pipeline.model.name);
  return alike.length === 1 ? "" : ` replica ${alike.indexOf(pipeline) + 1} of ${alike.length}`;
}
