import { bytes, layers as shownLayers } from "../../format.ts";
import { Meter, type MeterPart, ShareMeter } from "../../parts/meter.tsx";
import type { LiveWorker } from "./stages.ts";

interface RulerProps {
  readonly nLayers: number;
  readonly own: readonly [number, number] | null;
  readonly spare?: readonly (readonly [number, number])[];
}

/** All layers of the model in a row, with one worker's marked. */
function LayerRuler({ nLayers, own, spare = [] }: RulerProps) {
  const place = ([first, last]: readonly [number, number]) => ({
    left: `${(100 * first) / nLayers}%`,
    width: `${(100 * (last - first)) / nLayers}%`,
  });
  return (
    <div class="ruler" style={{ "--layers": nLayers }} aria-hidden="true">
      {spare.map((range) => (
        <i key={range[0]} class="ruler-spare" style={place(range)} />
      ))}
      {own !== null && <i class="ruler-own" style={place(own)} />}
    </div>
  );
}

interface StageCardProps {
  readonly worker: LiveWorker;
  readonly nLayers: number;
  readonly title: string;
}

/** A worker: its layers, its memory, and how busy it is. */
export function StageCard({ worker, nLayers, title }: StageCardProps) {
  const { layers, spare, going, busy } = worker;
  return (
    <article class={`stage ${layers === null ? "stage-spare" : ""} ${going === undefined ? "" : "stage-going"}`}>
      <header>
        <span class="stage-title">{title}</span>
        {layers !== null && <span class="stage-layers">layers {shownLayers(layers)}</span>}
      </header>
      <LayerRuler nLayers={nLayers} own={layers} spare={spare?.layers ?? []} />
      <p class="stage-worker" title={worker.address}>
        {worker.worker}
      </p>
      <p class="stage-machine" title={machineOf(worker)}>
        {machineOf(worker)}
      </p>
      <Progress worker={worker} />
      <ShareMeter label="Busy" share={busy} />
      <MemoryMeter worker={worker} />
      {noteOf(worker) !== "" && <p class="stage-note">{noteOf(worker)}</p>}
    </article>
  );
}

function machineOf({ hostname, device, kernels, threads }: LiveWorker): string {
  const engine = kernels === undefined ? device : `${device} ${kernels}`;
  const cores = device === "CPU" ? `${threads} ${threads === 1 ? "thread" : "threads"}` : "";
  const parts = [hostname, engine, cores].filter((part) => part !== "");
  // A line may end between two of them, not within one.
  return parts.map((part) => part.replaceAll(" ", "\u00a0")).join(" · ");
}

/** Its weights and its pages, and whatever else its process holds, of what it may use. */
function MemoryMeter({
  worker: { loadedBytes, spare, pageBytes, resident, memoryTotal },
}: {
  readonly worker: LiveWorker;
}) {
  const share = (amount: number): number => (memoryTotal > 0 ? Math.max(0, amount) / memoryTotal : 0);
  const weights = loadedBytes + (spare?.bytes ?? 0);
  const parts: readonly MeterPart[] = [
    { share: share(weights), kind: "main" },
    { share: share(pageBytes), kind: "second" },
    { share: share(resident - weights - pageBytes), kind: "third" },
  ];
  const held = Math.max(resident, weights + pageBytes);
  return <Meter label="Memory" text={`${bytes(held)} of ${bytes(memoryTotal)}`} parts={parts} />;
}

function Progress({ worker: { preparing, loadedBytes, totalBytes } }: { readonly worker: LiveWorker }) {
  if (preparing != null) {
    const share = preparing.totalBytes > 0 ? preparing.bytes / preparing.totalBytes : 0;
    return <ShareMeter label={preparing.phase === "fetch" ? "Fetching weights" : "Checking weights"} share={share} />;
  }
  if (loadedBytes >= totalBytes || totalBytes === 0) return null;
  return <ShareMeter label="Loading weights" share={loadedBytes / totalBytes} />;
}

function noteOf({ going, spare, layers }: LiveWorker): string {
  const held = (spare?.layers ?? []).map((range) => shownLayers(range)).join(", ");
  return [
    going === undefined ? "" : going.charAt(0).toUpperCase() + going.slice(1),
    held === "" ? "" : `Holds ${held} in reserve`,
    layers === null && going === undefined && held === "" ? "Takes over when another is lost" : "",
    spare?.needed == null ? "" : `A spare shard would need ${bytes(spare.needed)}`,
  ]
    .filter((part) => part !== "")
    .join(". ");
}

interface GoneCardProps {
  readonly name: string;
  readonly layers: readonly [number, number];
  readonly nLayers: number;
}

/** Where a worker was that is lost. */
export const GoneCard = ({ name, layers, nLayers }: GoneCardProps) => (
  <article class="stage stage-gone">
    <header>
      <span class="stage-title">Lost</span>
      <span class="stage-layers">layers {shownLayers(layers)}</span>
    </header>
    <LayerRuler nLayers={nLayers} own={layers} />
    <p class="stage-worker">{name}</p>
    <p class="stage-machine">Its layers are going to others.</p>
  </article>
);
